"""Run a notebook's cells, and call its functions with what the grader sends.

Nothing here knows what is right: it answers the requests that come in, one by one. The learner's
code runs in the same process and can do with it as it likes. All that it can reach is data, and
all that it can send is taken for an answer of the learner's.
"""

import ast
import builtins
import dataclasses
import functools
import linecache
import operator
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

from normlab.exercises import calling
from normlab.exercises.use import load
from normlab.grading.prison import reading, wire
from normlab.grading.prison.sandbox.probe import probe
from normlab.grading.prison.sandbox.used_names import names_used_by, same
from normlab.tasks.case import Case

_MOST_NOTES = 20
_MOST_KEPT = 2**16
_MOST_DEFINITIONS = 50
_MOST_PLACES = 8
_MOST_CHANGED = 5
_MOST_TOGETHER = 2**20  # bytes of arrays, in one message
_OUTCOME = [field.name for field in dataclasses.fields(calling.Outcome)]
_KEPT_PROBLEM = 500


class Channel:
    """Messages to and from the grader, kept until `flush`: each by itself would wake the grader.

    `read_some` waits for so many bytes at most; `write_some` writes some, and returns how many.
    """

    def __init__(
        self, read_some: Callable[[int], bytes], write_some: Callable[[memoryview], int]
    ) -> None:
        self._read_some, self._write_some = read_some, write_some
        self._sending = threading.RLock()
        self._kept = bytearray()

    def receive(self) -> Any:  # noqa: ANN401
        """Wait for a message; the process ends where there will be no more."""
        (size,) = wire.LENGTH.unpack(self._read(wire.LENGTH.size))
        return wire.decode(self._read(size))

    def _read(self, size: int) -> bytes:
        parts, left = [], size
        while left:
            part = self._read_some(min(left, 2**20))
            if not part:
                os._exit(0)
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def send(self, message: Any) -> None:  # noqa: ANN401
        """Send a message, sooner or later."""
        data = wire.framed(message)
        with self._sending:
            self._kept += data
            if len(self._kept) > _MOST_KEPT:
                self.flush()

    def flush(self) -> None:
        """Send what is kept."""
        with self._sending:
            data, self._kept = memoryview(self._kept), bytearray()
            while data:
                data = data[self._write_some(data) :]

    def ready(self, failure: Exception | None = None) -> None:
        """Say first of all that the process is ready, or why it is not."""
        self.send({"failure": f"{type(failure).__name__}: {failure}" if failure else ""})
        self.flush()


