"""Find the line: where no known mistake explains an answer, look into the learner's own source.

Small changes of it are tried on the exercise's cases, and held against what is right there. Where
the changes that make every case right agree on a line, that line is shown, and what to ask of it;
never the change. It is done in `check` alone, on the learner's own machine: what runs is the
learner's own code, some of it written otherwise. It runs in a namespace of its own, with an alarm
for every try, and only where it reads and writes no files and imports nothing new.
"""

import ast
import builtins
import contextlib
import copy
import linecache
import signal
import threading
import time
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from normlab.exercises.calling import (
    Outcome,
    Printed,
    as_plain,
    codes,
    copies,
    listening,
    stop_after,
    without_nodes,
)
from normlab.exercises.exercise import Exercise
from normlab.exercises.judgement import SINGLE_PRECISION, same
from normlab.exercises.panel import Remark
from normlab.exercises.repairs import ANY_KIND, QUESTIONS, SIMPLE, TELLING, Repair, repairs
from normlab.exercises.tree import Function
from normlab.tasks.case import Case, Outputs

SECONDS = 1.0
#: How many times as long as the learner's own call one try may take, and at least so many seconds;
#: what takes longer is a loop that never ends.
_PATIENCE, _LEAST_PATIENCE = 30, 0.05
_MOST_FIRST_STEPS = 4

_MODULES = frozenset(
    ("numpy", "math", "torch", "itertools", "functools", "operator", "collections", "statistics")
)
#: What asks for a file, the outside, or other numbers each time.
_REACHES_OUT = frozenset(
    (
        *("open", "exec", "eval", "compile", "input", "breakpoint", "exit", "quit", "globals"),
        *("__import__", "setattr", "delattr", "save", "savez", "savez_compressed", "savetxt"),
        *("tofile", "dump", "load", "loadtxt", "genfromtxt", "fromfile", "memmap", "DataSource"),
        *("open_memmap", "ctypeslib", "f2py", "hub", "random", "seed", "manual_seed"),
    )
)


def find_line(
    exercise: Exercise,
    answer: Any,  # noqa: ANN401
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    seconds: float = SECONDS,
) -> tuple[Remark, ...]:
    """Say which line of an answer to look at, or nothing.

    The search takes so many seconds of the processor's time, so that a machine that is a little
    busy finds the same; on the clock at most twice that.
    """
    if exercise.known or any(outcome.trouble not in ("", "raised") for outcome in outcomes):
        return ()  # a network takes too long; and what never ends would not end here either
    if all(outcome.returned is None for outcome in outcomes):
        return ()  # the panel shows the line that raises the error
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        return ()  # a loop without an end could not be stopped
    try:
        source = _Source(answer)
    except _NotSeen:
        return ()
    # Nothing is printed or warned of: what runs here is not what the learner wrote.
    with listening(Printed(), []), np.errstate(all="ignore"):
        return _Search(exercise, source, cases, outcomes, seconds).remarks()


# ---- what the learner wrote


class _NotSeen(Exception):  # noqa: N818 - no error: nothing is said then
    """The source is not there, or it does what must not be done a thousand times."""


@dataclass(frozen=True)
class _Part:
    """A function or class of the learner's, and the file, or cell, in which it stands."""

    name: str
    file: str
    tree: ast.FunctionDef | ast.ClassDef | ast.Assign


class _Source:
    """The answer and the helpers that it calls, whichever cells they stand in."""

    def __init__(self, answer: Any) -> None:  # noqa: ANN401
        self.parts: list[_Part] = []
        self.names: dict[str, Any] = {}
        self.entry = self._add(answer)
        self._refuse_what_reaches_out()
        stays = types.ModuleType | str | int | float | None  # the learner's own as it is, uncopied
        self.names |= copy.deepcopy(
            {k: v for k, v in self.names.items() if not (callable(v) or isinstance(v, stays))}
        )
        self.module = ast.Module([part.tree for part in self.parts], [])

    def _add(self, value: Any) -> str:  # noqa: ANN401
        """Read a function or class, and what it calls; return its name."""
        if not isinstance(value, types.FunctionType | type):
            raise _NotSeen
        inside = [value] if isinstance(value, types.FunctionType) else vars(value).values()
        functions = [one for one in inside if isinstance(one, types.FunctionType)]
        if not functions:
            raise _NotSeen
        part = _part_of(value, functions[0])
        if any(part.name == other.name for other in self.parts):
            return part.name
        self.parts.append(part)
        for function in functions:
            known = {**function.__globals__, **_closed_over(function)}
            for name in _names_in(function.__code__) & known.keys():
                one = known[name]
                helper = isinstance(one, types.FunctionType) and one.__name__ == name
                if helper and one.__module__ == function.__module__:
                    self._add(one)
                else:
                    self.names[name] = one
        return part.name

    def _refuse_what_reaches_out(self) -> None:
        own = {part.name for part in self.parts}
        for name, value in self.names.items():
            if name not in own and not _is_harmless(value):
                raise _NotSeen
        for node in (node for part in self.parts for node in ast.walk(part.tree)):
            match node:
                case ast.Name(name) | ast.Attribute(_, name) if name in _REACHES_OUT:
                    raise _NotSeen
                case ast.Import(names) if {_root(one.name) for one in names} - _MODULES:
                    raise _NotSeen
                case ast.ImportFrom(module) if _root(module or "") not in _MODULES:
                    raise _NotSeen
                case ast.Global() | ast.Nonlocal() | ast.Yield() | ast.Await():
                    raise _NotSeen

    def define(self) -> Any:  # noqa: ANN401 - a function or class
        """Return the answer as its tree stands now, which may be no Python."""
        names = dict(self.names)
        exec(compile(self.module, "<a try>", "exec"), names)
        return names[self.entry]


