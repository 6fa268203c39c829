"""Five questions at the end of each lesson, with an explanation for every answer.

`normlab.exercises.self_test` asks them. They are read from the files in ``lessons``, in TOML::

    [[question]]
    ask = "Which numbers share one mean in `nn.BatchNorm1d` on an input of shape (N, C)?"
    code = "nn.BatchNorm1d(3)(x)"  # shown under the question; may be left out
    proof = "assert ..."  # Python that fails where the right answer is wrong; may be left out

    [[question.answer]]
    text = "one column: a feature, over all samples"
    right = true
    why = "One mean and one variance per feature."

Backticks mark code, and nothing else is marked up.
"""

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One of the answers to choose from, and why it is right or wrong."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question, and its answers, one of which is right."""

    ask: str
    answers: tuple[Answer, ...]  # in the order in which they are shown
    code: str = ""  # shown under the question
    # Python that raises an `AssertionError` where the right answer is wrong; "" where the answer
    # follows from the meaning of a word. Learners do not see it.
    proof: str = ""


@functools.cache
def all_self_tests() -> dict[str, tuple[Question, ...]]:
    """Return the questions of each lesson, by the name of its notebook, in the lessons' order."""
    folder = resources.files(__package__) / "lessons"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {
        file.name.removesuffix(".toml"): tuple(
            _question(**entry)
            for entry in tomllib.loads(file.read_text(encoding="utf-8"))["question"]
        )
        for file in files
        if file.name.endswith(".toml")
    }


def _question(answer: list[dict[str, Any]], **rest: str) -> Question:
    return Question(answers=tuple(Answer(**one) for one in answer), **rest)
