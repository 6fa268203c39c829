"""Go on with the learner's own function, and until it is right with the package's.

A lesson asks for a function, and from there on it runs on it. So that the lesson can be read and
run to its end all the same, the package's own stands in until the check is passed.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from normlab.exercises.finding import find
from normlab.exercises.loading import TaskError
from normlab.exercises.panel import GREEN, GREY, RED, Report, in_a_frame, marked_up, wrapped

#: What was handed out: to hand it in again is not to have written it.
_lent: "weakref.WeakSet[Any]" = weakref.WeakSet()


def is_lent(answer: object) -> bool:
    """Say whether an answer is the package's own function, as `yours` handed it out."""
    return any(answer is one for one in _lent)


@dataclass(frozen=True)
class Word:
    """What is said of whose function it is; it shows itself, as a panel or a small line in grey."""

    mark: str
    colour: str
    text: str
    small: bool = False

    def __str__(self) -> str:
        return wrapped(f"{self.mark} {self.text}")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if self.small:
            return f'<div style="opacity:0.75"><i>{marked_up(self.text)}</i></div>'
        mark = f'<b style="color:{self.colour}">{self.mark}</b>'
        return in_a_frame(f"{mark} {marked_up(self.text)}")


def yours(name: str, function: Any = None) -> Callable[..., Any]:  # noqa: ANN401 - as in `check`
    """Return the learner's own function if it passes its check, and the package's until then.

    It says which of the two it is, and what is wrong; like a check it counts in the progress. It
    never raises, and may be run again.

    Parameters
    ----------
    name
        Of the exercise, as in its check.
    function
        What the learner wrote, a class where a class is asked for.

    Returns
    -------
    Callable
        To be called as the check calls it: with all arguments, by position.

    Examples
    --------
    >>> batch_norm = yours("batch_norm_forward", batch_norm_forward)  # doctest: +SKIP
    """
    from normlab.exercises import check  # here: that package imports this module

    try:
        program = find(name).model.another()
    except (LookupError, TaskError) as unknown:
        said = f"There is nothing to compare with, so this is yours, unseen. {unknown}"
        _say(Word("✗", RED, said))
        return function
    if is_lent(function):
        _say(Word("○", GREY, f"Still the package's {name}, which you got here before.", small=True))
        return function
    report = check(name, function)
    if report.passed:
        _say(Word("✓", GREEN, f"`{name}` is yours: from here on the lesson runs on it."))
        return function
    _lent.add(program)
    _say(_not_yet(name, report))
    return program


def _not_yet(name: str, report: Report) -> Word:
    if not report.begun:
        text = f"Not written yet: until you have, the lesson goes on with the package's {name}."
        return Word("○", GREY, text, small=True)
    points = f"{report.points} of {report.max_points} points"
    text = f"Not yet yours ({points}): `{name}` is the package's until your check passes."
    return Word("✗", RED, f"{text} What is wrong: {report.trouble} Next: {report.next_step}")


def _say(word: Word) -> None:
    from IPython.core.getipython import get_ipython  # a check in a script need not wait for it
    from IPython.display import display

    if get_ipython() is None:
        print(word)
    else:
        display(word)
