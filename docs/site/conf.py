"""Sphinx's settings for the course's site; `make site` calls it through build.py."""

import os
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

import normlab

project = "normlab"
author = "The normlab maintainers"
project_copyright = f"{datetime.now(UTC):%Y}, {author}. Text: CC BY 4.0. Code: MIT"
release = version = normlab.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx-mathjax-offline",  # formulas without a request to anybody
]

# The notebooks are shown as they were executed and committed.
nb_execution_mode = "off"
myst_enable_extensions = ["amsmath", "deflist", "dollarmath", "html_image"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]

autodoc_typehints = "none"  # numpydoc's sections say the types
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = "normlab"
html_static_path = ["_static"]
templates_path = ["_templates"]
# Where the site will stand, if that is known: a picture in a link to it needs a whole address.
html_baseurl = os.environ.get("NORMLAB_SITE", "")
html_copy_source = False
html_use_index = html_domain_indices = False
exclude_patterns = ["fragments"]
html_css_files = ["normlab.css"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {
    "index": [],
    "play": [],
    "cheat_sheet": [],
    "gallery": [],
    "glossary": [],
    "teaching": [],
    "own_exercises": [],
    "**": ["sidebar-nav-bs"],
}


def heading_anchor(title: str) -> str:
    """Name a heading as JupyterLab does, so that a link works here and there."""
    return re.sub(r"\s", "-", title.strip())


myst_heading_slug_func = "conf.heading_anchor"


def escape_stars(*event: Any) -> None:  # noqa: ANN401 - Sphinx sends six different things
    """Keep the star of a shape such as (N, C, *) from opening an emphasis."""
    lines = event[-1]
    lines[:] = [re.sub(r"(?<=[(, ])\*(?=[,)\w])", r"\\*", line) for line in lines]


def link_to_pages(*event: Any) -> None:  # noqa: ANN401 - Sphinx sends five different things
    """Let links in a notebook's outputs lead to pages, as myst-nb does with those in the text."""
    context = event[3]
    context["body"] = re.sub(
        r'(<a href="[^":]+)\.ipynb(?=[#"])', r"\1.html", context.get("body", "")
    )


SEARCHED = tomllib.loads(Path(__file__).with_name("search.toml").read_text(encoding="utf-8"))


def lead_searches(app: Sphinx, page: nodes.document) -> None:
    """Let what readers search for lead to the lesson about it, before what only mentions it."""
    words = SEARCHED.get(Path(app.env.docname).name, [])
    entries = [("single", word, "", "main", None) for word in words]
    page.append(addnodes.index(entries=entries))


def setup(app: Sphinx) -> None:
    """Tell Sphinx about the functions above."""
    app.connect("autodoc-process-docstring", escape_stars)
    app.connect("html-page-context", link_to_pages)
    app.connect("doctree-read", lead_searches)