def _closed_over(function: types.FunctionType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # an empty cell
            found[name] = cell.cell_contents
    return found


def _names_in(function: types.CodeType) -> set[str]:
    return {name for code in codes(function) for name in (*code.co_names, *code.co_freevars)}


def _part_of(value: Any, function: types.FunctionType) -> _Part:  # noqa: ANN401
    """Find the definition in its file; a notebook's cell is a file as well."""
    code = function.__code__
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename, function.__globals__)))
    except (SyntaxError, ValueError):
        raise _NotSeen from None
    kind: type[ast.AST] = ast.ClassDef if isinstance(value, type) else ast.FunctionDef
    kind = ast.Lambda if value.__name__ == "<lambda>" else kind
    found: list[Any] = [node for node in ast.walk(tree) if isinstance(node, kind)]
    found = [node for node in found if code.co_firstlineno in _first_lines(node)]
    if kind is ast.ClassDef:
        found = [node for node in found if node.name == value.__name__]
    if len(found) != 1:
        raise _NotSeen
    (node,) = found
    if isinstance(node, ast.Lambda):
        node = ast.copy_location(ast.Assign([ast.Name("_answer", ast.Store())], node), node)
    else:
        node.decorator_list = []  # what is called is what stands behind them
    name = getattr(node, "name", "_answer")
    return _Part(name, code.co_filename, ast.fix_missing_locations(node))


def _first_lines(node: Any) -> list[int]:  # noqa: ANN401 - a node
    """List where a function begins, with its decorators, or each statement in a class."""
    defined = node.body if isinstance(node, ast.ClassDef) else [node]
    lines = [
        [one.lineno, *(d.lineno for d in getattr(one, "decorator_list", ()))] for one in defined
    ]
    return [min(some) for some in lines]


def _root(module: str) -> str:
    return module.partition(".")[0]


def _is_harmless(value: Any) -> bool:  # noqa: ANN401
    """Whether it is a plain value, or something of Python's or NumPy's that computes."""
    if isinstance(value, types.ModuleType):
        return _root(value.__name__) in _MODULES
    if callable(value):
        owner = getattr(value, "__module__", None) or type(value).__module__
        return _root(str(owner)) in _MODULES or getattr(builtins, value.__name__, None) is value
    return _root(type(value).__module__) in {"builtins", *_MODULES}


# ---- what is tried


#: The changes that are made together, each behind the file that it is in.
_Way = list[tuple[str, Repair]]


