"""A question that is asked before an output is seen.

Where a kernel runs, the guess is typed or chosen, and the first one is counted in the learner's
progress. Until it is given, the next output is folded away. Everywhere else (a stored notebook, the
website, a script) the question stands as text, its answer unfolds, and nothing waits.
"""

import base64
import json
import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from normlab.audience import nobody_is_there
from normlab.exercises.logbook import record_guess
from normlab.exercises.panel import GREEN, RED, in_a_frame, marked_up, wrapped
from normlab.exercises.veil import Veil

if TYPE_CHECKING:
    import ipywidgets

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
    """Read what `seal` wrote.

    Raises
    ------
    ValueError
        It did not write this.
    """
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

    @property
    def is_number(self) -> bool:
        """Whether a number is asked for."""
        return not isinstance(self.answer, str)

    def give(self, said: str) -> str:
        """Take a guess; the first one is kept in the learner's progress, and the output opens.

        Parameters
        ----------
        said
            As it was typed or chosen.

        Returns
        -------
        str
            What there is to say: "You said 12; it is 4."

        Raises
        ------
        ValueError
            A number is asked for, and this is none; or it is empty.
        """
        said = said.strip()
        right = self._judge(said)
        told = record_guess(self.question, right)
        _given[self.question] = said
        if self.question in _veils:
            _veils.pop(self.question).lift()
        return self._verdict(said, right) + (f" Note: {told}." if told else "")

    def _judge(self, said: str) -> bool | None:
        if self.options:
            return said == self.answer
        if not said:
            raise ValueError("Write your guess first; a rough one will do.")
        if not self.is_number:
            return None
        number = as_number(said.removesuffix(self.unit.strip()))
        rounding = 1e-9 * abs(self.answer)
        return abs(number - self.answer) <= self.within + rounding

    def _verdict(self, said: str, right: bool | None) -> str:
        if right is None:
            sentence = f"You said: {said}. It is: {self._shown}."
        elif right and self._shown in (said, said + self.unit):
            sentence = f"You said {self._shown}, and so it is."
        else:
            near = " Near enough." if right else ""
            sentence = f"You said {said}; it is {self._shown}.{near}"
        return f"{sentence} {self.why}".strip()

    @property
    def _shown(self) -> str:
        return f"{self.answer:,}{self.unit}" if self.is_number else str(self.answer)

    def __str__(self) -> str:
        options = f" ({'; '.join(self.options)})" if self.options else ""
        return wrapped(f"Guess first: {self.question}{options}")

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:

        fallback = {"text/plain": str(self), "text/html": in_a_frame(self._as_html())}
        if nobody_is_there():
            return fallback
        return self.widget()._repr_mimebundle_() | fallback

    def _as_html(self) -> str:
        """Write the question, with an answer that unfolds: no script is needed."""
        listed = "".join(f"<li>{marked_up(option)}</li>" for option in self.options)
        answer = f"{self._shown}. {self.why}".strip()
        return (
            f"{_asked(self.question)}{f'<ul>{listed}</ul>' if listed else ''}"
            '<p style="margin:0.2em 0"><i>Run this cell in Jupyter to say yours.</i></p>'
            f"<details><summary>Show the answer</summary>{marked_up(answer)}</details>"
        )

    def widget(self) -> "ipywidgets.Box":
        """Return the question with a field, or with a button for each option."""
        from ipywidgets import HTML, Box, Button, Layout, Text, VBox

        verdict = HTML('<div role="status"></div>')

        def take(said: str) -> None:
            try:
                verdict.value = self._as_status(self.give(said), self._judge(said.strip()))
            except ValueError as unfit:
                verdict.value = f'<div role="status">{marked_up(str(unfit))}</div>'

        if self.options:
            wide = Layout(width="auto", height="auto", min_height="2em")
            controls = [
                Button(description=option.replace("`", ""), tooltip=option, layout=wide)
                for option in self.options
            ]
            for button, option in zip(controls, self.options, strict=True):
                button.on_click(lambda _, option=option: take(option))
        else:
            field = Text(
                description="Your guess",
                tooltip=self.question,
                placeholder="a number" if self.is_number else "in a few words",
                continuous_update=False,
                layout=Layout(width="16em" if self.is_number else "32em"),
            )
            field.observe(lambda change: take(change["new"]), names="value")
            button = Button(description="Say it", tooltip="Say it, and see the answer")
            button.on_click(lambda _: take(field.value))
            controls = [field, button]
        if self.question in _given:  # the cell was run before
            take(_given[self.question])
        row = Box(controls, layout=Layout(flex_flow="row wrap"))
        return VBox(
            [HTML(_asked(self.question)), row, verdict],
            layout=Layout(
                max_width="46em", border="1px solid rgba(128,128,128,0.45)", padding="0.5em 0.9em"
            ),
        )

    @staticmethod
    def _as_status(sentence: str, right: bool | None) -> str:
        mark = {True: f'<b style="color:{GREEN}">✓</b> ', False: f'<b style="color:{RED}">✗</b> '}
        text = f"{mark.get(right, '')}{marked_up(sentence)}"
        return f'<div role="status" style="line-height:1.45">{text}</div>'


def as_number(said: str) -> float:
    """Read a number as people write it: "1,000", "0,5", "12 %", "about 4".

    Raises
    ------
    ValueError
        It is none.
    """
    text = said.replace("−", "-").replace("_", "").strip().removesuffix("%").strip()
    text = re.sub(r"^(about|around|ca\.?|~|≈|=)\s*", "", text, flags=re.IGNORECASE)
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"“{said[:40]}” is no number: write one such as 4 or 0.5.")
    return number


def _asked(question: str) -> str:
    return (
        f'<p style="line-height:1.45;margin:0.2em 0"><b>Guess first.</b> {marked_up(question)}</p>'
    )


def _cover(asked: Guess, outputs: int) -> None:
    """Fold the outputs that answer a question, until it is answered."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None:  # a script: nothing shows itself
        print(asked)
    elif hasattr(shell, "kernel") and asked.question not in (_given.keys() | _veils.keys()):
        _veils[asked.question] = Veil(shell, outputs, _SUMMARY)
