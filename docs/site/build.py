"""Build the course's site: ``python docs/site/build.py [FOLDER]``, or ``make site``.

The notebooks are shown as they were executed and committed; nothing is run. The site is complete
in itself: fonts, formulas and search need no request to anybody.
"""

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import main as sphinx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Taken over as they are. The notebooks keep their folders, so that links between them hold.
FOLDERS = ("notebooks", "exercises")
PAGES = (
    "docs/install.md",
    "docs/teaching.md",
    "docs/glossary.md",
    "docs/cheat_sheet.md",
    "docs/gallery.ipynb",
)
# What the pages show or link.
FILES = ("docs/cheat_sheet.png", "docs/cheat_sheet.pdf")


def gather(target: Path) -> None:
    """Put all pages into one folder, where Sphinx expects them."""
    shutil.copytree(HERE, target, dirs_exist_ok=True)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns(".*"))
    for file in (*PAGES, *FILES):
        shutil.copy(ROOT / file, target)
    (target / "lessons.md").write_text(lesson_table((ROOT / "README.md").read_text()))


def lesson_table(readme: str) -> str:
    """Make a page of the README's section on the lessons, so that there is one table only."""
    section = re.search(r"## The lessons\n(.*?)\n## ", readme, re.DOTALL)
    if section is None:
        raise SystemExit("README.md has no section 'The lessons'.")
    text = section.group(1).replace("](docs/", "](")  # here those pages lie beside this one
    listed = "```{toctree}\n:hidden:\n:glob:\n\nnotebooks/*\n```"
    return f"# The lessons\n{text}\n\n{listed}\n"


def build(target: Path) -> int:
    """Build the site in a folder; return Sphinx's exit status, not 0 on any warning."""
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "pages"
        gather(pages)
        sys.path.insert(0, str(pages))  # for what conf.py names by its module
        shutil.rmtree(target, ignore_errors=True)
        options = ["--fail-on-warning", "--keep-going", "--quiet"]
        return sphinx(["-b", "html", *options, "-d", f"{folder}/doctrees", str(pages), str(target)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "site")
    folder = parser.parse_args().folder.resolve()
    status = build(folder)
    if status == 0:
        print(f"The site is in {folder}: open index.html.")
    sys.exit(status)
