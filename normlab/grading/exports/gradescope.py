"""Gradescope: what an autograder in its container writes, results.json, for each submission."""

import json
from pathlib import Path

from normlab.grading.exports.cells import state
from normlab.grading.gradebook import Entry
from normlab.grading.reports import MEANINGS, page_names, write_whole
from normlab.grading.verdict import Status, TaskVerdict


def write(entries: list[Entry], path: Path) -> list[str]:
    """Write a folder for each student and exercise, with its results.json."""
    names = page_names(dict.fromkeys(entry.student for entry in entries))
    for entry in entries:
        if not entry.was_handed_in:
            continue  # there is nothing to give results for
        folder = path / names[entry.student] / entry.exercise
        folder.mkdir(parents=True, exist_ok=True)
        results = json.dumps(_results(entry), indent=2)
        write_whole(folder / "results.json", results + "\n")
    return []


def _results(entry: Entry) -> dict[str, object]:
    tests = []
    for task in entry.verdict.tasks:
        if not task.aspects or (task.status is not Status.GRADED and not task.score):
            tests.append(_test(task.task, 0, task.max_score, _why(task)))
            continue
        tests += [
            _test(f"{task.task}: {one.name}", one.points, one.max_points, one.message)
            for one in task.aspects
        ]
    remarks = [
        entry.verdict.message,
        *entry.remarks,
        "" if entry.is_judged else f"Not judged: {state(entry)}.",
    ]
    return {
        "score": entry.score,
        "output": "\n".join(remark for remark in remarks if remark),
        "visibility": "visible",
        "tests": tests,
    }


def _why(task: TaskVerdict) -> str:
    return task.feedback or MEANINGS[task.status]


def _test(name: str, score: float, most: float, output: str) -> dict[str, object]:
    return {
        "name": name,
        "score": score,
        "max_score": most,
        "output": output,
        "status": "passed" if score == most else "failed",
        "visibility": "visible",
    }
