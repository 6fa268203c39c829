"""What the doctor says: findings, as text and as HTML."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from normlab.checkup.conditions import LEVELS, Condition

_SHOWN = 3  # layers of one condition that are named one by one
_CELL = "padding: 0.4em 1em 0.4em 0; text-align: left; vertical-align: top"


@dataclass(frozen=True)
class Finding:
    """A condition of one layer.

    Attributes
    ----------
    condition
        What it is, why it matters, what to do.
    layer
        The layer's name, as in ``model.named_modules()``.
    what
        What was seen there, with numbers.
    """

    condition: Condition
    layer: str
    what: str


class Report:
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
    def healthy(self) -> bool:
        """Whether nothing was found, notes not counted."""
        return all(found.condition.level == "note" for found in self.findings)

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
            lines += [f"  why:  {condition.why}", f"  do:   {condition.cure}"]
            lines += [f"  read: {_where(condition)}"]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        intro = "<br>".join(html.escape(line) for line in [*self.looked_at, self._summary()])
        rows = "".join(_row(condition, found) for condition, found in self._by_condition().items())
        if not rows:
            return f"<p>{intro}</p>"
        head = "".join(
            f'<th scope="col" style="{_CELL}">{title}</th>'
            for title in ("", "what and where", "why it matters", "what to do", "read")
        )
        return f"<p>{intro}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _summary(self) -> str:
        if not self.findings:
            return "Nothing suspicious found."
        counts = [
            f"{number} {level}"
            for level in LEVELS
            if (number := sum(c.level == level for c in self._by_condition()))
        ]
        return "Found: " + ", ".join(counts) + "."


def _layers(found: Sequence[Finding]) -> list[str]:
    lines = [f"{one.layer}: {one.what}" for one in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN} more layers")
    return lines


def _where(condition: Condition) -> str:
    return f"lesson {condition.lesson[:2]}, “{condition.section}”"


def _row(condition: Condition, found: Sequence[Finding]) -> str:
    name = f"<strong>{html.escape(condition.name)}</strong>"
    layers = "<br>".join(html.escape(line) for line in _layers(found))
    cells = [
        f"{name}<br>{layers}",
        html.escape(condition.why),
        html.escape(condition.cure),
        html.escape(_where(condition)),
    ]
    first = f'<th scope="row" style="{_CELL}">{condition.level}</th>'
    rest = "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)
    return f"<tr>{first}{rest}</tr>"
