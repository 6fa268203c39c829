"""What an exercise is: data, and functions from arrays to arrays.

One `Exercise` serves two masters. `normlab.exercises.check` draws its cases from a fixed seed and
calls the learner's function in the same process; a grader draws them from a secret seed and
calls it in another. Both judge what came back by the same entry.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from normlab.exercises.classes import ClassTask
    from normlab.exercises.programs import FunctionTask

#: The arguments of one call, by name and in the order of the call.
Arguments = Mapping[str, Any]
#: What one call gives back, by name: plain arrays.
Outputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class Aspect:
    """A part of an exercise that has its own points.

    Parameters
    ----------
    key
        The name that cases and mistakes refer to it by.
    title
        What the learner reads.
    points
        All of them, or none: where every case of the aspect is right, or not.
    outputs
        The outputs that count here; none named means all.
    leaves_input_alone
        The aspect asks not for values but whether the arguments are as they were.
    """

    key: str
    title: str
    points: int
    outputs: tuple[str, ...] = ()
    leaves_input_alone: bool = False


@dataclass(frozen=True)
class Case:
    """One call of the learner's function, and what is expected of it.

    Parameters
    ----------
    name
        Unique among the cases of a draw, and fit to be read: "(5, 3), eps 0.5".
    aspects
        The keys of the aspects that need this case to be right.
    arguments
        By name, in the order of the call.
    tolerance
        The largest difference from what is expected, relative to its largest magnitude.
    rounding
        The case asks how the answer rounds: what a `Mistake.rounding` gives here is noise.
    based_on, derive
        The name of an earlier case, and a function that gives (some of) what is expected here
        from what the learner's own function returned there: ``derive(own, arguments)``. So a
        slip in one step is not held against the next. Where the earlier case gave nothing
        usable, the reference is asked as always.
    """

    name: str
    aspects: tuple[str, ...]
    arguments: Arguments
    tolerance: float = 1e-9
    rounding: bool = False
    based_on: str = ""
    derive: Callable[[Outputs, Arguments], Outputs] | None = None

    @property
    def size(self) -> int:
        """How many numbers a person has to read to follow this case by hand."""
        return sum(np.size(value) for value in self.arguments.values())


@dataclass(frozen=True)
class Mistake:
    """A mistake that people make, and how to talk about it.

    Parameters
    ----------
    key
        A short name, for tables and tests.
    what
        Completes "You got what comes out when ...".
    outside
        How the mistake looks to someone who cannot see the code.
    hint
        A question or a small experiment; it does not give the code away.
    mend
        Completes "Next: mend ...".
    aspect
        The aspect that it belongs to.
    changes
        The steps of the exercise's recipe that the mistake does otherwise.
    section
        The heading, in the lesson, under which to read again.
    rounding
        On paper it is no mistake. It shows only in cases that ask for rounding, as noise.
    """

    key: str
    what: str
    outside: str
    hint: str
    mend: str
    aspect: str
    changes: Mapping[str, Any]
    section: str
    rounding: bool = False

    def combines_with(self, other: "Mistake") -> bool:
        """Whether one function can make both mistakes: they change different steps."""
        return not self.changes.keys() & other.changes.keys()


@dataclass(frozen=True)
class Exercise:
    """A function that the learner writes, and all that is needed to judge it.

    Parameters
    ----------
    name
        Of the function.
    lesson
        The number of its lesson, as in the file names: "02".
    title
        What the learner does, in a few words.
    parameters, returns
        The names of the function's arguments and of what it gives back.
    aspects
        In the order in which they are shown.
    draw
        Makes the cases from a generator of random numbers.
    reference
        The right answer, from the package's own layers: ``reference(**arguments)``.
    recipe
        The right answer again, in exchangeable steps: ``recipe(**arguments, **changes)``. A
        mistake is a change of some steps, and two mistakes are both changes at once.
    mistakes
        The known ones.
    first_step
        For a learner who has not begun.
    """

    name: str
    lesson: str
    title: str
    parameters: tuple[str, ...]
    returns: tuple[str, ...]
    aspects: tuple[Aspect, ...]
    draw: Callable[[np.random.Generator], list[Case]] = field(repr=False)
    reference: Callable[..., Outputs] = field(repr=False)
    recipe: Callable[..., Outputs] = field(repr=False)
    mistakes: tuple[Mistake, ...] = field(repr=False)
    first_step: str = field(repr=False)
    #: Packages that would do the learner's work for them.
    forbidden: tuple[str, ...] = ("torch", "normlab")
    #: The right gradient of each node inside the computation, in the order of the walk back:
    #: ``nodes(**arguments)``. The learner may return theirs in a dict behind the answer.
    nodes: Callable[..., Outputs] | None = field(default=None, repr=False)
    #: Where the learner writes a class; `parameters` are then those of the script that uses it.
    of_class: "ClassTask | None" = field(default=None, repr=False)
    #: Where a script calls the learner's function; `parameters` are then those of the script.
    of_function: "FunctionTask | None" = field(default=None, repr=False)
    #: How long all calls together may take, where the usual time would not do.
    seconds: float | None = None

    @property
    def max_points(self) -> int:
        """The sum over the aspects."""
        return sum(aspect.points for aspect in self.aspects)

    @property
    def signature(self) -> str:
        """The call, as the learner writes it."""
        parameters = self.of_function.parameters if self.of_function else self.parameters
        return f"{self.name}({', '.join(parameters)})"

    def as_function(self, answer: Callable) -> Callable:
        """Return what is called with the cases' arguments: the answer, or what puts it to use."""
        script = self.of_class or self.of_function
        return script.as_function(answer) if script else answer

    @cached_property
    def pairs(self) -> list[tuple[Mistake, Mistake]]:
        """Every two mistakes that one function can make together."""
        return [pair for pair in combinations(self.mistakes, 2) if pair[0].combines_with(pair[1])]

    def variant(self, mistakes: tuple[Mistake, ...], arguments: Arguments) -> Outputs:
        """Compute what a function with these mistakes returns; it may raise, as that would."""
        changes = {step: how for mistake in mistakes for step, how in mistake.changes.items()}
        return self.recipe(**arguments, **changes)