class _Search:
    """The cases with what is right in them, and the learner's source to be tried on them."""

    def __init__(
        self,
        exercise: Exercise,
        source: _Source,
        cases: Sequence[Case],
        outcomes: Sequence[Outcome],
        seconds: float,
    ) -> None:
        self.exercise, self.source = exercise, source
        self.ends = time.thread_time() + seconds, time.monotonic() + 2 * seconds
        self.patience = 1.0  # seconds for one call
        self.outcomes = {case.name: one for case, one in zip(cases, outcomes, strict=True)}
        self.right = {case.name: exercise.reference(**case.arguments) for case in cases}
        failing = [case for case in cases if not self._is_right_of(case, self._given(case))]
        #: What a change has to make right. How an answer rounds is another matter, unless that is
        #: all. The smallest first, and each time the one that refuted the last try before all.
        rounds = {case.name for case in failing if case.rounding}
        others = [case for case in cases if len(rounds) == len(failing) or case.name not in rounds]
        self.cases = sorted(others, key=lambda case: case.size)

    def remarks(self) -> tuple[Remark, ...]:
        """Look for what is kept between calls, for one change, and for two."""
        if self._keeps_something():
            return (
                Remark(
                    "Called anew for one case alone, your function gives other numbers: it keeps "
                    "something from one call to the next. Is there a list, a dict or an array in "
                    "its `def` line, or outside of it?"
                ),
            )
        found = self._mending() or self._mending_in_two_steps()
        return self._said(found) if found else ()

    def _keeps_something(self) -> bool:
        slowest = 0.0
        for case in self.cases:
            start = time.monotonic()
            before, now = self._given(case), self._returned(self._defined(), case)
            slowest = max(slowest, time.monotonic() - start)
            if before is not None and now is not None and not same(before, now, 1e-12):
                return True
        self.patience = max(_PATIENCE * slowest, _LEAST_PATIENCE)
        return False

    def _mending(self) -> list[_Way]:
        """List the changes after which every case is right, each as a way of one step."""
        found = []
        for file, repair in self._repairs():
            with repair.made():
                if self._is_right():
                    found.append([(file, repair)])
        return found

    def _mending_in_two_steps(self) -> list[_Way]:
        """List the ways of two changes. The first makes more cases right, and none wrong."""
        already = self._right_cases(set())
        steps = []
        for file, repair in self._repairs():
            with repair.made():
                right = self._right_cases(already)
            if right > already:
                steps.append((len(right), file, repair))
        steps.sort(key=lambda step: -step[0])
        found = []
        for _, file, repair in steps[:_MOST_FIRST_STEPS]:
            with repair.made():
                found += [[(file, repair), *way] for way in self._mending()]
        return found

    def _repairs(self) -> Iterator[tuple[str, Repair]]:
        """Yield the changes of all parts, the plain kinds first, while there is time."""
        functions = [(part.file, Function(part.tree)) for part in self.source.parts]
        for kind in QUESTIONS:
            for file, function in functions:
                for repair in repairs(function, kind):
                    if self._time_is_up():
                        return
                    yield file, repair

    def _time_is_up(self) -> bool:
        own, clock = self.ends
        return time.thread_time() > own or time.monotonic() > clock

    def _is_right(self) -> bool:
        program = self._defined()
        for number, case in enumerate(self.cases):
            if not self._is_right_in(program, case):
                self.cases.insert(0, self.cases.pop(number))
                return False
        return True

    def _right_cases(self, already: set[str]) -> set[str]:
        """Name the cases that are right; none at all where one is lost that was right before."""
        program, right = self._defined(), set()
        for case in sorted(self.cases, key=lambda case: case.name not in already):
            if self._is_right_in(program, case):
                right.add(case.name)
            elif case.name in already:
                return set()
        return right

    def _is_right_in(self, program: Callable[..., Any] | None, case: Case) -> bool:
        return self._is_right_of(case, self._returned(program, case))

    def _is_right_of(self, case: Case, returned: Outputs | None) -> bool:
        allowed = max(case.tolerance, SINGLE_PRECISION)
        return returned is not None and same(returned, self.right[case.name], allowed)

    def _given(self, case: Case) -> Outputs | None:
        return self.outcomes[case.name].returned

    def _defined(self) -> Callable[..., Any] | None:
        """Return the function of a case's arguments, as the tree stands now."""
        try:
            return self.exercise.as_function(self.source.define())
        except Exception:
            return None

    def _returned(self, program: Callable[..., Any] | None, case: Case) -> Outputs | None:
        if program is None:
            return None
        exercise, given = self.exercise, copies(case.arguments)
        try:
            with stop_after(self.patience):
                value = program(*given.values())
                if exercise.nodes:
                    value, _ = without_nodes(value, len(exercise.returns))
                return as_plain(value, exercise.returns)
        except KeyboardInterrupt:
            raise
        except BaseException:
            return None

    # ---- in words

    def _said(self, found: list[_Way]) -> tuple[Remark, ...]:
        """Name the lines that all ways change, or those of the first where it is a plain one."""
        ways = [{(f, line) for f, one in way for line in one.lines} for way in found]
        common = set.intersection(*ways)
        if not common:
            plain = [w for w, way in zip(ways, found, strict=True) if _is_plain(way)]
            common = set.intersection(*plain) if plain else set()
        remarks = []
        for file, line in sorted(common):
            kinds = [o.kind for way in found for f, o in way if f == file and line in o.lines]
            clear = kinds[0] in TELLING or len(set(kinds)) == 1
            asked = QUESTIONS[kinds[0]] if clear else ANY_KIND
            text = linecache.getline(file, line).strip()
            remarks.append(Remark(f"Look at line {line}, {asked}"))
            remarks.append(Remark(text[:120], code=True))
        return tuple(remarks)


def _is_plain(way: _Way) -> bool:
    return all(repair.kind in SIMPLE and len(repair.lines) == 1 for _, repair in way)
