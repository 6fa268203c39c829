"""What the tests of the exercises share. Nobody's own progress is touched."""

import jupytext
import pytest

from normlab.exercises import call_all, diagnose, draw_cases, judge, report_on


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch):
    monkeypatch.setenv("NORMLAB_PROGRESS", "")


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
    """Return what does as `check` does, but does not ask whose code the answer is made of."""

    def run(exercise, answer, seed=0, seconds=20.0):
        cases = draw_cases(exercise, seed)
        outcomes = call_all(answer, cases, exercise.returns, seconds)
        results = judge(exercise, cases, outcomes)
        diagnosis = diagnose(exercise, cases, outcomes, results)
        return results, diagnosis, report_on(exercise, outcomes, results, diagnosis, "go on.")

    return run


@pytest.fixture(scope="session")
def code_cells():
    """Return a reader of the code cells of a percent script."""
    return lambda path: [c for c in jupytext.read(path).cells if c.cell_type == "code"]
