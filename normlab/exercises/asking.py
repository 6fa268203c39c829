"""Questions in the one form of notebook, site and lecture (asking.js), and how a kernel hears.

Without a script each answer unfolds to what there is to say of it. The script makes a form of that,
which judges by itself and keeps the first answers in the browser. Where a kernel runs, the form
tells it the first answers through a field of ipywidgets that nobody sees.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from normlab.audience import nobody_is_there
from normlab.exercises.logbook import progress_file
from normlab.exercises.panel import GREEN, GREY, RED
from normlab.page import placed

#: The first answers, in the order of the questions: what was said, and whether it was right.
Answers = Sequence[tuple[Any, bool | None]]

_QUESTION = f"border-left:3px solid {GREY};padding-left:0.9em;margin:0 0 1.2em;line-height:1.45"
_ANSWER = "margin:0.2em 0 0.2em 1.2em"
_SUMMARY = "margin-left:-1.2em;padding-left:1.2em;text-indent:-1.2em;cursor:pointer"
_CODE = 'style="overflow-x:auto"'
_MARKS: Mapping[bool | None, tuple[str, str]] = {True: ("✓", GREEN), False: ("✗", RED)}


def written(asked: str, answers: Sequence[tuple[str, str, bool | None]], code: str = "") -> str:
    """Return a question as HTML that needs no script.

    Of each answer: itself, what there is to say of it (both as HTML), and whether it is right; None
    where nobody judges. The question is HTML, too; `code` stands under it.
    """
    name = digest("".join([asked, code, *(answer + verdict for answer, verdict, _ in answers)]))
    parts = [
        f'<p style="margin:0 0 0.3em">{asked}</p>',
        code and f"<pre {_CODE}>{escape(code)}</pre>",
    ]
    for answer, verdict, right in answers:
        sign, colour = ("", "") if right is None else _MARKS[right]
        mark = sign and f'<b style="color:{colour}">{sign}</b> '
        parts.append(
            f'<details{" class=right" if right else ""} style="{_ANSWER}">'
            f'<summary style="{_SUMMARY}">{answer}</summary>'
            f'<p style="margin:0.2em 0">{mark}{verdict}</p></details>'
        )
    return f'<div class="q" data-q="{name}" style="{_QUESTION}">{"".join(parts)}</div>'


def digest(text: str) -> str:
    """Return a short name for a text."""
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def shown(
    text: str, questions: Sequence[str], data: Mapping[str, Any], hear: Callable[[Answers], str]
) -> dict[str, Any]:
    """Return what a cell shows of questions, `written`, and let a kernel hear what is answered.

    `text` is for where no HTML is shown, `data` what asking.js asks its model for; at least a key
    for what the browser keeps. `hear` says in a sentence what it did with the first answers.
    """
    bridge = {} if nobody_is_there() else _bridge(hear)
    html = f'<div style="max-width:46em">{"".join(questions)}</div>'
    script = Path(__file__).with_suffix(".js")
    return {"text/plain": text, "text/html": placed(html, {**data, **bridge}, script)}


def _bridge(hear: Callable[[Answers], str]) -> dict[str, str]:
    """Show a field that nobody sees, and return under which name the page finds it."""
    from IPython.core.getipython import get_ipython

    if not hasattr(get_ipython(), "kernel"):
        return {}
    from IPython.display import display
    from ipywidgets import Text

    field = Text(layout={"display": "none"})

    def listen(change: Mapping[str, Any]) -> None:
        number, answers = json.loads(change["new"])
        field.placeholder = f"{number}|{hear(answers)}"

    field.observe(listen, names="value")
    name = f"nx-{uuid.uuid4().hex}"
    field.add_class(name)
    # Where a stored notebook has lost it, nothing is to be seen of it.
    display({**field._repr_mimebundle_(), "text/plain": "", "text/html": ""}, raw=True)
    return {"bridge": name}


def heard(what: str, trouble: str) -> str:
    """Say what became of first answers, after they were noted: "Your first guess"."""
    if trouble:
        return f"Note: {trouble}."
    return f"{what} counted in your progress." if progress_file() else ""
