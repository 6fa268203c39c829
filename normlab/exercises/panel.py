"""A report, and how it is drawn: as HTML for a notebook, as text for everything else.

JupyterLab cleans the HTML of a notebook that it does not trust, so there are only inline styles,
and no scripts. All text takes the colours of the page around it, dark or light; green and red
are on the marks alone, which differ in shape and in word as well.
"""

import re
import textwrap
from dataclasses import dataclass, field
from html import escape
from itertools import zip_longest

_WIDTH = 79
GREEN, RED, GREY = "#2e9e5b", "#d9534f", "rgba(128,128,128,0.45)"


@dataclass(frozen=True)
class Remark:
    """A paragraph: a label such as "Hint", and text; or, with `code`, lines set as they are.

    `beside` is a second block of lines, to be set to the right of the first where there is room.
    """

    text: str
    label: str = ""
    code: bool = False
    beside: str = ""


@dataclass(frozen=True)
class Line:
    """One aspect, as it is shown."""

    title: str
    points: int
    max_points: int
    remarks: tuple[Remark, ...] = ()
    follows: str = ""

    @property
    def passed(self) -> bool:
        """Whether all its points are there."""
        return self.points == self.max_points


@dataclass(frozen=True)
class Report:
    """The answer of `check`. It shows itself: a panel in a notebook, text elsewhere.

    Parameters
    ----------
    name
        Of the exercise.
    lines
        The aspects.
    head
        What concerns the answer as a whole: it is no function, not begun, not NumPy.
    notes
        What is worth knowing besides: what was printed, warnings of NumPy.
    next_step
        What to try next.
    mistakes
        The keys of the named mistakes.
    begun
        False where nothing was written yet.
    """

    name: str
    lines: tuple[Line, ...] = ()
    head: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()
    next_step: str = ""
    mistakes: tuple[str, ...] = field(default=())
    begun: bool = True

    @property
    def points(self) -> int:
        """The sum over the aspects."""
        return sum(line.points for line in self.lines)

    @property
    def max_points(self) -> int:
        """What could be reached."""
        return sum(line.max_points for line in self.lines)

    @property
    def passed(self) -> bool:
        """Whether all points are there."""
        return bool(self.lines) and self.points == self.max_points

    @property
    def trouble(self) -> str:
        """What is wrong, in a sentence; "" where nothing is."""
        remarks = [*self.head, *(one for line in self.lines for one in line.remarks)]
        said = ""
        for remark in remarks:
            if not remark.code:
                said = f"{said} {remark.text}".strip()
                if not said.endswith(":"):  # "On (3, 2), weight 1, bias 0:" says nothing yet
                    break
        return said

    def __str__(self) -> str:
        return text_panel(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_panel(self)


def text_panel(report: Report) -> str:
    """Write a report as lines of text, at most 79 characters wide where words allow."""
    rows = [_text_header(report)]
    for remark in report.head:
        rows += _text_remark(remark, indent=2)
    for line in report.lines:
        rows += _text_line(line, report.begun)
    for remark in report.notes:
        rows += _text_remark(remark, indent=2)
    if report.next_step:
        rows += textwrap.wrap(f"Next: {report.next_step}", _WIDTH)
    return "\n".join(rows)


def _text_header(report: Report) -> str:
    if not report.lines:
        return report.name
    score = f"{report.points} of {report.max_points} points"
    return f"{report.name:{_WIDTH - len(score)}}{score}"


def _text_line(line: Line, begun: bool) -> list[str]:
    mark = "pass" if line.passed else "FAIL" if begun else "open"
    follows = f"     {line.follows}" if line.follows else ""
    rows = [f"  {mark}  {line.title:47}{line.points} / {line.max_points}{follows}"]
    for remark in line.remarks:
        rows += _text_remark(remark, indent=8)
    return rows


def _text_remark(remark: Remark, indent: int) -> list[str]:
    margin = " " * indent
    if remark.code:
        text = _beside(remark.text, remark.beside) if remark.beside else remark.text
        return [f"{margin}  {row}".rstrip() for row in text.split("\n")]
    text = f"{remark.label}: {remark.text}" if remark.label else remark.text
    return textwrap.wrap(text, _WIDTH, initial_indent=margin, subsequent_indent=margin)


def _beside(left: str, right: str) -> str:
    """Set two blocks of lines side by side, or below each other where they are too wide."""
    lefts, rights = left.split("\n"), right.split("\n")
    width = max(map(len, lefts)) + 4
    if width + max(map(len, rights)) > _WIDTH - 10:
        return f"{left}\n{right}"
    rows = (f"{a:{width}}{b}".rstrip() for a, b in zip_longest(lefts, rights, fillvalue=""))
    return "\n".join(rows)


def html_panel(report: Report) -> str:
    """Write a report as a panel of HTML that fits a narrow column."""
    parts = [
        _html_header(report),
        *(_html_remark(remark) for remark in report.head),
        *(_html_line(line, report.begun) for line in report.lines),
        *(_html_remark(remark) for remark in report.notes),
    ]
    if report.next_step:
        parts.append(
            f'<div style="border-top:1px solid {GREY};margin-top:0.4em;padding-top:0.3em">'
            f"<b>Next:</b> {escape(report.next_step)}</div>"
        )
    return in_a_frame("\n".join(parts))


def in_a_frame(html: str) -> str:
    """Put a frame around HTML, as all that a check says has one."""
    return (
        f'<div style="max-width:46em;border:1px solid {GREY};border-radius:6px;'
        f'padding:0.5em 0.9em;line-height:1.45">\n{html}\n</div>'
    )


def wrapped(text: str) -> str:
    """Break a text into lines as wide as a report's."""
    return textwrap.fill(text, _WIDTH)


def _html_header(report: Report) -> str:
    score = f"{report.points} of {report.max_points} points" if report.lines else ""
    return (
        '<div style="display:flex;flex-wrap:wrap;justify-content:space-between;column-gap:2em;'
        f'border-bottom:1px solid {GREY};margin-bottom:0.3em">'
        f"<b>{escape(report.name)}</b> <b>{score}</b></div>"
    )


def _html_line(line: Line, begun: bool) -> str:
    mark, word, colour = ("✓", "pass", GREEN) if line.passed else ("✗", "FAIL", RED)
    if not begun:
        mark, word, colour = "○", "open", GREY
    follows = f" <i>({escape(line.follows)})</i>" if line.follows else ""
    head = (
        '<div style="display:flex;gap:0.7em">'
        f'<span style="white-space:nowrap;min-width:3.6em"><b style="color:{colour}">{mark}</b> '
        f"{word}</span>"
        f'<span style="flex:1">{escape(line.title)}{follows}</span>'
        f'<span style="white-space:nowrap">{line.points} / {line.max_points}</span></div>'
    )
    if not line.remarks:
        return head
    inside = "".join(_html_remark(remark) for remark in line.remarks)
    margin = f"margin:0.2em 0 0.5em 0.4em;border-left:3px solid {colour};padding-left:0.9em"
    return f'{head}\n<div style="{margin}">{inside}</div>'


def _html_remark(remark: Remark) -> str:
    if remark.code:
        blocks = "".join(_html_code(text) for text in (remark.text, remark.beside) if text)
        return f'<div style="display:flex;flex-wrap:wrap;column-gap:2em">{blocks}</div>'
    label = f"<b>{escape(remark.label)}:</b> " if remark.label else ""
    return f"<div>{label}{marked_up(remark.text)}</div>"


def marked_up(text: str) -> str:
    """Write a text as HTML, what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _html_code(text: str) -> str:
    style = (
        "white-space:pre;overflow-x:auto;max-width:100%;margin:0.2em 0;padding:0.2em 0;"
        "font-size:0.92em;background:none"
    )
    return f'<pre style="{style}">{escape(text)}</pre>'
