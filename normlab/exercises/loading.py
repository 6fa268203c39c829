"""Make an exercise of what is written: the program in ``NAME.py``, the words in ``NAME.toml``.

One task is read for one check. What is wrong with a file is said in a sentence, with its line.
"""

import functools
import hashlib
import itertools
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module, resources
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

from normlab.exercises.exercise import Aspect, Exercise, Mistake
from normlab.exercises.source import Model, definition
from normlab.exercises.use import Use
from normlab.exercises.ways import NO_EDITS, Edits

TASKS = Path(str(resources.files("normlab.tasks")))
_TOGETHER = "normlab.tasks.scripts.together"
_SAID = ("what", "symptom", "hint", "next")
_OF_A_TASK = ("title", "returns", "first_step", "aspects")


class TaskError(Exception):
    """Something in a task's files is not as it should be.

    Parameters
    ----------
    message
        What, in a sentence.
    file, line
        Where.
    """

    def __init__(self, message: str, file: Path, line: int = 1) -> None:
        super().__init__(f"{file}, line {line}: {message}")


class Written(NamedTuple):
    """What is written of one task.

    Parameters
    ----------
    name, notebook, in_lesson
        As in `normlab.exercises.exercise.Exercise`.
    program, words
        The text of the program, and that of the words, in TOML.
    define
        Returns the module that the program's text makes.
    texts
        The modules of the script that puts an answer to use, if there is one.
    file, words_file
        Where the two texts stand, for messages.
    words_line
        How many lines of that file stand before the words.
    """

    name: str
    notebook: str
    program: str
    words: str
    define: Callable[[], ModuleType]
    texts: Mapping[str, str]
    file: Path
    words_file: Path
    words_line: int = 0
    in_lesson: bool = False


@functools.cache
def contents(folder: str = "exercises") -> dict[str, list[str]]:
    """Return the names of the course's tasks, by the stems of their notebooks.

    Parameters
    ----------
    folder
        "exercises" for those that are graded, "lessons" for those that a lesson goes on with.
    """
    return tomllib.loads((TASKS / "contents.toml").read_text(encoding="utf-8"))[folder]


@functools.cache
def places() -> dict[str, tuple[str, bool]]:
    """Return where each task of the course is written: the notebook's stem, and if in the lesson.

    They are in the order of the lessons, and in each those of the lesson first.
    """
    stems = sorted({*contents("lessons"), *contents("exercises")})
    return {
        name: (stem, folder == "lessons")
        for stem in stems
        for folder in ("lessons", "exercises")
        for name in contents(folder).get(stem, ())
    }


def written_in_the_course(name: str) -> Written:
    """Read a task of the course.

    Raises
    ------
    LookupError
        There is none of this name.
    """
    notebook, in_lesson = places()[name]
    file, words = TASKS / f"{name}.py", TASKS / f"{name}.toml"
    script = TASKS / "scripts" / f"{name}.py"
    texts = {}
    if script.exists():
        text = script.read_text(encoding="utf-8")
        if _TOGETHER in text:
            texts[_TOGETHER] = (TASKS / "scripts" / "together.py").read_text(encoding="utf-8")
        texts[f"normlab.tasks.scripts.{name}"] = text
    return Written(
        name,
        notebook,
        file.read_text(encoding="utf-8"),
        words.read_text(encoding="utf-8"),
        functools.partial(import_module, f"normlab.tasks.{name}"),
        texts,
        file,
        words,
        in_lesson=in_lesson,
    )


def exercise_of(written: Written) -> Exercise:
    """Put an exercise together.

    Raises
    ------
    TaskError
        Something is missing, or does not fit.
    """
    words = _Words(written)
    told = words.told
    for key in _OF_A_TASK:
        if key not in told:
            words.refuse(f"there is no `{key}`.")
    try:
        text, takes = definition(written.program, written.name)
        definition(written.program, "cases")
    except LookupError as missing:
        raise TaskError(f"{missing}.", written.file) from None
    model = Model(written.name, text, written.define)
    use = _use(written, takes, tuple(told.get("methods", ())))
    aspects = tuple(words.aspects())
    mistakes = tuple(words.mistakes(model, {aspect.key for aspect in aspects}))
    model.foreseen += [edits for one in mistakes for edits in (one.edits, *one.spellings)]
    return Exercise(
        name=written.name,
        notebook=written.notebook,
        title=told["title"],
        parameters=use.parameters if use else takes,
        returns=tuple(told["returns"]),
        aspects=aspects,
        draw=lambda rng: list(written.define().cases(rng)),
        model=model,
        mistakes=mistakes,
        first_step=told["first_step"],
        forbidden=tuple(told.get("forbidden", ("torch", "normlab"))),
        nodes=tuple(told.get("nodes", ())),
        use=use,
        known=told.get("known", {}),
        seconds=told.get("seconds"),
        can=told.get("can", ""),
        digest=words.digest(),
        places=words.places(),
        in_lesson=written.in_lesson,
    )


def _use(written: Written, takes: tuple[str, ...], methods: tuple[str, ...]) -> Use | None:
    if not written.texts:
        return None
    _, *parameters = definition([*written.texts.values()][-1], "use").parameters
    reads = re.search(r"^def read\(", written.program, re.MULTILINE) is not None
    return Use(takes, methods, tuple(parameters), written.texts, written.define if reads else None)


