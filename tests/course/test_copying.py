"""What a lesson prints does not do an exercise: its functions are handed in, and earn little.

Every function and class that a lesson prints, or folds as "One way to write it", is handed in for
each task of each exercise: as it stands, with its arguments found by their names, and with some of
what it returns.
"""

import ast
import contextlib
import functools
import inspect
import itertools
import re
from pathlib import Path

import jupytext
import numpy as np
import pytest

from normlab.exercises import draw_cases, judge, tasks_of
from normlab.exercises.calling import borrowed, call_all

SOURCE = Path(__file__).parents[2] / "source"
LESSONS = sorted((SOURCE / "lessons").glob("*.py"))
EXERCISES = sorted((SOURCE / "exercises").glob("*.py"))
SHARE = 0.3
FENCE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
RETURNED = 3  # of more outputs than these not every selection is tried


# ---- what lessons print


def blocks(source):
    """Yield the code of a lesson: its cells, and what stands in its text, folded or not."""
    for cell in jupytext.read(source).cells:
        yield from [cell.source] if cell.cell_type == "code" else FENCE.findall(cell.source)


@functools.cache
def printed():
    """Return the functions and classes of all lessons, as whoever copies them has them."""
    found = []
    for source in LESSONS:
        names = {"__name__": "copied"}
        for block in blocks(source):
            for statement in _statements(block):
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    exec(ast.unparse(statement), names)
                elif "NotImplementedError()" not in (text := ast.unparse(statement)):
                    code = f"from __future__ import annotations\n{text}"
                    _define(code, names)
                    if statement.name in names:
                        found.append(names[statement.name])
    return found


def _statements(block):
    """Yield the imports and definitions of some code; of what is no Python, nothing."""
    try:
        tree = ast.parse(block)
    except SyntaxError:  # a line of IPython's
        return
    wanted = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    yield from (statement for statement in tree.body if isinstance(statement, wanted))


def _define(code, names):
    with contextlib.suppress(NameError):  # of a default or a base class that a cell computes
        exec(code, names)


# ---- handed in


def answers(exercise, copied):
    """Yield the ways in which something printed can be handed in for a task."""
    if isinstance(copied, type) != exercise.is_class:
        return
    call = _with_arguments(exercise.takes, copied)
    if call is None:
        return
    if exercise.is_class or exercise.use:
        yield copied
        return
    yield call
    wanted = len(exercise.returns)
    for size in range(wanted + 1, RETURNED + 1):
        for places in itertools.permutations(range(size), wanted):
            yield _some(call, size, places)


def _with_arguments(takes, copied):
    """Return what calls it with a task's arguments: by their names if it has them, or in order."""
    parameters = list(inspect.signature(copied).parameters.values())
    required = [one.name for one in parameters if one.default is one.empty]
    named = [one.name for one in parameters if one.name in takes]
    if set(required) <= {*takes, "r"} and set(required) & set(takes):
        return lambda *values: copied(
            **_given(named, required, dict(zip(takes, values, strict=True)))
        )
    if len(required) <= len(takes) <= len(parameters):
        return copied
    return None


def _given(named, required, values):
    """Return the arguments; r is what the lessons call one over the standard deviation."""
    arguments = {name: values[name] for name in named}
    if "r" in required and "inv_std" in values:
        arguments["r"] = values["inv_std"]
    elif "r" in required:
        arguments["r"] = 1 / np.sqrt(values["var"] + values["eps"])
    return arguments


def _some(call, size, places):
    def answer(*values):
        returned = call(*values)
        if not isinstance(returned, tuple | list) or len(returned) != size:
            raise TypeError
        chosen = [returned[place] for place in places]
        return chosen if len(chosen) > 1 else chosen[0]

    return answer


def points(exercise, cases, copied):
    """Return the most points that something printed earns in a task."""
    if borrowed(copied, exercise.forbidden):
        return 0
    most = 0
    for answer in answers(exercise, copied):
        seconds = exercise.seconds or 5.0
        function = exercise.as_function(answer)
        outcomes = call_all(function, cases, exercise.returns, seconds, exercise.forbidden)
        if all(outcome.returned is None for outcome in outcomes):
            continue
        results = judge(exercise, cases, outcomes)
        most = max(most, sum(result.points for result in results))
    return most


@pytest.mark.parametrize("source", EXERCISES, ids=lambda path: path.stem)
def test_what_lessons_print_earns_at_most_three_of_ten_points(source):
    earned, most = {}, 0
    for exercise in tasks_of(source.stem):
        cases = draw_cases(exercise, 0)
        found = {copied.__qualname__: points(exercise, cases, copied) for copied in printed()}
        best = max(found, key=found.get)
        earned[exercise.name] = found[best], best
        most += exercise.max_points
    share = sum(got for got, _ in earned.values()) / most
    assert share <= SHARE, f"{share:.0%} of {most} points: {earned}"
