"""The claims and their sources, as they stand in claims.toml."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

# What can be said of a claim, and what is meant by it.
VERDICTS = {
    "right": "holds as it is written",
    "imprecise": "something is true in it; as it is written it misleads, or leaves out a condition",
    "wrong": "does not hold where we can look",
    "contested": "sources or experiments disagree",
    "untestable": "no experiment could contradict it",
}


@dataclass(frozen=True)
class Claim:
    """A claim of one of the two articles.

    Attributes
    ----------
    id
        A1 to A33 and B1 to B56: the article, and the place in it.
    says
        The claim, in our words.
    kind
        API, definition, empirical, theory, design, convention or advice.
    verdict
        One of `VERDICTS`: what was found when the course was made.
    sources
        Keys of `load_sources`.
    lessons
        Where the course shows more of it: ``"02_batch_norm_forward#In a formula"``.
    """

    id: str
    says: str
    kind: str
    verdict: str
    sources: tuple[str, ...]
    lessons: tuple[str, ...]


@lru_cache
def load_claims() -> dict[str, Claim]:
    """Return all claims by their id, in the order of the articles."""
    claims = [
        Claim(**{name: _frozen(value) for name, value in entry.items()})
        for entry in _read()["claims"]
    ]
    return {claim.id: claim for claim in claims}


def load_sources() -> dict[str, str]:
    """Return the sources in full, by their key."""
    return _read()["sources"]


def _read() -> dict:
    path = Path(__file__).with_name("claims.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _frozen(value: object) -> Any:  # noqa: ANN401 - str or tuple
    return tuple(value) if isinstance(value, list) else value
