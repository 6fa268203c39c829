"""What can be wrong with a norm layer: each condition, why it matters, and what to do.

The words stand in ``conditions.toml``; here each is an attribute of the module, under its key.
"""

import tomllib
from dataclasses import dataclass
from importlib import resources

LEVELS = ("wrong", "suspicious", "unseen", "note")


@dataclass(frozen=True)
class Condition:
    """Something that a norm layer may suffer from.

    Attributes
    ----------
    name
        In a few words.
    level
        ``"wrong"`` where no one can have wanted it, ``"suspicious"`` where it is a mistake more
        often than not, ``"unseen"`` where the doctor could not look, ``"note"`` where it is
        harmless, or right in some programs.
    why
        What it does to the model.
    cure
        What to do about it.
    section
        The heading in ``lesson`` under which it is shown.
    lesson
        The lesson's file name, without its ending.
    """

    name: str
    level: str
    why: str
    cure: str
    section: str
    lesson: str = "13_choose_and_debug"


def _read() -> dict[str, Condition]:
    text = (resources.files(__package__) / "conditions.toml").read_text(encoding="utf-8")
    return {
        key: Condition(**{field: " ".join(words.split()) for field, words in table.items()})
        for key, table in tomllib.loads(text).items()
    }


def __getattr__(name: str) -> Condition:
    """Say what a type checker cannot see: every other name is a condition."""
    raise AttributeError(f"conditions.toml has no {name}")


_BY_KEY = _read()
globals().update(_BY_KEY)
CONDITIONS = tuple(_BY_KEY.values())
