"""Build the course's site: ``python docs/site/build.py [FOLDER]``, or ``make site``.

The notebooks are shown as they were executed and committed; nothing is run. The site is complete
in itself: fonts, formulas and search need no request to anybody. Where its address is known, say
it as NORMLAB_SITE (``https://example.org/normlab/``), for pictures in links to it.
"""

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from front import cards, exercise_list, lessons, toctree
from play import play_page
from sphinx.cmd.build import main as sphinx

from normlab import plots

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Taken over as they are. The notebooks keep their folders, so that links between them hold.
FOLDERS = ("notebooks", "exercises")
PAGES = (
    "docs/install.md",
    "docs/teaching.md",
    "docs/own_exercises.md",
    "docs/glossary.md",
    "docs/cheat_sheet.md",
    "docs/gallery.ipynb",
)
# What the pages show or link.
FILES = ("docs/cheat_sheet.png", "docs/cheat_sheet.pdf")
# Of MathJax's bundles, a megabyte or two each, the one that the pages load; and of the languages in
# which it can read a formula out, the site's own.
BUNDLE = "tex-chtml.js"
SPOKEN = ("base.json", "en.json", "nemeth.json")


def gather(target: Path) -> None:
    """Put all pages into one folder, where Sphinx expects them."""
    shutil.copytree(HERE, target, dirs_exist_ok=True)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns(".*"))
    for file in (*PAGES, *FILES):
        shutil.copy(ROOT / file, target)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    fragments = target / "fragments"
    write(target / "play.md", play_page(fragments))
    shown = cards(lessons(readme), ROOT / "notebooks", target / "_static" / "cards")
    write(fragments / "cards.html", shown)
    write(target / "lessons.md", lesson_table(readme))
    with (target / "exercises.md").open("a", encoding="utf-8") as page:
        page.write(exercise_list(ROOT / "exercises"))
    portrait().save(target / "_static" / "normlab.png")


def write(path: Path, text: str) -> None:
    """Write a page."""
    path.write_text(text, encoding="utf-8")


def lesson_table(readme: str) -> str:
    """Make a page of the README's section on the lessons, so that there is one table only."""
    section = re.search(r"## The lessons\n(.*?)\n## ", readme, re.DOTALL)
    if section is None:
        raise SystemExit("README.md has no section 'The lessons'.")
    text = section.group(1).replace("](docs/", "](")  # here those pages lie beside this one
    listed = toctree([(f"{one.number} {one.title}", one.page) for one in lessons(readme)])
    return f"# The lessons\n{text}\n\n{listed}"


def portrait() -> plots.Picture:
    """Draw what is shown where somebody links to the site."""
    shape = (4, 6, 5)
    return plots.block(
        {
            "BatchNorm": plots.averaged_cells(shape, (0, 2)),
            "LayerNorm": plots.averaged_cells(shape, (1, 2)),
            "InstanceNorm": plots.averaged_cells(shape, (2,)),
            "GroupNorm": plots.averaged_cells(shape, (1, 2), 2),
        }
    )


def build(target: Path) -> int:
    """Build the site in a folder; return Sphinx's exit status, not 0 on any warning."""
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "pages"
        gather(pages)
        sys.path.insert(0, str(pages))  # for what conf.py names by its module
        shutil.rmtree(target, ignore_errors=True)
        options = ["--fail-on-warning", "--keep-going", "--quiet"]
        status = sphinx(
            ["-b", "html", *options, "-d", f"{folder}/doctrees", str(pages), str(target)]
        )
    take_away(target / "_static")
    return status


def take_away(static: Path) -> None:
    """Delete what no page loads."""
    mathjax = static / "mathjax"
    bundles = [file for file in mathjax.glob("*.js") if file.name != BUNDLE]
    languages = [file for file in mathjax.glob("sre/mathmaps/*") if file.name not in SPOKEN]
    for file in (*bundles, *languages, *static.rglob("*.map")):
        file.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "site")
    folder = parser.parse_args().folder.resolve()
    status = build(folder)
    if status == 0:
        print(f"The site is in {folder}: open index.html.")
    sys.exit(status)
