"""What Python's and NumPy's own errors mean, in words."""

import functools
import re
import tomllib
from pathlib import Path


def in_words(message: str) -> str:
    """Say what an error means behind its text, where something is known of it."""
    for pattern, means in _meanings().items():
        if re.search(pattern, message):
            return f"{message}. In words: {means}."
    return message


@functools.cache
def _meanings() -> dict[str, str]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
