"""A question that is asked before an output is seen.

The first guess is counted in the learner's progress where a kernel runs, and kept in the browser
where none does. Until it is given, the next output is folded away. In a script the question is
printed, and nothing waits.
"""

import base64
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from normlab.exercises.asking import Answers, digest, heard, shown, written
from normlab.exercises.logbook import record_guess
from normlab.exercises.panel import marked_up, wrapped
from normlab.exercises.veil import Veil

_SUMMARY = "Guess first, then open this output"
#: The guesses of this session, and what lies over the outputs of those still open, by question.
_given: dict[str, str] = {}
_veils: dict[str, Veil] = {}


def guess(
    question: str,
    answer: float | str | None = None,
    *,
    within: float = 0,
    options: Sequence[str] = (),
    unit: str = "",
    why: str = "",
    outputs: int = 1,
    sealed: str = "",
) -> "Guess":
    """Ask for a guess, for the only line of a cell; the next cell's output answers it.

    Parameters
    ----------
    question
        What is asked; what stands in backticks is set as code.
    answer
        A number; or one of the options; or, without options, words that nobody judges.
    within
        How far from the number a guess may be, and is right.
    options
        What to choose from.
    unit
        What is written behind the number: "%", " ms".
    why
        A sentence to be said after the answer.
    outputs
        How many cells answer the question.
    sealed
        All of these but the question, as `seal` writes them, for nobody to read in the code.

    Raises
    ------
    ValueError
        There is no answer, or it is not among the options, or nobody sealed this.
    """
    if sealed:
        return guess(question, **unseal(sealed))
    if answer is None:
        raise ValueError(f"There is no answer to {question!r}: give one, as in guess(question, 4).")
    if options and answer not in options:
        raise ValueError(f"The answer {answer!r} is not among the options: {', '.join(options)}.")
    asked = Guess(question, answer, within, tuple(options), unit, why)
    _cover(asked, outputs)
    return asked


def all_guesses() -> dict[str, list[str]]:
    """Return the questions of each lesson, by the stem of its notebook's name, in order."""
    text = resources.files("normlab.exercises").joinpath("guesses.toml").read_text("utf-8")
    return tomllib.loads(text)


def seal(**rest: Any) -> str:  # noqa: ANN401 - what `guess` takes
    """Write what `guess` takes besides the question so that nobody reads it by accident."""
    return base64.b64encode(json.dumps(rest).encode()).decode()


def unseal(sealed: str) -> dict[str, Any]:
    """Read what `seal` wrote; a `ValueError` where it did not."""
    try:
        return json.loads(base64.b64decode(sealed, validate=True))
    except ValueError:
        raise ValueError(f"sealed={sealed!r} is nothing that normlab sealed.") from None


@dataclass(frozen=True)
class Guess:
    """A question and its answer; see `guess`. It shows itself."""

    question: str
    answer: float | str
    within: float = 0
    options: tuple[str, ...] = ()
    unit: str = ""
    why: str = ""

    def hear(self, answers: Answers) -> str:
        """Take a guess; the first one is kept in the learner's progress, and the output opens."""
        ((said, right),) = answers
        _given[self.question] = said
        if self.question in _veils:
            _veils.pop(self.question).lift()
        return heard("Your first guess is", record_guess(self.question, right))

    @property
    def _shown(self) -> str:
        return self.answer if isinstance(self.answer, str) else f"{self.answer:,}{self.unit}"

    def __str__(self) -> str:
        options = f" ({'; '.join(self.options)})" if self.options else ""
        return wrapped(f"Guess first: {self.question}{options}")

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        data: dict[str, Any] = {"key": self.name, "fold": self.name}
        if self.question in _given:  # the cell was run before
            data["said"] = _given[self.question]
        answers: list[tuple[str, str, bool | None]] = [*map(self._verdict, self.options)]
        if not self.options:
            answers = [("Show the answer", marked_up(f"{self._shown}. {self.why}".strip()), None)]
            data["number"] = {
                **{"answer": self.answer, "within": self.within, "unit": self.unit},
                **{"shown": self._shown, "why": self.why},
            }
        asked = written(f"<b>Guess first.</b> {marked_up(self.question)}", answers)
        return shown(str(self), [asked], data, self.hear)

    @property
    def name(self) -> str:
        """What its place and the outputs under its veil are called in a page."""
        return f"nx-{digest(self.question)}"

    def _verdict(self, option: str) -> tuple[str, str, bool | None]:
        """Return an option, what is said of it, and whether it is right."""
        right = option == self.answer
        rest = ", and so it is." if right else f"; it is {self.answer}."
        said = f"You said {option}{rest} {self.why}".strip()
        return marked_up(option), marked_up(said), right


def _cover(asked: Guess, outputs: int) -> None:
    """Fold the outputs that answer a question, until it is answered."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None:  # a script: nothing shows itself
        print(asked)
    elif hasattr(shell, "kernel") and asked.question not in (_given.keys() | _veils.keys()):
        _veils[asked.question] = Veil(shell, outputs, _SUMMARY, asked.name)
