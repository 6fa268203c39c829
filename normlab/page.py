"""What computes in the page itself: a script as a part of HTML, wherever that is shown.

Each is an ES module in anywidget's form (``export default {render}``, which gets a model and an
element). It needs no kernel, no widget library and no network: its text is part of the output. It
finds HTML in its place, which stays where no script runs (an untrusted notebook, GitHub).
"""

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_EXPORT = re.compile(r"export default \{ render \};\n?")
_COMMENTS = re.compile(r"^\s*(//.*|/\*\*.*\*/)\n", re.MULTILINE)
_INDENTS = re.compile(r"^ +", re.MULTILINE)


def placed(html: str, data: Mapping[str, Any], *modules: Path) -> str:
    """Return HTML, and the script that puts something to touch in its place.

    The last module is that script, which asks its model for `data`; those before it, and page.js,
    are what it needs.
    """
    # No "<" in a script but its own: "</script>" would end it.
    written = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    digest = hashlib.blake2b(f"{modules[-1].name}{written}".encode(), digest_size=6)
    place = f"nx-{digest.hexdigest()}"
    # A page may show the same output twice, and a notebook moves its outputs about: the script
    # looks for the place before it first.
    return (
        f'<div class="{place}">{html}</div>\n'
        "<script>(() => {\n"
        f"const before = document.currentScript?.previousElementSibling;\nconst els = "
        f'before?.classList.contains("{place}") ? [before] '
        f': document.querySelectorAll(".{place}");\n'
        f"const data = {written};\n{_text(*modules)}\n"
        "for (const el of els) render({ model: { get: (key) => data[key] }, el });\n"
        "})();</script>"
    )


@functools.cache
def _text(*modules: Path) -> str:
    """Return what all modules share and then these, as one script."""
    shared = Path(__file__).with_suffix(".js")
    *texts, last = (file.read_text(encoding="utf-8") for file in (shared, *modules))
    module = _EXPORT.sub("", last)
    if module == last:
        raise ValueError(f"{modules[-1].name} does not end with its export.")
    return _INDENTS.sub("", _COMMENTS.sub("", "\n".join([*texts, module])))
