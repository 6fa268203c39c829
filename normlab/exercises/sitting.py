"""A self-test as a notebook shows it.

Where a kernel runs there are buttons, and the first choices are counted in the learner's progress.
Everywhere else (a stored notebook, the website, GitHub) each answer unfolds to its explanation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from normlab.audience import nobody_is_there
from normlab.exercises.logbook import record_self_test
from normlab.exercises.panel import GREEN, RED, marked_up
from normlab.exercises.self_tests import Answer, Question, all_self_tests

if TYPE_CHECKING:
    import ipywidgets

# ipywidgets gives each choice one line of fixed height, and cuts off what is longer.
_STYLE = """<style>
.normlab-answers.widget-radio { width: auto; height: auto; }
.normlab-answers .widget-radio-box { height: auto; margin: 0; }
.normlab-answers .widget-radio-box label {
  height: auto; white-space: normal; line-height: 1.4; padding: 0.15em 0; width: auto;
}
</style>"""


def self_test(lesson: str) -> "Sitting":
    """Return the questions of a lesson, for the last line of a cell.

    Parameters
    ----------
    lesson
        The name of its notebook, without ``.ipynb``.

    Raises
    ------
    ValueError
        If there is no such lesson.
    """
    tests = all_self_tests()
    if lesson not in tests:
        raise ValueError(f"There is no self-test {lesson!r}. There are: {', '.join(tests)}.")
    return Sitting(lesson, tests[lesson])


@dataclass
class Sitting:
    """One attempt at a self-test. Only the first choice at each question counts.

    Attributes
    ----------
    lesson
        Under which name the result is kept.
    questions
        What is asked.
    first
        For each question that has been answered, by its place, whether the first choice was right.
    """

    lesson: str
    questions: Sequence[Question]
    first: dict[int, bool] = field(default_factory=dict)

    @property
    def right(self) -> int:
        """How many first choices were right."""
        return sum(self.first.values())

    def choose(self, question: int, answer: int) -> Answer:
        """Choose an answer; the first choice at a question is kept in the learner's progress.

        Parameters
        ----------
        question, answer
            Their places, from 0.
        """
        chosen = self.questions[question].answers[answer]
        if question not in self.first:
            self.first[question] = chosen.right
            record_self_test(self.lesson, self.right, len(self.questions))
        return chosen

    def standing(self) -> str:
        """Say how it stands, in a sentence."""
        count, answered = len(self.questions), len(self.first)
        if answered < count:
            return f"{answered} of {count} questions answered, {self.right} right at the first go."
        return (
            f"{self.right} of {count} right at the first go. To try again, run the cell again: the "
            "best result is kept, and `progress()` shows it."
        )

    def __str__(self) -> str:
        return "\n\n".join(
            _as_text(number, question) for number, question in enumerate(self.questions, 1)
        )

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        fallback = {"text/plain": str(self), "text/html": _as_html(self.questions)}
        if nobody_is_there():
            return fallback
        return self.widget()._repr_mimebundle_() | fallback

    def widget(self) -> "ipywidgets.Box":
        """Return the questions with buttons."""
        from ipywidgets import HTML, Layout, VBox

        standing = HTML(_paragraph(self.standing()))

        def update() -> None:
            standing.value = _paragraph(f"<b>{marked_up(self.standing())}</b>")

        asked = [self._question_widget(place, update) for place in range(len(self.questions))]
        return VBox([HTML(_STYLE), *asked, standing], layout=Layout(max_width="46em"))

    def _question_widget(self, place: int, update: Callable[[], None]) -> "ipywidgets.Box":
        from ipywidgets import HTML, Layout, RadioButtons, VBox

        question = self.questions[place]
        # Choices are plain text: no backticks there.
        options = [
            (answer.text.replace("`", ""), number) for number, answer in enumerate(question.answers)
        ]
        choices = RadioButtons(options=options, value=None, layout=Layout(width="auto"))
        choices.add_class("normlab-answers")
        explanation = HTML()

        def explain(change: dict[str, Any]) -> None:
            explanation.value = _verdict(self.choose(place, change["new"]))
            update()

        choices.observe(explain, names="value")
        heading = HTML(_asked(place + 1, question))
        return VBox([heading, choices, explanation], layout=Layout(margin="0 0 1em 0"))


def _paragraph(html: str) -> str:
    return f'<p style="line-height:1.45;margin:0.2em 0">{html}</p>'


def _asked(number: int, question: Question) -> str:
    asked = _paragraph(f"<b>{number}.</b> {marked_up(question.ask)}")
    return asked + (f"<pre>{escape(question.code.strip())}</pre>" if question.code else "")


def _verdict(answer: Answer) -> str:
    mark, word, colour = ("✓", "Right.", GREEN) if answer.right else ("✗", "No.", RED)
    why = f'<b><span style="color:{colour}">{mark}</span> {word}</b> {marked_up(answer.why)}'
    return f'<div role="status">{_paragraph(why)}</div>'


def _as_html(questions: Sequence[Question]) -> str:
    """Write the questions with answers that unfold: no script, and no style that a site strips."""
    parts = []
    for number, question in enumerate(questions, 1):
        parts.append(_asked(number, question))
        parts += [
            f"<details><summary>{marked_up(answer.text)}</summary>{_verdict(answer)}</details>"
            for answer in question.answers
        ]
    return f'<div style="max-width:46em">{"".join(parts)}</div>'


def _as_text(number: int, question: Question) -> str:
    code = [f"       {line}" for line in question.code.strip().splitlines()]
    answers = [
        f"   {letter}) {answer.text}"
        for letter, answer in zip("abcdefgh", question.answers, strict=False)
    ]
    right = next(i for i, answer in enumerate(question.answers) if answer.right)
    solution = f"   -> {'abcdefgh'[right]}: {question.answers[right].why}"
    return "\n".join([f"{number}. {question.ask}", *code, *answers, solution])
