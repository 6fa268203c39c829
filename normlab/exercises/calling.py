"""Call a learner's function, whatever it turns out to be, and say what came of it.

Nothing here knows what is right. What comes back is plain data, so that the call can as well be
made in another process than the judgement.
"""

import contextlib
import dis
import functools
import inspect
import io
import linecache
import sysconfig
import time
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from normlab.system import alarm
from normlab.tasks.case import Arguments, Case, Outputs

# Once the time is up the alarm goes on ringing: a function that catches every exception inside
# its loop catches the first, and is outside its `try` at one of the next.
_RING_AGAIN = 0.01  # seconds
_SECONDS_TO_SPEAK = 1.0  # for an error, to say what it is
_KEPT_CHARACTERS = 300
_KEPT_WARNINGS = 3
_THIS_PACKAGE = str(Path(__file__).parent)
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


@dataclass(frozen=True)
class Outcome:
    """What came of one call."""

    #: The arrays by name, or None where there is none to judge; then `trouble` says why.
    returned: Outputs | None = None
    #: "" or one of "raised", "not written", "time", "none", "type", "not called".
    trouble: str = ""
    message: str = ""
    modified: tuple[str, ...] = ()  # the arguments that the function changed
    printed: str = ""  # the first part of it
    printed_characters: int = 0  # of all of it
    warned: tuple[str, ...] = ()  # the first warnings, in NumPy's words
    #: What came back beside the answer, by name, where the exercise invites it.
    nodes: Outputs = field(default_factory=dict)


def call_all(
    answer: Callable,
    cases: Sequence[Case],
    returns: tuple[str, ...],
    time_limit: float,
    forbidden: tuple[str, ...] = (),
    with_nodes: bool = False,
) -> list[Outcome]:
    """Call `answer` on every case, in order, within one limit of time.

    Parameters
    ----------
    answer
        The learner's function. It gets copies of the cases' arguments.
    returns
        The names of what it should give back.
    time_limit
        In seconds, for all calls together; it holds where `stop_after` says so. After a call
        that took too long the others are not made.
    forbidden
        Packages whose objects it may not give back.
    with_nodes
        A dict of arrays behind what is asked for is welcome.
    """

    def call(case: Case, seconds: float) -> Outcome:
        return call_once(answer, case, returns, seconds, forbidden, with_nodes)

    return list(in_turn(call, cases, time_limit))


def in_turn(
    call: Callable[[Case, float], Outcome], cases: Sequence[Case], time_limit: float
) -> Iterator[Outcome]:
    """Yield what comes of each case, within one limit of time; `call` is told what is left."""
    end, trouble = time.monotonic() + time_limit, ""
    for case in cases:
        left = end - time.monotonic()
        if left <= 0 or trouble in ("time", "not called"):
            outcome = Outcome(trouble="not called", message="It was not called here.")
        else:
            outcome = call(case, left)
        trouble = outcome.trouble
        yield outcome


def call_once(
    answer: Callable,
    case: Case,
    returns: tuple[str, ...],
    seconds: float,
    forbidden: tuple[str, ...],
    with_nodes: bool,
) -> Outcome:
    """Call `answer` once, on copies of the arguments."""
    given = copies(case.arguments)
    printed, warned = Printed(), list[str]()
    returned, trouble, message = None, "", ""
    nodes: Outputs = {}
    try:
        with listening(printed, warned), stop_after(seconds):
            value = answer(*given.values())
            if with_nodes:
                value, nodes = without_nodes(value, len(returns))
            returned = as_plain(value, returns, forbidden)
    except Unusable as unusable:
        trouble, message = unusable.trouble, str(unusable)
    except TimeIsUp:
        trouble, message = "time", "It had not come to an end when the time was up."
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # sys.exit() in a learner's function must not end the notebook's kernel.
        trouble = "not written" if isinstance(error, NotImplementedError) else "raised"
        message = describe_error(error)
    modified = tuple(
        name
        for name, before in case.arguments.items()
        if np.ndim(before) and not np.array_equal(given[name], before, equal_nan=True)
    )
    message, kept, *heard = (_whole(text) for text in (message, printed.kept, *warned))
    return Outcome(
        returned, trouble, message, modified, kept, printed.characters, tuple(heard), nodes
    )


