"""A picture that can be touched, wherever HTML is shown: in Jupyter, on the site, on a slide.

Each is an ES module in ``explorables/``, in anywidget's form (``export default {render}``, which
gets a model and an element), and computes in the browser: it needs no kernel, no widget library
and no network. The module's text is part of the output, and finds a still picture in its place,
which stays where no script runs (an untrusted notebook, GitHub).
"""

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from normlab.plots.picture import Picture

_EXPORT = re.compile(r"export default \{ render \};\n?")
_COMMENTS = re.compile(r"^\s*(//.*|/\*\*.*\*/)\n", re.MULTILINE)


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
        data = json.dumps(self.data, separators=(",", ":"), ensure_ascii=False)
        data = data.replace("</", "<\\/")
        place = f"nx-{hashlib.blake2b(f'{self.name}{data}'.encode(), digest_size=6).hexdigest()}"
        # A page may show the same output twice, and a notebook moves its outputs about: the script
        # looks for the place before it first.
        return (
            f'<div class="normlab-explorable {place}">{self.still._repr_html_()}</div>\n'
            "<script>(() => {\n"
            f"const before = document.currentScript?.previousElementSibling;\nconst els = "
            f'before?.classList.contains("{place}") ? [before] '
            f': document.querySelectorAll(".{place}");\n'
            f"const data = {data};\n{_text(self.name)}\n"
            "for (const el of els) render({ model: { get: (key) => data[key] }, el });\n"
            "})();</script>"
        )

    def __repr__(self) -> str:
        return f"[explorable {self.name}: {self.still.alt}]"


@functools.cache
def _text(name: str) -> str:
    """Return what all modules share and then this one, as one script."""
    folder = resources.files("normlab.plots") / "explorables"
    own = (folder / f"{name}.js").read_text(encoding="utf-8")
    module = _EXPORT.sub("", own)
    if module == own:
        raise ValueError(f"explorables/{name}.js does not end with its export.")
    shared = (folder / "shared.js").read_text(encoding="utf-8")
    return _COMMENTS.sub("", f"{shared}\n{module}")
