"""A self-test: five questions, and the first choices counted in the learner's progress."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from normlab.exercises.asking import Answers, heard, shown, written
from normlab.exercises.logbook import record_self_test
from normlab.exercises.panel import marked_up
from normlab.exercises.self_tests import Question, all_self_tests


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


@dataclass(frozen=True)
class Sitting:
    """The questions of a lesson. It shows itself, and hears what is answered."""

    lesson: str
    questions: Sequence[Question]

    def hear(self, answers: Answers) -> str:
        """Keep in the learner's progress how many of the first answers were right, and say so."""
        right = sum(1 for _, right in answers if right)
        trouble = record_self_test(self.lesson, right, len(self.questions))
        return heard("Your first choices are", trouble)

    def __str__(self) -> str:
        return "\n\n".join(_as_text(*numbered) for numbered in enumerate(self.questions, 1))

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        asked = [_as_html(*numbered) for numbered in enumerate(self.questions, 1)]
        return shown(str(self), asked, {"key": self.lesson}, self.hear)


def _as_html(number: int, question: Question) -> str:
    answers = [
        (
            marked_up(answer.text),
            f"<b>{'Right.' if answer.right else 'No.'}</b> {marked_up(answer.why)}",
            answer.right,
        )
        for answer in question.answers
    ]
    return written(f"<b>{number}.</b> {marked_up(question.ask)}", answers, question.code.strip())


def _as_text(number: int, question: Question) -> str:
    code = [f"       {line}" for line in question.code.strip().splitlines()]
    lettered = [*zip("abcdefgh", question.answers, strict=False)]
    answers = [f"   {letter}) {answer.text}" for letter, answer in lettered]
    solution = next(f"   -> {letter}: {one.why}" for letter, one in lettered if one.right)
    return "\n".join([f"{number}. {question.ask}", *code, *answers, solution])
