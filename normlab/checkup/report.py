"""What the doctor says: findings, as text and as a panel in a notebook."""

import html
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from normlab.checkup.conditions import LEVELS, Condition

_SHOWN = 3  # layers of one condition that are named one by one
_WIDTH = 88  # characters of a line of text
_MARKS = {"wrong": "✗", "suspicious": "!", "unseen": "?", "note": "·"}
# Shades that are told apart on white and on black alike; the words beside them say the same.
_SHADES = {"wrong": "#d1242f", "suspicious": "#bf6a02", "unseen": "#6e6aa8", "note": "#7f7f7f"}
_WELL = "#2e8b57"
_PANEL = "border: 1px solid; border-left-width: 6px; border-radius: 4px; padding: 0.5em 1em"
_WIDE = "max-width: 52em; line-height: 1.45"


@dataclass(frozen=True)
class Finding:
    """A condition of one layer.

    Attributes
    ----------
    condition
        What it is, why it matters, what to do.
    layer
        The layer's name, as in ``model.named_modules()``; empty for the model itself.
    what
        What was seen there, with numbers.
    """

    condition: Condition
    layer: str
    what: str


class Examination:
    """The doctor's findings.

    Attributes
    ----------
    looked_at
        What was looked at, and how, in sentences.
    findings
        The findings, the worst first.
    """

    def __init__(self, looked_at: Sequence[str], findings: Iterable[Finding]) -> None:
        self.looked_at = list(looked_at)
        self.findings = sorted(findings, key=lambda found: LEVELS.index(found.condition.level))

    @property
    def healthy(self) -> bool | None:
        """Whether nothing was found, notes not counted; None where not all could be looked at."""
        levels = {found.condition.level for found in self.findings}
        if levels & {"wrong", "suspicious"}:
            return False
        return None if "unseen" in levels else True

    def names(self) -> list[str]:
        """Return the names of the conditions found, each once, the worst first."""
        return [condition.name for condition in self._by_condition()]

    def _by_condition(self) -> dict[Condition, list[Finding]]:
        groups: dict[Condition, list[Finding]] = {}
        for found in self.findings:
            groups.setdefault(found.condition, []).append(found)
        return groups

    def __str__(self) -> str:
        lines = [*self.looked_at, self._summary()]
        for condition, found in self._by_condition().items():
            lines += ["", f"{condition.level.upper()}: {condition.name}"]
            lines += [f"    {line}" for line in _layers(found)]
            lines += [f"  {head + ':':5} {text}" for head, text in _advice(condition)]
        return "\n".join(textwrap.fill(line, _WIDTH, subsequent_indent=" " * 8) for line in lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        worst = "" if self.healthy else self.findings[0].condition.level
        intro = "<br>".join(html.escape(line) for line in self.looked_at)
        mark = _mark(_MARKS.get(worst, "✓"), _SHADES.get(worst, _WELL))
        parts = [f"<div>{intro}</div><div>{mark} <strong>{self._summary()}</strong></div>"]
        parts += [_panel(condition, found) for condition, found in self._by_condition().items()]
        style = f"{_PANEL}; {_WIDE}; border-color: {_SHADES.get(worst, _WELL)}"
        return (
            f'<section aria-label="the doctor\'s report" style="{style}">{"".join(parts)}</section>'
        )

    def _summary(self) -> str:
        if not self.findings:
            return "Nothing suspicious found."
        levels = Counter(condition.level for condition in self._by_condition())  # the worst first
        counts = ", ".join(f"{number} {level}" for level, number in levels.items())
        doubt = "The rest cannot be called healthy: not all was seen."
        return f"Found: {counts}. {doubt if self.healthy is None else ''}".rstrip()


def _layers(found: Sequence[Finding]) -> list[str]:
    lines = [f"{one.layer or 'the model'}: {one.what}" for one in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN} more layers")
    return lines


def _advice(condition: Condition) -> list[tuple[str, str]]:
    where = f"lesson {condition.lesson[:2]}, “{condition.section}”"
    return [("why", condition.why), ("do", condition.cure), ("read", where)]


def _mark(mark: str, shade: str) -> str:
    return f'<strong aria-hidden="true" style="color: {shade}">{mark}</strong>'


def _panel(condition: Condition, found: Sequence[Finding]) -> str:
    """Show one condition: its layers, and folded away for a note why it matters and what to do."""
    mark = _mark(_MARKS[condition.level], _SHADES[condition.level])
    title = f"{mark} {condition.level}: <strong>{html.escape(condition.name)}</strong>"
    layers = "".join(f"<li><code>{html.escape(line)}</code></li>" for line in _layers(found))
    advice = "".join(
        f"<div><em>{head}:</em> {html.escape(text)}</div>" for head, text in _advice(condition)
    )
    unfolded = "" if condition.level == "note" else " open"
    return (
        f'<details{unfolded} style="margin-top: 0.6em"><summary>{title}</summary>'
        f'<ul style="margin: 0.2em 0">{layers}</ul>{advice}</details>'
    )
