"""Minutes and guesses are counted by one rule, and said as they are counted (source/counts.py)."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]


def module(name):
    specification = importlib.util.spec_from_file_location(name, ROOT / "source" / f"{name}.py")
    found = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(found)
    return found


counts, build = module("counts"), module("build")
LESSONS = sorted(counts.LESSONS.glob("*.py"))


def shown(path):
    return path.relative_to(ROOT).as_posix()


WANTED = dict(counts.wanted())


@pytest.mark.parametrize("path", WANTED, ids=shown)
def test_what_is_said_is_what_is_counted(path):
    said = path.read_text(encoding="utf-8")
    assert said == WANTED[path], "run `python source/counts.py`"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_the_minutes_are_said_wherever_they_belong(lesson):
    """`wanted` writes into what it recognises: so each place has to be one that it does."""
    text, said = lesson.read_text(encoding="utf-8"), counts.minutes(lesson)
    title = rf"^# \*(Lesson {int(lesson.stem[:2])} · )?{said.lesson} minutes, self-test "
    assert re.search(rf"{title}{said.self_test} · ", text, re.MULTILINE)
    row = rf"^(# )?\| \[{lesson.stem[:2]} .*\| {said.lesson} \|"
    tables = [counts.README, LESSONS[0]] if lesson != LESSONS[0] else [counts.README]
    for table in tables:
        assert re.search(row, table.read_text(encoding="utf-8"), re.MULTILINE), table
    heading = rf"^### {lesson.stem[:2]} .* \({said.lesson} minutes, self-test {said.self_test}"
    assert re.search(heading, counts.GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert bool(said.tasks) == (counts.EXERCISES / lesson.name).exists()


# ---- the rule

TEXT = "# %% [markdown]\n# ## A\n#\n" + "# word\n" * 149
CODE = """
# %%
# a comment
a = 1

b = plot(
    alt='''Two lines
    of what is seen.''',
)
""".replace("'''", '"""')
GUESS = """
# %% tags=["guess"]
guess("one two three?", 4, within=1)
"""
WAY = """
# %% [markdown]
# <details><summary>One way to write it</summary>
#
# ```python
# def f(x):
#     return x  # (N,)
# ```
#
# </details>
"""


@pytest.mark.parametrize(
    ("source", "count"),
    [
        (TEXT, (150, 0, 0, 0)),
        (CODE, (0, 4, 0, 0)),  # the alt text is a comma
        (GUESS, (3, 0, 0, 1)),
        (WAY, (0, 0, 2, 0)),
        (WAY + "\n# %%\ndef f(x):\n    raise NotImplementedError()\n", (0, 2, 1, 0)),
        ("# %% [markdown]\n# > **Pause.** What is $a + b$ [here](there.ipynb)?", (5, 0, 0, 1)),
    ],
)
def test_what_is_counted_in_a_cell(tmp_path, source, count):
    path = tmp_path / "lesson.py"
    path.write_text(source)
    assert sum(counts.sections(path).values(), counts.Count()) == count


def test_what_that_takes():
    assert counts.Count(words=300, lines=10, written=3, questions=4).minutes == 2 + 2 + 6 + 4
    assert [counts.rounded(minutes) for minutes in (0.1, 7.4, 7.6, 62.4)] == [5, 5, 10, 60]


def test_a_line_that_stands_in_the_notebook_already_is_not_written_again(tmp_path):
    path = tmp_path / "exercise.py"
    path.write_text(
        "# %%\nx = 1\n\n# %% [markdown]\n# ## Task 1: one two\n\n# %%\ndef f(x):\n"
        "    ### BEGIN SOLUTION\n    x = 1\n    return 2 * x\n    ### END SOLUTION\n\n"
        "# %% [markdown]\n# ## What you have now\n# words and words\n"
    )
    (number,) = counts.tasks(path)
    assert number == "1"
    assert counts.tasks(path)["1"] == pytest.approx(4 / 150 + 1 / 5 + 2)


# ---- the plans of the guide


def plans():
    text = counts.GUIDE.read_text(encoding="utf-8")
    return [found.groups() for line in text.split("\n") if (found := counts._PLAN.match(line))]


def test_no_session_of_the_guide_is_longer_than_its_ninety_minutes():
    sessions = plans()
    assert len(sessions) == 4 + 8
    for _, name, in_class, tasks, *_ in sessions:
        assert 60 <= counts.session(in_class, tasks) <= 90, (name, in_class, tasks)


def test_the_long_plan_leaves_no_lesson_out():
    weeks = [f"{row[2]} {row[5]}" for row in plans() if "," in row[1]]
    taught = set(re.findall(r"\b\d\d\b", " ".join(weeks)))
    assert taught >= {lesson.stem[:2] for lesson in LESSONS[1:]}


def test_what_a_session_takes():
    parts = counts.sections(LESSONS[2])
    first, second, *_ = [name for name in parts if name]
    minutes = {name: parts[name].minutes for name in ("", first, second)}
    assert counts.session(f'02 "{first}"') == 5 * round((minutes[""] + minutes[first]) / 5)
    assert counts.session(f'02 "{first}" to "{second}"') == 5 * round(sum(minutes.values()) / 5)
    task = counts.tasks(counts.EXERCISES / LESSONS[2].name)["1"]
    whole = counts.lesson(LESSONS[2])
    assert counts.session("02", "02 task 1") == 5 * round((whole + task) / 5)


def test_a_section_that_a_plan_names_has_to_exist():
    with pytest.raises(LookupError, match="Lesson 02 has no section “Nowhere”"):
        counts.session('02 "Nowhere"')


# ---- the made notebooks


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Copy a course of one lesson and its exercise."""
    folders = ("source/lessons", "source/exercises", "notebooks", "exercises", "solutions")
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        (one,) = (ROOT / folder).glob("02_*")
        (tmp_path / folder / one.name).write_bytes(one.read_bytes())
    for name, folder in (("LESSONS", "lessons"), ("EXERCISES", "exercises")):
        monkeypatch.setattr(build, name, tmp_path / "source" / folder)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "SHOWN_IN", {build.LESSONS: tmp_path / "notebooks"})
    return tmp_path


@pytest.mark.parametrize("folder", ["lessons", "exercises"])
def test_new_words_go_into_the_notebooks_and_outputs_stay(copied, folder):
    (source,) = (copied / "source" / folder).glob("02_*")
    source.write_text(source.read_text().replace(" minutes", " seconds", 1))
    name = f"{source.stem}.ipynb"
    run = copied / {"lessons": "notebooks", "exercises": "solutions"}[folder] / name
    before = nbformat.read(run, as_version=4)
    assert build.take_over_words(source)
    after = nbformat.read(run, as_version=4)
    assert [c.get("outputs") for c in after.cells] == [c.get("outputs") for c in before.cells]
    for made in {"lessons": [run], "exercises": [run, copied / "exercises" / name]}[folder]:
        assert " seconds" in nbformat.read(made, as_version=4).cells[0].source
        assert build.is_as_made(made)


def test_new_code_has_to_be_run(copied):
    (source,) = (copied / "source" / "lessons").glob("02_*")
    source.write_text(
        source.read_text().replace(
            "np.set_printoptions(precision=4", "np.set_printoptions(precision=3"
        )
    )
    assert not build.take_over_words(source)
