"""Names that somebody typed, and those that they may have meant."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, names: Iterable[str], quote: str = "'", most: int = 1) -> str:
    """Ask for the names that look like one that is none of them; "" where none does."""
    close = difflib.get_close_matches(name, list(names), n=most, cutoff=0.6 if most == 1 else 0.5)
    return f"Did you mean {' or '.join(f'{quote}{one}{quote}' for one in close)}?" if close else ""
