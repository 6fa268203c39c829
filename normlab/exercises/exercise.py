"""What an exercise is: data, and functions from arrays to arrays.

One `Exercise` serves two masters. `normlab.exercises.check` draws its cases from a fixed seed and
calls the learner's function in the same process; a grader draws them from a secret seed and
calls it in another. Both judge what came back by the same entry.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from normlab.exercises.source import Model
from normlab.exercises.use import Use
from normlab.exercises.ways import NO_EDITS, Edits
from normlab.tasks.case import Arguments, Case, Outputs


@dataclass(frozen=True)
class Aspect:
    """A part of an exercise that has its own points."""

    key: str  # the name that cases and mistakes refer to it by
    title: str  # what the learner reads
    # All of them, or none: where every case of the aspect is right, or not. An aspect of 0 points
    # is told and not graded: only the learner's own program could say whether it holds.
    points: int
    outputs: tuple[str, ...] = ()  # those that count here; none named means all
    leaves_input_alone: bool = False  # it asks for no values: are the arguments as they were?


@dataclass(frozen=True)
class Mistake:
    """A mistake that people make, and how to talk about it."""

    key: str  # a short name, for tables and tests
    what: str  # completes "Your numbers are what comes out when ..."
    symptom: str  # how it looks to someone who cannot see the code
    hint: str  # a question or a small experiment; it does not give the code away
    next: str  # completes "Next: fix ..."
    aspect: str  # the one that it belongs to
    edits: Edits = NO_EDITS  # what it writes otherwise than the model
    section: str = ""  # the heading, in the lesson, under which to read again
    # On paper it is no mistake. It shows only in cases that ask for rounding, as noise.
    rounding: bool = False
    other: str = ""  # a whole other function or class beside the model, where its shape is another
    # What comes back otherwise, by name, where the model is not run to know it.
    gives: Mapping[str, float] = field(default_factory=dict)
    spellings: tuple[Edits, ...] = ()  # other ways to write the same mistake
    # What has to stand as it is for the mistake to be seen: nothing that changes it goes with it.
    keeps: Edits = NO_EDITS
    apart: frozenset[str] = frozenset()  # mistakes that do not go with it for another reason
    alone: bool = False  # it is never looked for beside another

    def combines_with(self, other: "Mistake") -> bool:
        """Whether one function can make both mistakes: they change no letter in common."""
        if self.alone or other.alone:
            return False
        if self.other or other.other or other.key in self.apart or self.key in other.apart:
            return False
        return not (
            self.gives.keys() & other.gives.keys()
            or _meet(self.edits, other.edits | other.keeps)
            or _meet(self.keeps, other.edits)
        )


def _meet(some: Edits, others: Edits) -> bool:
    return any(one.meets(other) for one in some for other in others)


@dataclass(frozen=True, eq=False)
class Exercise:
    """A function or class that the learner writes, and all that is needed to judge it."""

    name: str  # of the function or class
    notebook: str  # the stem of its notebook's file name: "02_batch_norm_forward"
    title: str  # what the learner does, in a few words
    parameters: tuple[str, ...]  # the names of what a case holds
    returns: tuple[str, ...]  # and of what comes back
    aspects: tuple[Aspect, ...]  # in the order in which they are shown
    draw: Callable[[np.random.Generator], list[Case]] = field(repr=False)
    model: Model = field(repr=False)  # a right answer, as text
    mistakes: tuple[Mistake, ...] = field(repr=False)
    first_step: str = field(repr=False)  # for a learner who has not begun
    # Packages that would do the learner's work for them.
    forbidden: tuple[str, ...] = ("torch", "normlab")
    # The model's own names for the steps inside the computation, in the order of the walk back.
    # The learner may return theirs in a dict behind the answer.
    nodes: tuple[str, ...] = field(default=(), repr=False)
    # Puts the answer to use, where it is a class or a function of torch objects; `parameters` are
    # then those of the script.
    use: Use | None = field(default=None, repr=False)
    # What a right answer gives, by name, where the model is not run to know it: it would take too
    # long, and its digits are not judged.
    known: Mapping[str, float] = field(default_factory=dict, repr=False)
    seconds: float | None = None  # for all calls together, where the usual time would not do
    can: str = field(default="", repr=False)  # completes "You can now ..."
    digest: str = field(default="", repr=False)  # of all that is written in the task's files
    # In which file and line each mistake is written, by its key.
    places: Mapping[str, str] = field(default_factory=dict, repr=False)
    in_lesson: bool = False  # the lesson asks for it and goes on with it; it is not graded then

    @property
    def lesson(self) -> str:
        """The number of its lesson, as in the file names: "02"; "" for a teacher's own."""
        number = self.notebook[:2]
        return number if number.isdigit() and self.notebook[2:3] == "_" else ""

    @property
    def place(self) -> str:
        """The notebook that asks for it, as seen from the course's folder."""
        return f"{'notebooks' if self.in_lesson else 'exercises'}/{self.notebook}.ipynb"

    @property
    def max_points(self) -> int:
        """The sum over the aspects."""
        return sum(aspect.points for aspect in self.aspects)

    @property
    def takes(self) -> tuple[str, ...]:
        """What the learner's function, or its class's constructor, is called with."""
        return self.use.takes if self.use else self.parameters

    @property
    def is_class(self) -> bool:
        """Whether the learner writes a class."""
        return bool(self.use and self.use.methods)

    @property
    def signature(self) -> str:
        """The call, as the learner writes it."""
        return f"{self.name}({', '.join(self.takes)})"

    def as_function(self, answer: Callable) -> Callable:
        """Return what is called with the cases' arguments: the answer, or what puts it to use."""
        return self.use.as_function(answer) if self.use else answer

    @cached_property
    def pairs(self) -> list[tuple[Mistake, Mistake]]:
        """Every two mistakes that one function can make together, and that meet in some output.

        Of two that do not, each is found by itself.
        """
        outputs = {aspect.key: set(aspect.outputs or self.returns) for aspect in self.aspects}
        return [
            (one, other)
            for one, other in combinations(self.mistakes, 2)
            if one.combines_with(other) and outputs[one.aspect] & outputs[other.aspect]
        ]

    @cached_property
    def spellings(self) -> list[Mistake]:
        """Every mistake in every way it is known to be written."""
        return [
            one
            for mistake in self.mistakes
            for one in (mistake, *(replace(mistake, edits=edits) for edits in mistake.spellings))
        ]

    def reference(self, **arguments: Any) -> Outputs:  # noqa: ANN401 - arguments of any kind
        """Compute what is right in a case: the model, in float64."""
        return self.variant((), {name: _float64(value) for name, value in arguments.items()})

    def variant(self, mistakes: tuple[Mistake, ...], arguments: Arguments) -> Outputs:
        """Compute what a function with these mistakes returns; it may raise, as that would."""
        if self.known:
            given = {name: value for one in mistakes for name, value in one.gives.items()}
            return {name: np.array(value) for name, value in {**self.known, **given}.items()}
        program = self.program(mistakes)
        if self.use:
            return self.use.outputs_of(program, arguments, self.returns)
        returned = program(*arguments.values())
        values = (returned,) if len(self.returns) == 1 else returned
        pairs = zip(self.returns, values, strict=True)
        return {name: np.asarray(value) for name, value in pairs}

    def program(self, mistakes: tuple[Mistake, ...]) -> Callable[..., Any]:
        """Return a function or class, as a learner would write it, with these mistakes."""
        for mistake in mistakes:
            if mistake.other:
                return getattr(self.model.define(), mistake.other)
        return self.model.program(NO_EDITS.union(*(mistake.edits for mistake in mistakes)))

    def node_values(self, arguments: Arguments, mistakes: tuple[Mistake, ...] = ()) -> Outputs:
        """Compute each node inside the computation: what is right, or what mistakes make of it."""
        edits = NO_EDITS.union(*(mistake.edits for mistake in mistakes))
        return self.model.values(self.nodes, *arguments.values(), edits=edits)


def draw_cases(exercise: Exercise, seed: int) -> list[Case]:
    """Draw the cases of an exercise; the same seed gives the same cases.

    A seed is at least 0. Each exercise has its own stream, so equal seeds do not mean equal
    numbers. A case comes after the one that it is based on.
    """
    stream = zlib.crc32(exercise.name.encode())
    return exercise.draw(np.random.default_rng([seed, stream]))


def _float64(value: Any) -> Any:  # noqa: ANN401 - an argument of any kind
    floating = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value.astype(np.float64, copy=False) if floating else value