class _Words:
    """What is said of one task, and where it is written."""

    def __init__(self, written: Written) -> None:
        self.written = written
        self.families: dict[str, str] = {}
        try:
            self.told = tomllib.loads(written.words)
        except tomllib.TOMLDecodeError as problem:
            line = int(getattr(problem, "lineno", 0) or _line_in(str(problem)))
            raise TaskError(
                f"this is no TOML: {problem}.", written.words_file, written.words_line + line
            ) from None

    def refuse(self, message: str, about: str = "") -> NoReturn:
        """Raise a `TaskError` at the line where something is written about a key."""
        line = _line_of(self.written.words, about) + self.written.words_line
        raise TaskError(message, self.written.words_file, line)

    def places(self) -> dict[str, str]:
        """Return where each mistake of this task is written, for messages."""
        written = self.written
        keys = [key for group in self.told.get("mistakes", {}).values() for key in group]
        lines = {key: _line_of(written.words, key) + written.words_line for key in keys}
        return {key: f"{written.words_file}, line {line}" for key, line in lines.items()}

    def digest(self) -> str:
        """Return a digest of every text that the task is made of."""
        written = self.written
        texts = (written.program, written.words, *written.texts.values(), *self.families.values())
        return hashlib.blake2b("\0".join(texts).encode(), digest_size=16).hexdigest()

    def aspects(self) -> Iterator[Aspect]:
        """Yield the aspects, in their order."""
        for key, said in self.told["aspects"].items():
            if not isinstance(said, dict) or not {"title", "points"} <= said.keys():
                self.refuse(f"the aspect `{key}` needs a title and points.", key)
            yield Aspect(
                key,
                said["title"],
                said["points"],
                tuple(said.get("outputs", ())),
                said.get("leaves_input_alone", False),
            )

    def mistakes(self, model: Model, aspects: set[str]) -> Iterator[Mistake]:
        """Yield the mistakes: those of the families first, in the words of this task."""
        told: dict[str, dict[str, Any]] = {}
        for family in self.told.get("family", ()):
            for key, said in self._family(**family).items():
                told[key] = {**told.get(key, {}), **said}
        for aspect, group in self.told.get("mistakes", {}).items():
            for key, said in group.items():
                told[key] = {"aspect": aspect, **told.get(key, {}), **said, "own": aspect}
        for key, said in told.items():
            aspect = said.get("own", said["aspect"])
            if aspect not in aspects:
                self.refuse(f"the mistake “{key}” costs `{aspect}`, which is no aspect.", key)
            if missing := [word for word in _SAID if word not in said]:
                self.refuse(f"the mistake “{key}” does not say its {' and '.join(missing)}.", key)
            yield self._mistake(model, key, aspect, said)

    def _mistake(self, model: Model, key: str, aspect: str, said: Mapping[str, Any]) -> Mistake:
        change, spellings, gives = said.get("change"), said.get("or", ()), said.get("gives", {})
        other = change if isinstance(change, str) else ""  # a whole other function of this name
        if other and f"def {other}(" not in self.written.program:
            self.refuse(f"“{key}” is to be the function `{other}`, and there is none.", key)
        if not other and not gives and not isinstance(change, dict):
            self.refuse(f"“{key}” does not say its change.", key)
        edit = functools.partial(self._edits, model, key)
        times = said.get("times", 1)
        return Mistake(
            key=key,
            aspect=aspect,
            edits=edit(change, times) if isinstance(change, dict) else NO_EDITS,
            other=other,
            gives=gives,
            spellings=tuple(edit(one, times) for one in spellings),
            keeps=edit({text: text for text in said.get("keeps", ())}),
            apart=frozenset(said.get("apart", ())),
            alone=said.get("alone", False),
            rounding=said.get("rounding", False),
            section=said.get("section", ""),
            **{word: said[word] for word in _SAID},
        )

    def _edits(
        self,
        model: Model,
        key: str,
        change: Mapping[str, str],
        times: int | Mapping[str, int] = 1,
    ) -> Edits:
        try:
            return model.edits(change, times)
        except LookupError as problem:
            self.refuse(f"“{key}”: {problem.args[0]}.", key)

    def _family(
        self,
        name: str,
        sections: Mapping[str, str],
        without: tuple[str, ...] = (),
        costs: str = "",
        alone: tuple[str, ...] = (),
        **fill: str,
    ) -> dict[str, dict[str, Any]]:
        file = TASKS / "families" / f"{name}.toml"
        if not file.exists():
            self.refuse(f"there is no family “{name}”.", name)
        self.families[name] = file.read_text(encoding="utf-8")
        family = _family_of(name)
        return {
            key: {
                **said,
                **{word: said[word].format(**fill) for word in _SAID},
                "section": sections.get(said["section"], said["section"]),
                **({"aspect": costs} if costs else {}),
                **({"alone": True} if key in alone else {}),
            }
            for key, said in family.items()
            if key not in without
        }


@functools.cache
def _family_of(name: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads((TASKS / "families" / f"{name}.toml").read_text(encoding="utf-8"))


def _line_of(words: str, about: str) -> int:
    """Find the line in which something is told of a key; the first where nothing is."""
    place = words.find(f'"{about}"') if about else 0
    return words.count("\n", 0, max(place, 0)) + 1


def _line_in(message: str) -> int:
    """Read the line out of what Python's TOML reader says."""
    words = message.replace(",", "").split()
    pairs = itertools.pairwise(words)
    return next((int(number) for word, number in pairs if word == "line"), 1)
