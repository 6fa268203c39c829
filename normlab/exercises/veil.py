"""Keep back the next output of a notebook until a question is answered.

The output that answers a question is put into a ``<details>``, closed, which every notebook and web
page can open. It is opened for good, where it stands, as soon as the answer is given.
"""

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell
    from IPython.display import DisplayHandle

_WIDGET = "application/vnd.jupyter.widget-view+json"
_QUESTION = "data-q="
_PRE = "white-space:pre;overflow-x:auto;margin:0;padding:0.3em 0.5em;background:none"

Message = dict[str, Any]


class Veil:
    """What lies over the outputs of the cells after a question.

    So many cells of the notebook's shell answer it. The summary is written on the closed output,
    and a page finds it by its name.
    """

    def __init__(self, shell: "InteractiveShell", outputs: int, summary: str, name: str) -> None:
        self.shell, self.outputs, self.summary, self.name = shell, outputs, summary, name
        #: The cells whose output is under it, by their source, and what to open.
        self.cells: dict[str, tuple[DisplayHandle, list[Message]] | None] = {}
        self.lifted = False
        self._capture: _Capture | None = None
        self._source = ""
        shell.events.register("pre_run_cell", self._before)
        shell.events.register("post_run_cell", self._after)

    def lift(self) -> None:
        """Open what lies under it, and cover nothing more."""
        self.lifted = True
        self._let_go("pre_run_cell", self._before)
        if self._capture is None:  # else that cell ends first
            self._let_go("post_run_cell", self._after)
        for shown in self.cells.values():
            if shown:
                handle, messages = shown
                handle.update(_Shown(messages))
        self.cells = {}

    def _let_go(self, event: str, callback: Callable[..., None]) -> None:
        with contextlib.suppress(ValueError):  # lifted before
            self.shell.events.unregister(event, callback)

    def _before(self, info: "ExecutionInfo") -> None:
        if info.raw_cell in self.cells or len(self.cells) < self.outputs:
            self._source = info.raw_cell or ""
            self._capture = _Capture(self.shell)

    def _after(self, *_: object) -> None:
        if self._capture is None:
            return
        messages, self._capture = self._capture.end(), None
        if self.lifted:
            self._let_go("post_run_cell", self._after)
        elif messages:
            self.cells.setdefault(self._source, None)
        if self.lifted or any(map(_stays, messages)):
            for message in messages:
                self.shell.display_pub.publish(**message)
            return
        if not messages:
            return
        from IPython.display import display

        handle = display(_Shown(messages, self.summary, self.name), display_id=True)
        self.cells[self._source] = handle, messages


class _Capture:
    """What a cell shows and prints, kept back; its warnings, errors and progress bars are not."""

    def __init__(self, shell: "InteractiveShell") -> None:
        from IPython.core.displayhook import CapturingDisplayHook
        from IPython.core.displaypub import CapturingDisplayPublisher

        self.shell = shell
        self.messages: list[Message] = []
        self.printed = io.StringIO()
        self.before = shell.display_pub, shell.display_trap.hook, sys.stdout
        keeping: Any = CapturingDisplayPublisher()
        keeping.outputs = self.messages
        keeping.publish = _with_bars(self.before[0].publish, keeping.publish)
        shell.display_pub = keeping
        shell.display_trap.hook = CapturingDisplayHook(shell, self.messages)
        sys.stdout = self.printed

    def end(self) -> list[Message]:
        """Let everything through again, and return what was kept back."""
        self.shell.display_pub, self.shell.display_trap.hook, sys.stdout = self.before
        printed = self.printed.getvalue()
        text = [{"data": {"text/plain": printed.rstrip("\n")}, "metadata": {}}] if printed else []
        return text + [message for message in self.messages if message["data"]]


def _with_bars(publish: Callable[..., None], keep_back: Callable[..., None]) -> Callable[..., None]:
    """Return what shows a progress bar while it runs, and keeps back all else."""

    def either(data: Mapping[str, Any], *rest: Any, **more: Any) -> None:  # noqa: ANN401
        (publish if _WIDGET in data else keep_back)(data, *rest, **more)

    return either


class _Shown:
    """Outputs that were kept back: open, or closed under a summary."""

    def __init__(self, messages: Iterable[Message], summary: str = "", name: str = "") -> None:
        self.messages, self.summary, self.name = list(messages), summary, name

    def _repr_html_(self) -> str:
        html = "\n".join(_html(message["data"]) for message in self.messages)
        if not self.summary:
            return html
        fold = f'<details class="{self.name}"><summary>{escape(self.summary)}</summary>'
        return f"{fold}\n{html}\n</details>"

    def __repr__(self) -> str:
        text = "\n".join(message["data"].get("text/plain", "") for message in self.messages)
        return f"[{self.summary}]\n{text}" if self.summary else text


def _stays(message: Message) -> bool:
    """Tell whether this cannot be put elsewhere: a widget, or a question in its turn."""
    data = message["data"]
    return _WIDGET in data or _QUESTION in data.get("text/html", "")


def _html(data: Mapping[str, Any]) -> str:
    if "text/html" in data:
        return data["text/html"]
    if "image/png" in data:
        return f'<img src="data:image/png;base64,{data["image/png"]}" alt="{escape(repr(data))}">'
    return f'<pre style="{_PRE}">{escape(data.get("text/plain", ""))}</pre>'
