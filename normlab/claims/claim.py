"""The claims and their sources, as they stand in claims.toml."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

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
    """A claim of one of the two articles."""

    id: str  # A1 to A33 and B1 to B56: the article, and the place in it
    says: str  # the claim, in our words
    kind: str  # API, definition, empirical, theory, design, convention or advice
    verdict: str  # one of `VERDICTS`: what was found when the course was made
    sources: tuple[str, ...]  # keys of `load_sources`
    lessons: tuple[str, ...]  # more of it: "02_batch_norm_forward#In a formula"


@lru_cache
def load_claims() -> dict[str, Claim]:
    """Return all claims by their id, in the order of the articles."""
    claims = {}
    for entry in _read()["claims"]:
        lists = {key: tuple(entry[key]) for key in ("sources", "lessons")}
        claims[entry["id"]] = Claim(**{**entry, **lists})
    return claims


def load_sources() -> dict[str, str]:
    """Return the sources in full, by their key."""
    return _read()["sources"]


def _read() -> dict:
    path = Path(__file__).with_name("claims.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))