def _whole(text: str) -> str:
    """Put a question mark for each half of a surrogate pair, which no page can hold."""
    return text.encode(errors="replace").decode()


def copies(arguments: Arguments) -> dict[str, Any]:
    """Copy what a function could write into."""
    return {name: np.copy(v) if np.ndim(v) else v for name, v in arguments.items()}


def without_nodes(value: Any, wanted: int) -> tuple[Any, Outputs]:  # noqa: ANN401
    """Take a dict of arrays off the end of what came back; what cannot be read is left out."""
    if not isinstance(value, tuple | list) or len(value) != wanted + 1:
        return value, {}
    *answer, beside = value
    if not isinstance(beside, dict):
        return value, {}
    nodes = {}
    for name, one in beside.items():
        with contextlib.suppress(Unusable):
            nodes[str(name)] = _as_array(one, str(name), ())
    return (answer[0] if wanted == 1 else answer), nodes


class Unusable(Exception):  # noqa: N818 - it is about a value, and no error of ours
    """What came back cannot be judged."""

    def __init__(self, trouble: str, message: str) -> None:
        super().__init__(message)
        self.trouble = trouble


def as_plain(
    value: Any,  # noqa: ANN401 - whatever came back
    names: tuple[str, ...],
    forbidden: tuple[str, ...] = (),
) -> Outputs:
    """Turn what a function returned into plain arrays by name, sharing no memory with it.

    `Unusable` is None, a wrong number of values, or anything that is not made of numbers.
    """
    if value is None:
        raise Unusable("none", "It returned None. Is there a `return` on every way out?")
    if len(names) == 1:
        if isinstance(value, tuple):
            raise Unusable("type", f"It returned {_a_tuple(value)}, where one array is asked for.")
        return {names[0]: _as_array(value, "What it returned", forbidden)}
    wanted = f"{len(names)} values ({', '.join(names)})"
    if not isinstance(value, tuple | list):
        raise Unusable("type", f"It returned one {_kind_of(value)}, where {wanted} are asked for.")
    if len(value) != len(names):
        raise Unusable("type", f"It returned {_a_tuple(value)}, where {wanted} are asked for.")
    return {
        name: _as_array(one, f"`{name}`", forbidden) for name, one in zip(names, value, strict=True)
    }


def _a_tuple(value: tuple | list) -> str:
    if len(value) == 1:
        return f"a {type(value).__name__} of one (is there a comma too many?)"
    return f"a {type(value).__name__} of {len(value)}"


