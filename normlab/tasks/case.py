"""One call of a learner's function."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

#: The arguments of one call, by name and in the order of the call.
Arguments = Mapping[str, Any]
#: What one call gives back, by name: plain arrays.
Outputs = dict[str, np.ndarray]
#: From what a learner's own function returned in one case, and the arguments of another, to what
#: is expected there.
Derive = Callable[[Outputs, Arguments], Outputs]


@dataclass(frozen=True)
class Case:
    """One call of the learner's function, and what is expected of it."""

    name: str  # unique among the cases of a draw, and fit to be read: "(5, 3), eps 0.5"
    aspects: tuple[str, ...]  # the keys of those that need this case to be right
    arguments: Arguments  # by name, in the order of the call
    # The name of an earlier case, and a function that gives (some of) what is expected here from
    # what the learner's own function returned there: so a slip in one step is not held against the
    # next. Where the earlier case gave nothing usable, the reference is asked as always.
    based_on: str = ""
    derive: Derive | None = None
    tolerance: float = 1e-9  # the largest difference, relative to the largest number expected
    rounding: bool = False  # it asks how the answer rounds: a mistake of rounding gives noise here

    @property
    def size(self) -> int:
        """How many numbers a person has to read to follow this case by hand."""
        return sum(np.size(value) for value in self.arguments.values())

    def then(self, derive: Derive, name: str, /, *aspects: str, **changed: Any) -> "Case":
        """Make a case that follows from this one, with some of its arguments changed.

        What is expected there is what `derive` gives, from the learner's own answer to this one.
        """
        return Case(name, aspects, {**self.arguments, **changed}, self.name, derive)


def case(name: str, *aspects: str, tolerance: float = 1e-9, **arguments: Any) -> Case:
    """Make a case of its aspects' keys and its arguments by name, in the order of the call."""
    return Case(name, aspects, arguments, tolerance=tolerance)


#: What a task draws.
Cases = Iterator[Case]
