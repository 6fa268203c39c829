"""What the tests of the exercises share. Nobody's own progress is touched."""

import os
import sys
from pathlib import Path

import jupytext
import pytest

from normlab.exercises import Variants, call_all, diagnose, draw_cases, judge, report_on

sys.path.insert(0, str(Path(__file__).parent))  # `wrong_lines` is no test


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch):
    monkeypatch.setenv("NORMLAB_PROGRESS", "")


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Return where a test's own progress is kept."""
    path = tmp_path / "progress.json"
    monkeypatch.setenv("NORMLAB_PROGRESS", str(path))
    return path


@pytest.fixture(scope="session")
def seeds():
    """Return the seeds that the cases of each mistake are drawn with: more by NORMLAB_SEEDS=20."""
    return range(int(os.environ.get("NORMLAB_SEEDS", "2")))


@pytest.fixture(scope="session")
def answer_with():
    """Return a maker of functions, as a learner would write them, that make some mistakes."""

    def make(exercise, mistakes=()):
        def answer(*values):
            arguments = dict(zip(exercise.parameters, values, strict=True))
            outputs = exercise.variant(mistakes, arguments)
            returned = tuple(outputs[name] for name in exercise.returns)
            return returned if len(returned) > 1 else returned[0]

        return answer

    return make


@pytest.fixture(scope="session")
def examine():
    """Return what does as `check` does, but does not ask whose code the answer is made of.

    The cases of an exercise and a seed, and what the mistakes give there, are kept: hundreds of
    pairs are each compared with all the others, and computing them anew would take an hour.
    """
    kept = {}

    def run(exercise, answer, seed=0, seconds=20.0):
        if (id(exercise), seed) not in kept:
            cases = draw_cases(exercise, seed)
            kept[id(exercise), seed] = exercise, cases, Variants(exercise, cases)
        _, cases, variants = kept[id(exercise), seed]
        outcomes = call_all(answer, cases, exercise.returns, seconds)
        results = judge(exercise, cases, outcomes)
        diagnosis = diagnose(exercise, cases, outcomes, results, variants)
        return results, diagnosis, report_on(exercise, outcomes, results, diagnosis, "go on.")

    return run


@pytest.fixture(scope="session")
def code_cells():
    """Return a reader of the code cells of a percent script."""
    return lambda path: [c for c in jupytext.read(path).cells if c.cell_type == "code"]