def _as_array(value: Any, it: str, forbidden: tuple[str, ...]) -> np.ndarray:  # noqa: ANN401
    """Copy a value into a plain array; numbers only."""
    kind = _kind_of(value)
    if kind.partition(".")[0] in forbidden:
        raise Unusable("type", f"{it} is a {kind}, where a NumPy array is asked for.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = np.array(value, copy=True, subok=False)
    except Exception:
        raise Unusable("type", f"{it} cannot be read as an array of numbers: {kind}.") from None
    if array.dtype.kind not in "fiu":
        raise Unusable("type", f"{it} is not an array of real numbers: {kind} of {array.dtype}.")
    return array


def _kind_of(value: Any) -> str:  # noqa: ANN401
    """Name a value's type, with its package unless that is Python itself."""
    package = str(type(value).__module__).partition(".")[0]
    return f"{package}.{type(value).__name__}".removeprefix("builtins.")


# ---- the time limit


class TimeIsUp(BaseException):
    """The call took too long. Not an Exception: a bare ``except Exception`` must not catch it."""


def stop_after(seconds: float) -> AbstractContextManager[None]:
    """Raise `TimeIsUp` in a block that takes longer than so many seconds.

    On Windows and in other threads than the main one there is no limit, and the learner interrupts
    the kernel. A single call into compiled code ends first.
    """

    def ring() -> None:
        raise TimeIsUp

    return alarm(ring, seconds, _RING_AGAIN)


# ---- what it prints and warns


class Printed(io.TextIOBase):
    """Keep the beginning of what is printed, and count the rest."""

    kept = ""
    characters = 0

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Take some text."""
        self.kept += text[: max(0, _KEPT_CHARACTERS - len(self.kept))]
        self.characters += len(text)
        return len(text)


@contextlib.contextmanager
def listening(printed: Printed, warned: list[str]) -> Iterator[None]:
    """Catch what is printed, and the first few warnings."""

    def note(message: Warning | str, *_: object, **__: object) -> None:
        if len(warned) < _KEPT_WARNINGS and str(message) not in warned:
            warned.append(str(message))

    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        warnings.showwarning = note
        yield


# ---- errors, and where in the learner's own lines they arose


def describe_error(error: BaseException) -> str:
    """Say what was raised, and on which of the learner's lines."""
    try:
        with stop_after(_SECONDS_TO_SPEAK):  # its text may be a program of the learner's
            text = " ".join(str(error).split())
    except (Exception, TimeIsUp):
        text = ""
    kind = " ".join(type(error).__name__.split())
    said = f"It raised {kind[:80]}" + (f": {text[:200]}" if text else "")
    line, trace = "", error.__traceback__
    while trace is not None:  # the last line that is neither a library's nor this package's
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(("<frozen", "<normlab", _THIS_PACKAGE, *_LIBRARIES)):
            line = linecache.getline(file, trace.tb_lineno).strip()
        trace = trace.tb_next
    return f"{said}\nat the line  {line[:120]}" if line else said


# ---- before any call: can it be called, and on whose shoulders does it stand?


class Objection(NamedTuple):
    """Why an answer cannot be called at all, and what to do."""

    message: str
    advice: str


def objection(
    answer: Any,  # noqa: ANN401
    name: str,
    parameters: tuple[str, ...],
    methods: tuple[str, ...] = (),
) -> Objection | None:
    """Say why `answer` cannot be called with these parameters, or None where it can.

    With `methods` it has to be a class that has them, and the parameters are its constructor's.
    """
    try:
        return _objection(answer, name, parameters, methods)
    except Exception:
        return None  # an object that resists being looked at: the calls will show


def _objection(
    answer: Any,  # noqa: ANN401
    name: str,
    parameters: tuple[str, ...],
    methods: tuple[str, ...],
) -> Objection | None:
    itself = f'without parentheses or quotes: check("{name}", {name})'
    asked = f"{name}({', '.join(parameters)})"
    is_class = isinstance(answer, type)
    if methods and not is_class:
        kind = _kind(answer) if answer is None else f"{_kind(answer)}: an object, and no class"
        kind = "a function" if inspect.isroutine(answer) else kind
        wrong = f"This task asks for a class, and this is {kind}."
        return Objection(wrong, f"give the class itself, {itself}")
    if not callable(answer):
        result = ": the result of a call" if isinstance(answer, np.ndarray) else ""
        wrong = f"This is not a function but {_kind(answer)}{result}."
        return Objection(wrong, f"give the function itself, {itself}")
    if is_class and not methods:
        wrong = f"This is a class ({_name(answer)}), and the task asks for a function."
        return Objection(wrong, f'write `def {asked}` and run check("{name}", {name})')
    found = {f"`{method}`": inspect.getattr_static(answer, method, None) for method in methods}
    # What binds itself to the object, such as a property or a partialmethod, may be a method, too.
    missing = [
        method
        for method, value in found.items()
        if not (callable(value) or hasattr(type(value), "__get__"))
    ]
    if missing:
        wrong = f"Your class has no method {' and '.join(missing)}."
        return Objection(wrong, "write the methods that the task names, inside the class.")
    signature = inspect.signature(answer)  # a function written in C may have none
    try:
        signature.bind(*parameters)
    except TypeError:
        made, take = f"Your function is called as {_name(answer)}", "give it these arguments"
        if is_class:
            made = f"An object of your class is made as {name}"
            take = "let `__init__` take these arguments after `self`"
        wrong = f"{made}{signature}, and the task's as {asked}."
        return Objection(wrong, f"{take}, in this order.")
    return None


def _kind(value: Any) -> str:  # noqa: ANN401
    name = "array" if isinstance(value, np.ndarray) else type(value).__name__
    article = "an" if name[:1].lower() in "aeiou" else "a"
    return "None" if value is None else f"{article} {name}"


def _name(value: Any) -> str:  # noqa: ANN401
    try:
        name = value.__name__
    except Exception:  # it resists being asked, which is no reason to call it
        name = None
    return name if isinstance(name, str) else type(value).__name__


def borrowed(answer: Any, forbidden: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ANN401
    """Name the forbidden packages that a function or class, or a helper of its file, reaches for.

    It reads the code and does not run it, so it can be deceived; the grader does not rely on it,
    where those packages are not there to be imported.
    """
    found: set[str] = set()
    try:
        if isinstance(answer, type):
            found.update(_package(base) for base in answer.__mro__)
        for function in _methods_of(answer) if isinstance(answer, type) else [answer]:
            _look_into(function, found, seen=set())
    except Exception:
        return ()  # an object that resists being looked at
    return tuple(name for name in forbidden if name in found)


def kept_between_calls(answer: Any) -> dict[str, str]:  # noqa: ANN401
    """Name the places where a function can keep something from call to call, with what is there.

    They are defaults that can change, its own attributes, and global names that it reads.
    """
    try:
        function = _underlying_function(answer)
        return _kept(function) if function else {}
    except Exception:
        return {}  # an object that resists being looked at


def _kept(function: types.FunctionType) -> dict[str, str]:
    code, given = function.__code__, function.__defaults__ or ()
    named = code.co_varnames[code.co_argcount - len(given) : code.co_argcount]
    defaults = zip(named, given, strict=True)
    places = {f"the default of `{name}`": value for name, value in defaults}
    places |= {f"`{function.__name__}.{name}`": value for name, value in vars(function).items()}
    read = function.__globals__
    places |= {f"the global name `{name}`": read.get(name) for name in code.co_names}
    plain = (list, dict, set, np.ndarray, int, float, type(None))
    return {place: repr(value) for place, value in places.items() if isinstance(value, plain)}


def _methods_of(answer: type) -> Iterator[Any]:
    """Yield the functions in the bodies of a class and of its bases in the same file."""
    for base in answer.__mro__:
        if base.__module__ == answer.__module__:
            for value in vars(base).values():
                if isinstance(value, property):
                    yield from (part for part in (value.fget, value.fset) if part)
                elif callable(function := getattr(value, "__func__", value)):
                    yield function


def _look_into(value: Any, found: set[str], seen: set[int]) -> None:  # noqa: ANN401
    function = _underlying_function(value)
    if function is None or id(function) in seen:
        return
    seen.add(id(function))
    for code in codes(function.__code__):
        for instruction in dis.get_instructions(code):
            name = instruction.argval
            if instruction.opname == "IMPORT_NAME":
                found.add(str(name).partition(".")[0])
            elif instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                used = function.__globals__.get(name)
                found.add(_package(used))
                if getattr(used, "__module__", None) == function.__module__:
                    _look_into(used, found, seen)
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # an empty cell
            found.add(_package(cell.cell_contents))
            _look_into(cell.cell_contents, found, seen)


def _underlying_function(value: Any) -> types.FunctionType | None:  # noqa: ANN401
    while isinstance(value, functools.partial | types.MethodType):
        value = value.func if isinstance(value, functools.partial) else value.__func__
    if isinstance(value, types.FunctionType):
        return value
    call = inspect.getattr_static(type(value), "__call__", None)
    return call if isinstance(call, types.FunctionType) else None


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Walk a code object and those of the functions defined inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def _package(value: Any) -> str:  # noqa: ANN401
    """Name the package that a module, function, class or object comes from."""
    if isinstance(value, types.ModuleType):
        return value.__name__.partition(".")[0]
    owner = getattr(value, "__module__", None) or type(value).__module__
    return owner.partition(".")[0] if isinstance(owner, str) else ""
