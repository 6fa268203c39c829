"""Make an exercise of what is written: the program in ``NAME.py``, the words in ``NAME.toml``.

One task is read for one check. What is wrong with a file is said in a sentence, with its line.
"""

import functools
import hashlib
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
_MAY_BE_SAID = ("gives", "alone", "rounding", "section")
_OF_A_TASK = ("title", "returns", "first_step", "aspects")
_AS_TOLD = ("title", "first_step", "known", "seconds", "can")


class TaskError(Exception):
    """Something in a task's files is not as it should be: what, in a sentence, and where."""

    def __init__(self, message: str, file: Path, line: int = 1) -> None:
        super().__init__(f"{file}, line {line}: {message}")


class Written(NamedTuple):
    """What is written of one task."""

    name: str
    notebook: str
    program: str  # the text
    words: str  # in TOML
    define: Callable[[], ModuleType]  # returns the module that the program's text makes
    texts: Mapping[str, str]  # the modules of the script that puts an answer to use, if any
    file: Path  # where the two texts stand, for messages
    words_file: Path
    words_line: int = 0  # how many lines of that file stand before the words
    in_lesson: bool = False


@functools.cache
def contents(folder: str = "exercises") -> dict[str, list[str]]:
    """Return the names of the course's tasks, by the stems of their notebooks.

    In "exercises" are those that are graded, in "lessons" those that a lesson goes on with.
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
    """Read a task of the course."""
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
    """Put an exercise together; a `TaskError` where something is missing, or does not fit."""
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
    rest = {key: told[key] for key in _AS_TOLD if key in told}
    rest |= {key: tuple(told[key]) for key in ("returns", "forbidden", "nodes") if key in told}
    return Exercise(
        name=written.name,
        notebook=written.notebook,
        parameters=use.parameters if use else takes,
        aspects=aspects,
        draw=lambda rng: list(written.define().cases(rng)),
        model=model,
        mistakes=mistakes,
        use=use,
        digest=words.digest(),
        places=words.places(),
        in_lesson=written.in_lesson,
        **rest,
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
            found = re.search(r"at line (\d+)", str(problem))
            line = int(found[1]) if found else written.words.count("\n") + 1  # else "at the end"
            line += written.words_line
            raise TaskError(f"this is no TOML: {problem}.", written.words_file, line) from None

    def refuse(self, message: str, about: str = "") -> NoReturn:
        """Raise a `TaskError` at the line where something is written about a key."""
        raise TaskError(message, self.written.words_file, self.line(about))

    def line(self, about: str) -> int:
        """Find the line in which something is told of a key; the first where nothing is."""
        words = self.written.words
        place = words.find(f'"{about}"') if about else 0
        return words.count("\n", 0, max(place, 0)) + 1 + self.written.words_line

    def places(self) -> dict[str, str]:
        """Return where each mistake of this task is written, for messages."""
        keys = (key for group in self.told.get("mistakes", {}).values() for key in group)
        return {key: f"{self.written.words_file}, line {self.line(key)}" for key in keys}

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
        change, spellings = said.get("change"), said.get("or", ())
        other = change if isinstance(change, str) else ""  # a whole other function of this name
        if other and f"def {other}(" not in self.written.program:
            self.refuse(f"“{key}” is to be the function `{other}`, and there is none.", key)
        if not other and not said.get("gives") and not isinstance(change, dict):
            self.refuse(f"“{key}” does not say its change.", key)
        edit = functools.partial(self._edits, model, key)
        times = said.get("times", 1)
        return Mistake(
            key=key,
            aspect=aspect,
            edits=edit(change, times) if isinstance(change, dict) else NO_EDITS,
            other=other,
            spellings=tuple(edit(one, times) for one in spellings),
            keeps=edit({text: text for text in said.get("keeps", ())}),
            apart=frozenset(said.get("apart", ())),
            **{word: said[word] for word in (*_SAID, *_MAY_BE_SAID) if word in said},
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
        try:
            self.families[name], family = _family_of(name)
        except FileNotFoundError:
            self.refuse(f"there is no family “{name}”.", name)
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
def _family_of(name: str) -> tuple[str, dict[str, dict[str, Any]]]:
    text = (TASKS / "families" / f"{name}.toml").read_text(encoding="utf-8")
    return text, tomllib.loads(text)
