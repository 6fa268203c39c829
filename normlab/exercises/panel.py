"""A report, and how it is drawn: as HTML for a notebook, as text for everything else.

JupyterLab cleans the HTML of a notebook that it does not trust, so there are only inline styles,
and no scripts. All text takes the colours of the page around it, dark or light; green and red
are on the marks alone, which differ in shape and in word as well.
"""

import functools
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import zip_longest

from normlab.audience import nobody_is_there

_WIDTH = 79
GREEN, RED, GREY = "#2e9e5b", "#d9534f", "rgba(128,128,128,0.45)"
_DIM = "#888888"
#: A sign, a word and a colour.
PASS, FAIL = ("✓", "pass", GREEN), ("✗", "FAIL", RED)
_RULE = f"1px solid {GREY}"


@dataclass(frozen=True)
class Remark:
    """A paragraph: a label such as "Hint", and text; or, with `code`, lines set as they are.

    `beside` is a second block of lines, to be set to the right of the first where there is room.
    What is `inside` comes below the text; a notebook folds it away.
    """

    text: str
    label: str = ""
    code: bool = False
    beside: str = ""
    inside: tuple["Remark", ...] = ()

    @property
    def fits_beside(self) -> bool:
        """Whether there is room, in plain text, for `beside` to the right."""
        return _width(self.text) + 4 + _width(self.beside) <= _WIDTH - 10


@dataclass(frozen=True)
class Line:
    """One aspect, as it is shown."""

    title: str
    points: int
    max_points: int
    remarks: tuple[Remark, ...] = ()
    follows: str = ""
    begun: bool = True
    told: bool = False

    @property
    def passed(self) -> bool:
        """Whether all its points are there, and nothing is told where there are none to have."""
        return self.points == self.max_points and not self.told

    @property
    def mark(self) -> tuple[str, str, str]:
        """A sign, a word and a colour."""
        if not self.begun:
            return "○", "open", _DIM
        return PASS if self.passed else FAIL


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
    achieved
        Completes "You can now ...", for an answer with all points.
    links
        Where some words of `next_step` lead to.
    unexplained
        The number of the first line of which no known mistake gives the numbers.
    search
        Looks for the place in the learner's own source, and says what it found. That takes up to
        a second, so it is called when the report is shown, and once.
    """

    name: str
    lines: tuple[Line, ...] = ()
    head: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()
    next_step: str = ""
    mistakes: tuple[str, ...] = field(default=())
    achieved: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    unexplained: int | None = None
    search: Callable[[], tuple[Remark, ...]] | None = field(default=None, compare=False)

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
        """Whether all points are there, and nothing is told where there are none to have."""
        return bool(self.lines) and all(line.passed for line in self.lines)

    @property
    def begun(self) -> bool:
        """Whether there is anything to judge."""
        return not self.lines or any(line.begun for line in self.lines)

    @property
    def score(self) -> str:
        """The points, in words."""
        if not self.lines:
            return ""
        if not self.begun:
            return f"not begun: 0 of {self.max_points} points"
        return f"{self.points} of {self.max_points} points"

    @property
    def praise(self) -> str:
        """What the learner now can do, or "" where something is still to be done."""
        return f"All points. You can now {self.achieved}" if self.passed and self.achieved else ""

    @functools.cached_property
    def whole(self) -> "Report":
        """The report with what the search found, if there is one."""
        return self if self.search is None else self._with(self.search())

    def _with(self, found: tuple[Remark, ...]) -> "Report":
        """Return the report with remarks put before all others about the first unexplained line."""
        if self.unexplained is None:
            return self
        lines = list(self.lines)
        line = lines[self.unexplained]
        lines[self.unexplained] = replace(line, remarks=(*found, *line.remarks))
        return replace(self, lines=tuple(lines), search=None)

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
        return text_panel(self.whole)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_panel(self.whole)

    def _ipython_display_(self) -> None:
        """Show the panel at once, and the place when it is found.

        Where there is nothing to look for, or nobody waits, IPython goes on as it always does.
        """
        from IPython import get_ipython
        from IPython.display import display

        if self.search is None or nobody_is_there() or not hasattr(get_ipython(), "kernel"):
            raise NotImplementedError
        looking = Remark("Looking for the place in your own lines ...")
        shown = display(self._with((looking,)), display_id=True)
        shown.update(self.whole)


def text_panel(report: Report) -> str:
    """Write a report as lines of text, at most 79 characters wide where words allow."""
    score = report.score
    rows = [f"{report.name:{_WIDTH - len(score)}}{score}" if score else report.name]
    if report.praise:
        rows += textwrap.wrap(report.praise, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    for remark in report.head:
        rows += _text_remark(remark, indent=2)
    for line in report.lines:
        rows += _text_line(line)
    for remark in report.notes:
        rows += _text_remark(remark, indent=2)
    if report.next_step:
        rows += textwrap.wrap(f"Next: {report.next_step}", _WIDTH)
    return "\n".join(rows)


def _text_line(line: Line) -> list[str]:
    follows = f"     {line.follows}" if line.follows else ""
    title = f"  {line.mark[1]}  {line.title:45}"
    rows = [f"{title}  {line.points} / {line.max_points}"]
    if line.passed and len(rows[0] + follows) > _WIDTH:
        rows.append(f"        {line.follows}")
    else:
        rows[0] += follows
    for remark in line.remarks:
        rows += _text_remark(remark, indent=8)
    return rows


def _text_remark(remark: Remark, indent: int) -> list[str]:
    margin = " " * indent
    if remark.code:
        text = _beside(remark) if remark.beside else remark.text
        return [f"{margin}  {row}".rstrip() for row in text.split("\n")]
    text = f"{remark.label}: {remark.text}" if remark.label else remark.text
    rows = textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=margin,
        subsequent_indent=margin,
        break_on_hyphens=False,  # a word that is searched for stays in one piece
    )
    return rows + [row for inner in remark.inside for row in _text_remark(inner, indent)]


def _beside(remark: Remark) -> str:
    """Set two blocks of lines side by side, or below each other where they are too wide."""
    if not remark.fits_beside:
        return f"{remark.text}\n{remark.beside}"
    blocks = remark.text.split("\n"), remark.beside.split("\n")
    width = _width(remark.text) + 4
    return "\n".join(f"{a:{width}}{b}".rstrip() for a, b in zip_longest(*blocks, fillvalue=""))


def _width(text: str) -> int:
    return max(map(len, text.split("\n")))


# ---- as HTML: a heading, a list of aspects, and a score that a screen reader announces


def html_panel(report: Report) -> str:
    """Write a report as a panel of HTML that fits a narrow column."""
    parts = [
        _html_header(report),
        *(html_remark(remark) for remark in report.head),
        html_rows([_html_line(line) for line in report.lines]),
        *(html_remark(remark) for remark in report.notes),
        html_next(_linked(report.next_step, report.links)),
    ]
    return in_a_frame("\n".join(part for part in parts if part))


def html_rows(rows: Sequence[str]) -> str:
    """Put rows into a list; "" where there are none."""
    inside = "\n".join(rows)
    style = "list-style:none;margin:0;padding:0"
    return f'<ul role="list" style="{style}">\n{inside}\n</ul>' if rows else ""


def html_next(html: str) -> str:
    """Write what to do next; "" where it is nothing."""
    style = f"border-top:{_RULE};margin-top:0.4em;padding-top:0.3em"
    return f'<div style="{style}"><b>Next:</b> {html}</div>' if html else ""


def in_a_frame(html: str) -> str:
    """Put a frame around HTML, as all that a check says has one."""
    return (
        f'<div style="max-width:46em;border:{_RULE};border-radius:6px;'
        f'padding:0.5em 0.9em;line-height:1.45">\n{html}\n</div>'
    )


def wrapped(text: str) -> str:
    """Break a text into lines as wide as a report's."""
    return textwrap.fill(text, _WIDTH)


