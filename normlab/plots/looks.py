"""How a norm is drawn: one colour, marker, dash and printed name in every figure of the course.

The norms are in ``looks.toml``. What is no norm, such as a layer or a learning rate, gets what is
free, in order.
"""

import functools
import tomllib
from collections.abc import Iterable
from importlib import resources
from typing import Any, NamedTuple

from normlab.plots.picture import BLUE, COLOURS, DASHES, MARKERS


class Look(NamedTuple):
    """What a figure calls something, and how it draws it."""

    name: str
    colour: str
    marker: str
    dash: Any

    @property
    def line(self) -> dict[str, Any]:
        """The options of matplotlib's ``plot``."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "linestyle": self.dash,
            "label": self.name,
        }


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Return how a figure draws each of its names.

    Parameters
    ----------
    names
        All that the figure tells apart by colour: norms, by any of their names, or anything else.
    """
    names = list(dict.fromkeys(names))
    found = {name: look for name in names if (look := of_norm(name))}
    taken = {look.colour for look in found.values()}
    free = [place for place, colour in enumerate(COLOURS) if colour not in taken]
    free = free or list(range(len(COLOURS)))
    rest = [name for name in names if name not in found]
    for count, name in enumerate(rest):
        place = free[count % len(free)]
        found[name] = Look(name, COLOURS[place], MARKERS[place], DASHES[place])
    return {name: found[name] for name in names}


def of_norm(name: str) -> Look | None:
    """Return how a norm is drawn; None for what is no norm.

    More may follow the norm's name, such as ``"GroupNorm, 2 groups"``: it is printed as it stands.
    """
    known = _norms()
    if name in known:
        return known[name]
    begins = [one for one in known.values() if _begins(name, one.name)]
    return max(begins, key=lambda one: len(one.name))._replace(name=name) if begins else None


def _begins(text: str, word: str) -> bool:
    return text.startswith(word) and not text[len(word) :][:1].isalnum()


def colour_of(name: str) -> str:
    """Return a norm's colour, and blue for what is no norm."""
    look = of_norm(name)
    return look.colour if look else BLUE


@functools.cache
def _norms() -> dict[str, Look]:
    """Return the norms by each of their names."""
    text = (resources.files("normlab.plots") / "looks.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    found = {}
    for name, table in tables.items():
        colour = table.get("colour") or tables[table["like"]]["colour"]
        dash = table["dash"]
        if not isinstance(dash, str):
            dash = dash[0], tuple(dash[1])
        for key in (name, *table.get("keys", ())):
            found[key] = Look(name, colour, table["marker"], dash)
    return found