class Child:
    """A submission's process: its cells, its names, and the answers to the grader's requests."""

    def __init__(self, channel: Channel, silent: object) -> None:
        self.channel = channel
        self.cells: list[str] = []
        self.module = types.ModuleType("__main__")
        names = {"get_ipython": silent, "display": silent, "check": silent}
        vars(self.module).update(names, __builtins__=sys.modules["builtins"])
        sys.modules["__main__"] = self.module
        self.defined: dict[str, list[Any]] = {}
        self.asked: dict[str, dict[str, Any]] = {}
        self.called: dict[str, tuple[list[Any], dict[str, Any]]] = {}
        self.missed: set[str] = set()

    def serve(self) -> None:
        """Answer requests until the grader has no more."""
        answers: dict[str, Callable[[dict[str, Any]], Iterator[dict[str, Any]]]] = {
            "read": self.read,
            "run": self.run,
            "call": self.call,
            "probe": probe,
        }
        while True:
            request = self.channel.receive()
            for answer in answers[request["do"]](request):
                self.channel.send({**answer, "number": request["number"]})
            self.channel.flush()

    # ---- the notebook

    def read(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Read the notebook; say how many cells there are, and where each task has its place."""
        last_only: dict[str, bool] = request["last_only"]
        self.defined = {name: [] for name in last_only}
        try:
            self.cells = reading.read_cells(request["notebook"])
        except reading.Unreadable as problem:
            yield {"problem": str(problem)}
            return
        except MemoryError:
            yield {"problem": "The file is too large to be read."}
            return
        defines = {
            name: [i for i, cell in enumerate(self.cells) if _defines(cell, name)][:_MOST_PLACES]
            for name in last_only
        }
        places = reading.places_of(self.cells, last_only).items()
        few = _MOST_PLACES // 2  # the first and the last
        yield {
            "problem": "",
            "cells": len(self.cells),
            "defines": defines,
            "places": {name: sorted({*found[:few], *found[-few:]}) for name, found in places},
        }

    def run(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Run some cells but for those that are left out; there is an answer for each."""
        for index in range(*request["cells"]):
            if index not in request["left_out"]:
                # The grader has to know which cell it is that does not come to an end.
                self.channel.flush()
                yield self._run_cell(index, request["seconds"])

    def _run_cell(self, index: int, seconds: float) -> dict[str, Any]:
        trouble, message = "", ""
        try:
            with calling.stop_after(seconds):
                self._execute(index)
        except calling.TimeIsUp:
            trouble, message = "time", "it had not come to an end when the time was up."
        except SyntaxError as error:
            trouble, message = "syntax", f"SyntaxError in line {error.lineno}: {error.msg}"
        except BaseException as error:
            trouble = "memory" if isinstance(error, MemoryError) else "raised"
            message = calling.describe_error(error)
        self._keep_what_is_defined()
        return {"trouble": trouble, "message": message[:_KEPT_PROBLEM]} if trouble else {}

    def _execute(self, index: int) -> None:
        source, name = self.cells[index], f"<cell {index + 1}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        code = reading.compile_plain(source, name)
        if code is not None:
            exec(code, self.module.__dict__)
            return
        for statement in reading.parse_cell(source):
            code = compile(ast.Module([statement], []), name, "exec")
            try:
                exec(code, self.module.__dict__)
            except ImportError:
                # The learner had more packages than there are here; the rest may not need them.
                if not isinstance(statement, ast.Import | ast.ImportFrom):
                    raise
                self._note_missed(statement)

    def _note_missed(self, statement: ast.Import | ast.ImportFrom) -> None:
        package = statement.module if isinstance(statement, ast.ImportFrom) else ""
        for one in statement.names:
            whole = f"{package}.{one.name}" if package else one.name
            self.missed.add(f"{one.asname or one.name.partition('.')[0]}={whole}")

    def _keep_what_is_defined(self) -> None:
        """Keep each definition of a task's name: a later cell may put the empty one back."""
        for name, known in self.defined.items():
            value = self.module.__dict__.get(name)
            if value is not None and not (known and known[-1] is value):
                known.append(value)

    # ---- its functions

    def call(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Call what the notebook defines under a task's name, in all cases.

        The first answer says what there is to be called: nothing, where neither that nor what it
        reads has another value than when it was called before. Of some definitions the last one
        is tried first, and another one only where that is not written; for each of them there are
        answers with the outcomes of some cases, until it is all.
        """
        asked = self.asked[request["name"]] = request["asked"] or self.asked[request["name"]]
        known = self.defined[asked["name"]][: -_MOST_DEFINITIONS - 1 : -1]
        objections = [self._objection(value, asked, request["seconds"]) for value in known]
        usable = [n for n, found in enumerate(objections) if found is None]
        usable = usable[: request["definitions"]]
        values = [known[n] for n in usable]
        again, changed = self._what_changed(asked["name"], values)
        yield {
            "found": len(known),
            "usable": len(usable) if again else 0,
            "which": [len(self.defined[asked["name"]]) - 1 - n for n in usable],
            "same": not again,
            "changed": changed[:_MOST_CHANGED],
            "objection": objections[0] if objections and not usable else None,
            "missed": sorted(self.missed),
        }
        self.channel.flush()  # the time of the calls begins
        for n in usable if again else ():
            begun, together, size = False, [], 0
            for outcome in self._outcomes(known[n], asked, request["seconds"]):
                begun = begun or outcome.trouble != "not written"
                # What is empty is left out.
                sent = {name: getattr(outcome, name) for name in _OUTCOME}
                together.append({name: value for name, value in sent.items() if value})
                arrays = [*(outcome.returned or {}).values(), *outcome.nodes.values()]
                size += sum(array.nbytes for array in arrays)
                if size > _MOST_TOGETHER:
                    yield {"outcomes": together}
                    together, size = [], 0
            if together:
                yield {"outcomes": together}
            if begun:
                break
            self.channel.flush()
        self.called[asked["name"]] = values, self._names_used_by(values)

    def _what_changed(self, name: str, values: list[Any]) -> tuple[bool, list[str]]:
        """Say whether a task has to be called again, and which of the names it reads changed."""
        before, used_before = self.called.get(name, (None, {}))
        if before is None or not values:
            return bool(values), []
        uses = self._names_used_by(values)
        changed = [n for n in uses if not same(uses[n], used_before.get(n, uses[n]))]
        others = len(values) != len(before) or any(map(operator.is_not, values, before))
        return bool(changed) or others, changed

    def _names_used_by(self, values: list[Any]) -> dict[str, Any]:
        try:
            return names_used_by(values, self.module.__dict__)
        except BaseException:
            return {}  # an object that resists being looked at

    def _objection(self, value: object, asked: dict[str, Any], seconds: float) -> list[str] | None:
        try:
            with calling.stop_after(seconds):
                takes, methods = tuple(asked["takes"]), tuple(asked["methods"])
                found = calling.objection(value, asked["name"], takes, methods)
        except BaseException:
            return None  # an object that resists being looked at: the calls will show
        return None if found is None else [found.message, found.advice]

    def _outcomes(
        self, answer: Callable[..., Any], asked: dict[str, Any], seconds: float
    ) -> Iterator[calling.Outcome]:
        """Call a definition in each case, or let a script put it to use, within one limit."""
        if asked["script"]:
            answer = functools.partial(_loaded(asked["script"]), answer)
        returns, forbidden = tuple(asked["returns"]), tuple(asked["forbidden"])

        def call(case: Case, left: float) -> calling.Outcome:
            try:
                return calling.call_once(
                    answer, case, returns, left, forbidden, asked["with_nodes"]
                )
            except BaseException as error:  # KeyboardInterrupt, or an alarm on the way out
                return calling.Outcome(trouble="raised", message=calling.describe_error(error))

        named = (dict(zip(asked["arguments"], values, strict=True)) for values in asked["cases"])
        return calling.in_turn(call, [Case("", (), arguments) for arguments in named], seconds)


def _defines(source: str, name: str) -> bool:
    return f"def {name}" in source or f"class {name}" in source or f"{name} =" in source


# ---- scripts that put an answer to use

_SCRIPTS: dict[str, Callable[..., Any]] = {}


def _loaded(texts: dict[str, str]) -> Callable[..., Any]:
    """Return a function that the grader sent; it is sent when it is needed, and no earlier."""
    *_, name = texts
    if name not in _SCRIPTS:
        _SCRIPTS[name] = protected(load(texts))
    return _SCRIPTS[name]


# ---- what the learner's code must not change under our hands

_COPIES: dict[str, types.ModuleType] = {}


def keep_copies(names: list[str]) -> None:
    """Keep these modules as they are now, before the learner's code can change them."""
    for name in names:
        copy = types.ModuleType(name)
        copy.__dict__.update(sys.modules[name].__dict__)
        _COPIES[name] = copy


def protected(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function, and those that it calls, use the kept copies."""
    seen: set[int] = set()

    def visit(value: Any) -> None:  # noqa: ANN401
        value = getattr(value, "__wrapped__", value)
        if isinstance(value, types.FunctionType) and id(value) not in seen:
            seen.add(id(value))
            use_copies(value.__globals__)
            for other in list(value.__globals__.values()):
                visit(other)
            for cell in value.__closure__ or ():
                visit(cell.cell_contents)

    visit(function)
    return function


def use_copies(names: dict[str, Any]) -> None:
    """Let the names of a module of ours mean the kept copies."""
    for name, value in list(names.items()):
        if isinstance(value, types.ModuleType) and value.__name__ in _COPIES:
            names[name] = _COPIES[value.__name__]


def give_own_builtins() -> None:
    """Let the learner's code have builtins of its own: to change them changes nothing of ours."""
    own = types.ModuleType("builtins", builtins.__doc__)
    own.__dict__.update(builtins.__dict__)
    own.__dict__["input"] = lambda *_: ""
    sys.modules["builtins"] = own


# ---- what it tried that it may not

_DEEDS = {
    "open a network connection": "socket.__new__ socket.connect socket.bind socket.sendto",
    "start another program": "subprocess.Popen os.system os.exec os.posix_spawn os.spawn",
    "start another process": "os.fork os.forkpty",
    "send a signal to a process": "os.kill os.killpg signal.pthread_kill",
    "reach past Python into a C library": "ctypes.dlopen",
    "change files": "os.chmod os.chown",
}
_TO_FILES = {
    "open": "open",
    "list": "os.listdir os.scandir",
    "delete": "os.remove os.rmdir shutil.rmtree",
    "rename": "os.rename",
    "change": "os.truncate",
    "make": "os.mkdir",
    "link to": "os.link os.symlink",
    "move": "shutil.move",
}
_EVENTS = {event: deed for deed, events in _DEEDS.items() for event in events.split()}
_PATHS = {event: deed for deed, events in _TO_FILES.items() for event in events.split()}


def watch(channel: Channel, allowed: tuple[str, ...]) -> None:
    """Note what the learner's code tries. It stops nothing: the kernel does."""
    noted: set[str] = set()

    def hook(event: str, arguments: tuple) -> None:
        if event in _EVENTS:
            note(_EVENTS[event])
        elif event in _PATHS and _is_outside(arguments[0], allowed):
            note(f"{_PATHS[event]} files outside its own folder")

    def note(what: str) -> None:
        if what not in noted and len(noted) < _MOST_NOTES:
            noted.add(what)
            channel.send({"note": what})
            channel.flush()

    sys.addaudithook(hook)


def _is_outside(path: Any, allowed: tuple[str, ...]) -> bool:  # noqa: ANN401
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str):
        return False  # an open file's number, or the folder it is in
    try:
        return not os.path.abspath(path).startswith(allowed)
    except OSError:  # it is in a folder of its own whose name is too long
        return False
