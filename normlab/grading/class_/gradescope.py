"""Gradescope: the zip of an autograder, and what runs in its container for each submission.

As in https://gradescope-autograders.readthedocs.io/en/latest/specs/: setup.sh and run_autograder at
the top of the zip, the hand-in in submission/, the points in results/results.json.
"""

import json
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from normlab.exercises import own
from normlab.files import write_whole
from normlab.grading.class_.exports.cells import state
from normlab.grading.class_.gradebook import Entry
from normlab.grading.class_.points import course_rules, settle
from normlab.grading.class_.release import copy_package, made_at_once
from normlab.grading.class_.reports import MEANINGS, points
from normlab.grading.class_.submissions import of_one
from normlab.grading.judge.grader import Grader
from normlab.grading.judge.run import GraderFailed
from normlab.grading.judge.verdict import Status, TaskVerdict
from normlab.grading.prison.isolation import Isolation, NoIsolation, best_isolation, nobodys

_TEMPLATES = Path(__file__).parent / "templates" / "gradescope"
_SETTINGS = "autograder.json"
_STUDENT = "submission"
_FOLDERS = ("source", "submission", "results")


# ---- the zip


def write_autograder(course: Path, exercise: str, path: Path, course_toml: str = "") -> float:
    """Write the autograder of an exercise into a new zip; return the points that can be had.

    `course` is the checkout, and `course_toml` the text of course.toml. A ClassError says what is
    in the way.
    """
    most = course_rules(course_toml).most(exercise)
    settings = {"exercise": exercise, "seed": secrets.randbits(63), "course": course_toml}
    with made_at_once(path, as_zip=True) as folder:
        copy_package(course, folder)
        for name in ("setup.sh", "run_autograder"):
            shutil.copyfile(_TEMPLATES / name, folder / name)
            (folder / name).chmod(0o755)
        told = (_TEMPLATES / "README.md").read_text(encoding="utf-8")
        (folder / "README.md").write_text(told.replace("POINTS", points(most)), encoding="utf-8")
        (folder / _SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        (folder / "tasks").mkdir()
        for file in own.files():
            shutil.copyfile(file, folder / "tasks" / file.name)
    return most


# ---- in the container


def main(home: Path) -> None:
    """Grade the submission that lies in Gradescope's folder, and write its results.

    On NoIsolation or GraderFailed there is no verdict, and nothing is written: Gradescope then
    marks the run as failed.
    """
    settings = json.loads((home / "source" / _SETTINGS).read_text(encoding="utf-8"))
    try:
        isolation = best_isolation()
    except NoIsolation as refused:
        print(refused)
        isolation = nobodys([home / name for name in _FOLDERS])
    graded = grade(home / "submission", settings, isolation)
    text = json.dumps(graded, indent=2, ensure_ascii=False)
    write_whole(home / "results" / "results.json", text + "\n")


def grade(folder: Path, settings: dict[str, Any], isolation: Isolation) -> dict[str, object]:
    """Grade the notebook of a folder; return what goes into results.json."""
    exercise = settings["exercise"]
    handed_in = of_one(folder, _STUDENT).of_exercises([exercise])
    (submission,) = handed_in.submissions or (None,)
    with Grader(settings["seed"], isolation=isolation) as grader:
        print("\n".join(grader.isolation.describe()))
        path = submission.path if submission else folder / f"{exercise}.ipynb"
        verdict = grader.grade(path, exercise)
    entry = settle(Entry(_STUDENT, exercise, verdict), [], course_rules(settings["course"]))
    about = f"Graded: {submission.file}." if submission else "Nothing was handed in for it."
    return results(entry, [about, *handed_in.notes])


def results(entry: Entry, notes: Iterable[str] = ()) -> dict[str, object]:
    """Return an entry as Gradescope reads it; the notes are about the hand-in, for the student."""
    not_judged = "" if entry.is_judged else f"Not judged: {state(entry)}."
    remarks = [entry.verdict.message, *notes, *entry.remarks, not_judged]
    return {
        "score": entry.score,
        "execution_time": round(entry.verdict.wall_seconds, 1),
        "output": "\n".join(remark for remark in remarks if remark),
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [test for task in entry.verdict.tasks for test in _tests(task)],
    }


def _tests(task: TaskVerdict) -> Iterator[dict[str, object]]:
    """Yield one for each aspect, or one where the task could not be judged."""
    if not task.aspects or (task.status is not Status.GRADED and not task.score):
        yield _test(task.task, 0, task.max_score, task.feedback or MEANINGS[task.status])
        return
    told = task.feedback  # with the first
    for one in task.aspects:
        output = "\n".join(filter(None, (one.message, told)))
        yield _test(f"{task.task}: {one.name}", one.points, one.max_points, output)
        told = ""


def _test(name: str, score: float, most: float, output: str) -> dict[str, object]:
    return {
        "name": name,
        "score": score,
        "max_score": most,
        "output": output,
        "status": "passed" if score == most else "failed",
        "visibility": "visible",
    }


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except (NoIsolation, GraderFailed) as problem:
        sys.exit(f"Nothing was graded: {problem}")
