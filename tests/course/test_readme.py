"""What the README says in numbers is what there is, and CONTRIBUTING.md names what makes what.

Where the README counts: "What is different here", and its own length.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from normlab.claims import VERDICTS
from normlab.exercises import all_exercises
from normlab.exercises.self_tests import all_self_tests
from normlab.plots.explore import who_shares_my_mean
from normlab.training import experiment_names, find_experiment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORDS = " ".join(README.split())
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# A made file's pattern, its source's, and the command.
MADE = re.findall(r"^\| (`.+`) \| `(.+)` \| `(.+)` \|$", CONTRIBUTING, re.MULTILINE)
GUIDES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/install.md",
    "docs/own_exercises.md",
    "docs/teaching.md",
)
LINKS = [
    (guide, link)
    for guide in GUIDES
    for link in sorted(
        set(re.findall(r"\]\(([^)#:]+)\)", (ROOT / guide).read_text(encoding="utf-8")))
    )
]


def number(pattern):
    return int(re.search(pattern, WORDS)[1])


def test_the_tasks_and_the_mistakes_they_know():
    exercises = all_exercises().values()
    assert number(r"The (\d+) tasks know") == len(exercises)
    assert number(r"tasks know (\d+) mistakes") == sum(len(each.mistakes) for each in exercises)


def test_the_planted_mistakes(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "nn"))
    import mutants

    assert number(r"(\d+) mistakes planted in the twins") == len(mutants.MUTANTS)
    sys.modules.pop("mutants")


def test_the_claims_by_verdict():
    lesson = (ROOT / "notebooks" / "11_check_the_claims.ipynb").read_text(encoding="utf-8")
    said = re.search(
        r"the (\d+) claims of the two articles: (\d+) right, (\d+) imprecise, (\d+) wrong, "
        r"(\d+) contested, (\d+) that cannot be tested",
        WORDS,
    )
    total, *by_verdict = map(int, said.groups())
    assert sum(by_verdict) == total
    for verdict, count in zip(VERDICTS, by_verdict, strict=True):
        assert re.search(rf"{verdict}\W+{count}\b|\b{count} {verdict}\b", lesson), verdict


def test_the_recorded_experiments_and_the_questions():
    with_a_card = [one for one in experiment_names() if find_experiment(one).needs_accelerator]
    assert number(r"all (\d+) recorded experiments") == len(experiment_names()) - len(with_a_card)
    assert "five questions" in WORDS
    assert Counter(map(len, all_self_tests().values())) == {5: 16}


@pytest.mark.parametrize(("guide", "link"), LINKS)
def test_a_link_leads_somewhere(guide, link):
    assert ((ROOT / guide).parent / link).exists()


def test_the_readme_has_a_small_picture_that_moves_and_one_that_stands_still():
    moving, still = (ROOT / "docs" / f"who_shares_my_mean{end}.png" for end in ("", "_still"))
    assert b"acTL" in moving.read_bytes()  # of an animated PNG
    assert b"acTL" not in still.read_bytes()
    assert moving.stat().st_size + still.stat().st_size < 300_000
    reduced, img = re.search(r"<picture>\s(<source[^>]*>)\s(<img[^>]*>)", README).groups()
    assert "prefers-reduced-motion: reduce" in reduced
    assert f"docs/{still.name}" in reduced
    assert f"docs/{moving.name}" in img


def test_the_picture_that_moves_is_told_as_the_explorable_has_it():
    samples, channels, positions = who_shares_my_mean().data["shape"]
    assert (samples, channels, positions) == (4, 6, 5)
    said = list(map(int, re.findall(r"\d+", re.search(r'alt="([^"]*)"', README)[1])))
    in_a_channel = samples * positions
    assert said == [samples * channels * positions, in_a_channel, in_a_channel - positions]


def test_the_readme_is_short():
    assert len(README) <= 8500


# ---- CONTRIBUTING.md: what is made, from what, and how


def commands_for(file):
    """Return the source and the command of each line of the table that is about this file."""
    for patterns, source, command in MADE:
        for pattern in re.findall(r"`(.+?)`", patterns):
            name = re.fullmatch(re.escape(pattern).replace("NAME", r"(\w+)"), file)
            if name:
                yield source.replace("NAME", "".join(name.groups())), command


def made_files():
    for folder in ("notebooks", "solutions", "exercises"):
        yield from (ROOT / folder).glob("*.ipynb")
    yield from (ROOT / "normlab" / "training" / "recorded").glob("*.csv")
    for name in ("gallery.ipynb", "cheat_sheet.md", "cheat_sheet.pdf", "cheat_sheet.png"):
        yield ROOT / "docs" / name
    yield from (ROOT / "docs").glob("who_shares_my_mean*.png")
    yield ROOT / "normlab" / "exercises" / "guesses.toml"
    yield from (ROOT / "constraints.txt", ROOT / "environment.yml")


@pytest.mark.parametrize("file", sorted(path.relative_to(ROOT).as_posix() for path in made_files()))
def test_a_made_file_has_its_source_and_its_command(file):
    ((source, command),) = commands_for(file)
    assert (ROOT / source).exists()
    program, name = command.split()[:2]
    if program == "make":
        assert re.search(
            rf"^{name}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
        )
    else:
        assert (program, name) == ("normlab", "experiment")


def test_every_line_of_the_table_is_about_a_file_there_is():
    files = [path.relative_to(ROOT).as_posix() for path in made_files()]
    for patterns, *_ in MADE:
        for pattern in re.findall(r"`(.+?)`", patterns):
            expression = re.escape(pattern).replace("NAME", r"\w+")
            assert any(re.fullmatch(expression, file) for file in files), pattern


def test_the_rooms_are_those_of_the_package():
    named = re.findall(r"^\| `normlab/(\w+)` \|", CONTRIBUTING, re.MULTILINE)
    rooms = {path.parent.name for path in (ROOT / "normlab").glob("*/__init__.py")}
    assert set(named) == rooms
    assert len(named) == len(rooms)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w./]+/[\w.]*)`", CONTRIBUTING))))
def test_a_path_in_contributing_exists_or_is_a_pattern(path):
    assert "NAME" in path or "NN_name" in path or path.startswith(".venv") or (ROOT / path).exists()