def _html_header(report: Report) -> str:
    """Write name and score. A panel is put in all at once, so a screen reader has to be alerted.

    `status` would be quieter, but is announced only where it was there before its words.
    """
    praise = f'<div><b style="color:{GREEN}">✓</b> <b>{marked_up(report.praise)}</b></div>\n'
    return (
        f'<div role="alert" style="border-bottom:{_RULE};margin-bottom:0.3em">\n'
        '<div role="heading" aria-level="4" style="display:flex;flex-wrap:wrap;'
        'justify-content:space-between;column-gap:2em">'
        f"<b>{escape(report.name)}</b> <b>{report.score}</b></div>\n"
        f"{praise if report.praise else ''}</div>"
    )


def _html_line(line: Line) -> str:
    score = f"{line.points} / {line.max_points}"
    return html_row(line.mark, line.title, score, line.remarks, line.follows)


def html_row(
    signs: tuple[str, str, str],
    title: str,
    score: str,
    remarks: Sequence[Remark] = (),
    follows: str = "",
) -> str:
    """Write an aspect: sign, word and colour, the title, the points, and what is said of it."""
    mark, word, colour = signs
    follows = f" <i>({escape(follows)})</i>" if follows else ""
    head = (
        '<div style="display:flex;gap:0.7em">'
        f'<span style="white-space:nowrap;min-width:3.6em"><b style="color:{colour}">{mark}</b> '
        f"{word}</span> "
        f'<span style="flex:1">{escape(title)}{follows}</span> '
        f'<span style="white-space:nowrap">{score}</span></div>'
    )
    if not remarks:
        return f"<li>{head}</li>"
    inside = "".join(html_remark(remark) for remark in remarks)
    margin = f"margin:0.2em 0 0.5em 0.4em;border-left:3px solid {colour};padding-left:0.9em"
    return f'<li>{head}\n<div style="{margin}">{inside}</div></li>'


def html_remark(remark: Remark) -> str:
    """Write a paragraph, or lines of code."""
    if remark.code:
        blocks = "".join(_html_code(text) for text in (remark.text, remark.beside) if text)
        return f'<div style="display:flex;flex-wrap:wrap;column-gap:2em">{blocks}</div>'
    label = f"<b>{escape(remark.label)}:</b> " if remark.label else ""
    text = f"{label}{marked_up(remark.text)}"
    if not remark.inside:
        return f"<div>{text}</div>"
    inside = "".join(html_remark(inner) for inner in remark.inside)
    return f"<details><summary>{text}</summary>{inside}</details>"


def _linked(text: str, links: Mapping[str, str]) -> str:
    html = marked_up(text)
    for words, target in links.items():
        link = f'<a href="{escape(target)}">{marked_up(words)}</a>'
        html = html.replace(marked_up(words), link, 1)
    return html


def marked_up(text: str) -> str:
    """Write a text as HTML, what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _html_code(text: str) -> str:
    style = (
        "white-space:pre;overflow-x:auto;max-width:100%;margin:0.2em 0;padding:0.2em 0;"
        "font-size:0.92em;background:none"
    )
    return f'<pre style="{style}">{escape(text)}</pre>'
