"""The words of the lessons' figures: titles, axes, and what a figure shows, for who cannot see it.

They are kept in ``words.toml``, out of the lessons' code: there they would tell what comes out
before anybody has looked.
"""

import difflib
import functools
import tomllib
from importlib import resources


def words(figure: str) -> dict[str, str]:
    """Return the words of a figure, as keywords of the function that draws it.

    Parameters
    ----------
    figure
        The lesson's number and the figure's name: ``"05 wrong digits"``.

    Raises
    ------
    KeyError
        If there is no such figure.

    Examples
    --------
    >>> sorted(words("05 wrong digits"))
    ['alt', 'title', 'xlabel', 'ylabel']
    """
    known = _all()
    if figure not in known:
        near = difflib.get_close_matches(figure, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise KeyError(f"No figure is called {figure!r}.{hint}")
    return dict(known[figure])


@functools.cache
def _all() -> dict[str, dict[str, str]]:
    text = (resources.files("normlab.plots") / "words.toml").read_text(encoding="utf-8")
    return {
        figure: {name: " ".join(text.split()) for name, text in table.items()}
        for figure, table in tomllib.loads(text).items()
    }
