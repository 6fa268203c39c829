"""The text of lesson 14, from the package itself: the same bytes under every release of Python."""

import gzip
from pathlib import Path

_TOPICS = Path(__file__).parent / "help" / "topics.txt.gz"


def load_help_text() -> str:
    """Return 400,000 characters, all of them ASCII, of what Python's `help()` knows.

    Where they come from, and under which licence, is told in the README beside the file.
    """
    return gzip.decompress(_TOPICS.read_bytes()).decode("ascii")
