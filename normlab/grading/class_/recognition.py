"""Tell which exercise a notebook is: by the tasks that it defines, then by its name.

Nothing of it is run, nothing is compiled, and no more is looked at than its beginning.
"""

import functools
import re
from collections.abc import Set
from dataclasses import dataclass

from normlab.exercises.finding import find, notebooks, tasks_of
from normlab.grading.prison.reading import Unreadable, encoding_of, read_cells

# A definition at the left edge, with all that belongs to it.
_DEFINITION = re.compile(
    r"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)(.*(?:\n(?:[ \t#)].*)?)*)", re.MULTILINE
)
_ASSIGNMENT = re.compile(r"^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE)
_PARAMETERS = re.compile(r"\(([^()]*)\)")
_BETWEEN_CELLS = "\n\0\n"
_QUOTED = re.compile(r'("""|\'\'\')[^\0]*?\1')
_CHECK = re.compile(r"\bcheck\(\s*[\"'](\w+)")
_YOURS = re.compile(r"\byours\(\s*[\"'](\w+)")
_GRADE_ID = re.compile(r'"grade_id"\s*:\s*"(\w+?)(?:-points)?"')
_SELF_TEST = re.compile(r"^self_test\(", re.MULTILINE)
_STUB = "NotImplementedError"
# In JSON: where a cell begins, and where one of its lines ends and the next begins.
_BEGINNING = re.compile(r'"(?:source|input)"\s*+:\s*+\[?\s*+"')
_NEXT_LINE = re.compile(r'(?:\\n)?"[ \t]*+,?[ \t]*+\r?\n[ \t]*+"')


@dataclass(frozen=True)
class Contents:
    """What a notebook shows of the course's tasks, each by its name."""

    defined: Set[str]  # a function, a class or a variable, at the left edge of a code cell
    solved: Set[str]  # of these, what is more than the stub
    alike: Set[str]  # of these, the functions with the task's own parameters
    ids: Set[str]  # what a cell has as its grade id
    checks: Set[str]  # what `check` is called for
    is_lesson: bool  # it ends with a lesson's questions, and is no exercise
    is_whole: bool  # it could be read as a notebook

    def held(self, exercise: str) -> Set[str]:
        """Return the tasks of an exercise that have a place in the notebook."""
        return _names_of(exercise) & (self.defined | self.ids)


def look_at(content: bytes) -> Contents:
    """Return what a notebook shows; of one that breaks off, what can be seen."""
    text = content.decode(encoding_of(content), errors="replace")
    try:
        code = _BETWEEN_CELLS.join(read_cells(content))
        is_whole = True
    except Unreadable:
        code, is_whole = _code_in(text), False
    code = _QUOTED.sub("", code.replace("\r\n", "\n"))
    assigned = {*_ASSIGNMENT.findall(code)} & _all_names()
    bodies = [(name, rest) for name, rest in _DEFINITION.findall(code) if name in _all_names()]
    ids = {*_GRADE_ID.findall(text)} & _all_names()
    checks = {*_CHECK.findall(code)} & _all_names()
    lent = set(_YOURS.findall(code))
    return Contents(
        defined=assigned.union(name for name, _ in bodies),
        solved=assigned.union(name for name, rest in bodies if _STUB not in rest),
        alike={name for name, rest in bodies if _parameters(rest) == find(name).takes},
        ids=ids,
        checks=checks,
        # The first lesson checks one function as an example; others go on with those they check.
        is_lesson=bool(_SELF_TEST.search(code)) and not ids and len(checks - lent) < 2,
        is_whole=is_whole,
    )


def _code_in(text: str) -> str:
    """Return the code in the text of a notebook that is not whole."""
    text = _NEXT_LINE.sub("\n", _BEGINNING.sub("\n", text))
    return text.replace("\\n", "\n").replace('\\"', '"')


def exercises_in(stem: str, contents: Contents) -> list[str]:
    """Return the exercise that a notebook is, and behind it others that it holds as well.

    It is the one of whose tasks it holds the most; the name of the file decides alone where there
    are none. One definition, as a notebook of another course may have it, is not enough where
    neither its parameters nor the name are ours. Others are in it where each task is checked.
    """
    named = named_in(stem)
    shares = {}
    for notebook in () if contents.is_lesson else notebooks():
        tasks, held = _names_of(notebook), contents.held(notebook)
        marked = tasks & (contents.ids | contents.checks)
        is_sure = notebook == named or marked or len(held) > 1 or held & contents.alike
        if held and is_sure:
            most = len(marked) / len(tasks), len(held) / len(tasks)
            shares[notebook] = (*most, notebook == named)
    if not shares:
        return [named] if named else []
    best = max(shares, key=shares.__getitem__)
    return [best, *(one for one in shares if one != best and _names_of(one) <= contents.checks)]


def named_in(stem: str) -> str:
    """Recognise "02_batch_norm_forward" in "Copy of 02_Batch_Norm_Forward (1)"."""
    found = [notebook for notebook in notebooks() if _plain(notebook) in _plain(stem)]
    return max(found, key=len, default="")


def _plain(stem: str) -> str:
    return re.sub(r"[\W_]+", "_", stem).lower()


@functools.cache
def _names_of(exercise: str) -> frozenset[str]:
    return frozenset(task.name for task in tasks_of(exercise))


@functools.cache
def _all_names() -> frozenset[str]:
    return frozenset().union(*map(_names_of, notebooks()))


def _parameters(rest: str) -> tuple[str, ...]:
    """Return the names of the parameters from what stands behind a function's name."""
    listed = _PARAMETERS.match(rest.lstrip())
    parts = listed[1].split(",") if listed else ()
    return tuple(name for part in parts if (name := re.split("[:=]", part)[0].strip()))
