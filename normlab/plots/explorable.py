"""A picture that can be touched, wherever HTML is shown: in Jupyter, on the site, on a slide.

Each is a module in ``explorables/``, as `normlab.page` puts it in its place: a still picture, which
stays where no script runs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from normlab.page import placed
from normlab.plots.picture import Picture


class Explorable:
    """A picture with controls, which shows itself.

    Parameters
    ----------
    name
        Of the module: ``"block"``.
    data
        What the module asks its model for; numbers, texts and lists of them.
    still
        What is seen where no script runs.
    """

    def __init__(self, name: str, data: Mapping[str, Any], still: Picture) -> None:
        self.name = name
        self.data = dict(data)
        self.still = still

    def _repr_html_(self) -> str:
        folder = Path(__file__).with_name("explorables")
        modules = folder / "shared.js", folder / f"{self.name}.js"
        return placed(self.still._repr_html_(), self.data, *modules)

    def __repr__(self) -> str:
        return f"[explorable {self.name}: {self.still.alt}]"
