"""A ledger of findings: each claim with its verdict, and what was seen."""

import html
import inspect
import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from normlab.claims.claim import VERDICTS, Claim, load_claims, load_sources
from normlab.claims.evidence import CHECKS

_FILTER = Path(__file__).with_suffix(".js")
_IN_FRAGMENT = "!$&'()*+,/:;=?@"  # RFC 3986, section 3.5
_CELL = "padding: 0.3em 0.9em 0.3em 0; text-align: left; vertical-align: top; white-space: normal"
# A mark beside each word, so that nobody needs the colour; and the colour, dark on light.
_MARKS = {"right": "✓", "imprecise": "≈", "wrong": "✗", "contested": "⇄", "untestable": "?"}
_COLOURS = {
    "right": ("#cdeadb", "#00432f"),
    "imprecise": ("#fbe8b8", "#4d3a00"),
    "wrong": ("#f6cfc0", "#6b2200"),
    "contested": ("#cfe3f5", "#00345c"),
    "untestable": ("#e2e2e2", "#333333"),
}


@dataclass(frozen=True)
class Ruling:
    """A claim, what was found, and what was seen that says so."""

    claim: Claim
    verdict: str  # one of `VERDICTS`
    saw: str  # a sentence
    code: str = ""  # the function that found it; empty where a cell of lesson 11 did

    def __str__(self) -> str:
        first = f"{self.claim.id:4}{self.verdict:11}"
        return textwrap.fill(self.saw, 96, initial_indent=first, subsequent_indent=" " * len(first))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        badge = _badge(self.verdict, f"{self.claim.id} {self.verdict}")
        return (
            '<p style="margin: 0.2em 0; white-space: normal; max-width: 60em">'
            f"{badge} {html.escape(self.saw)}</p>"
        )


@dataclass(frozen=True)
class Map:
    """All findings as tiles, by verdict; each leads to its row of the table."""

    findings: tuple[Ruling, ...]

    def __str__(self) -> str:
        lines = (
            f"{verdict:11}{len(names):3}  " + " ".join(names)
            for verdict, names in self._by_verdict().items()
        )
        return "\n".join(textwrap.fill(line, 96, subsequent_indent=" " * 16) for line in lines)

    __repr__ = __str__

    def _by_verdict(self) -> dict[str, list[str]]:
        return {
            verdict: [f.claim.id for f in self.findings if f.verdict == verdict]
            for verdict in VERDICTS
        }

    def _repr_html_(self) -> str:
        says = {finding.claim.id: finding.claim.says for finding in self.findings}
        rows = []
        for verdict, names in self._by_verdict().items():
            tiles = " ".join(_tile(name, verdict, says[name]) for name in names)
            head = f"{_MARKS[verdict]} {verdict}, {len(names)}"
            rows.append(
                f'<tr><th scope="row" style="{_CELL}; white-space: nowrap">{head}</th>'
                f'<td style="{_CELL}">{tiles}</td></tr>'
            )
        return f'<table class="normlab-claims-map"><tbody>{"".join(rows)}</tbody></table>'


class Ledger:
    """Findings about the claims by their id; it shows them in the order of the articles."""

    def __init__(self, findings: Iterable[Ruling] = ()) -> None:
        self.findings = {finding.claim.id: finding for finding in findings}

    def judge(self, name: str, saw: str, *, holds: bool, core: bool = False) -> Ruling:
        """Give a verdict on what was measured: right, imprecise or wrong.

        Parameters
        ----------
        name
            The claim's id.
        saw
            What was seen, in a sentence.
        holds
            Whether the claim holds as it is written: right.
        core
            Whether, if not, something in it is true: imprecise. Without it: wrong.

        Raises
        ------
        LookupError
            If there is no such claim.
        ValueError
            If the course has another verdict in its list: then look again.
        """
        verdict = "right" if holds else "imprecise" if core else "wrong"
        return self._add(name, verdict, saw)

    def argue(self, name: str, verdict: str, saw: str) -> Ruling:
        """Give a verdict that no single measurement can give: contested, or untestable."""
        if verdict not in ("contested", "untestable"):
            raise ValueError(f"{name}: {verdict!r} is to be measured, with judge().")
        return self._add(name, verdict, saw)

    def look_up(self, *names: str) -> "Ledger":
        """Run the package's experiments on these claims, or on all that are missing.

        The findings are added here, and returned in a ledger of their own.
        """
        added = []
        for name in names or self.missing():
            if name not in CHECKS:
                raise LookupError(f"{name} has no experiment here: see its cell in lesson 11.")
            seen = CHECKS[name]()
            added.append(self._add(name, seen.verdict, seen.says, inspect.getsource(CHECKS[name])))
        return Ledger(added)

    def _add(self, name: str, verdict: str, saw: str, code: str = "") -> Ruling:
        claims = load_claims()
        if name not in claims:
            raise LookupError(f"No claim is called {name!r}: A1 to A33, and B1 to B56.")
        if verdict != claims[name].verdict:
            raise ValueError(
                f"{name}: found {verdict!r}, and claims.toml says {claims[name].verdict!r}. "
                "Believe the measurement, and correct the list."
            )
        self.findings[name] = Ruling(claims[name], verdict, " ".join(saw.split()), code)
        return self.findings[name]

    def missing(self) -> list[str]:
        """Return the ids of the claims without a finding."""
        return [name for name in load_claims() if name not in self.findings]

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each verdict."""
        found = Counter(finding.verdict for finding in self.findings.values())
        return {verdict: found[verdict] for verdict in VERDICTS}

    def map(self) -> Map:
        """Return all findings as tiles, by verdict."""
        return Map(tuple(self._in_order()))

    def only(self, verdict: str = "", text: str = "") -> "Ledger":
        """Return the findings with a verdict, and with a text in the claim, evidence or sources."""
        return Ledger(
            finding
            for finding in self._in_order()
            if verdict in ("", finding.verdict) and text.casefold() in _words(finding)
        )

    def _in_order(self) -> list[Ruling]:
        return [self.findings[name] for name in load_claims() if name in self.findings]

    def __str__(self) -> str:
        return "\n\n".join(_as_text(finding) for finding in self._in_order())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        titles = ("", "claim", "verdict", "what we saw", "more of it", "primary sources")
        head = "".join(f'<th scope="col" style="{_CELL}">{title}</th>' for title in titles)
        rows = "".join(_as_row(finding) for finding in self._in_order())
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        script = _FILTER.read_text(encoding="utf-8")
        return f'<div class="normlab-claims">{table}</div><script>{script}</script>'


def _badge(verdict: str, words: str) -> str:
    back, ink = _COLOURS[verdict]
    style = f"background: {back}; color: {ink}; padding: 0.1em 0.5em; border-radius: 0.3em"
    return (
        f'<span style="{style}; white-space: nowrap"><span aria-hidden="true">{_MARKS[verdict]} '
        f"</span>{html.escape(words)}</span>"
    )


def _tile(name: str, verdict: str, says: str) -> str:
    back, ink = _COLOURS[verdict]
    style = (
        f"display: inline-block; background: {back}; color: {ink}; min-width: 3em; margin: 0.1em; "
        "padding: 0.1em 0.3em; border-radius: 0.3em; text-align: center; text-decoration: none"
    )
    return f'<a href="#claim-{name}" title="{html.escape(says)}" style="{style}">{name}</a>'


def _words(finding: Ruling) -> str:
    sources = load_sources()
    cited = [sources[key] for key in finding.claim.sources]
    return " ".join([finding.claim.says, finding.saw, *finding.claim.sources, *cited]).casefold()


def _as_text(finding: Ruling) -> str:
    claim = finding.claim
    lines = [f"{claim.id} {finding.verdict.upper()}: {claim.says}", f"    {finding.saw}"]
    if claim.lessons:
        lines.append("    more: " + "; ".join(_place(place) for place in claim.lessons))
    if claim.sources:
        lines.append("    sources: " + ", ".join(claim.sources))
    return "\n".join(lines)


def _place(place: str) -> str:
    lesson, heading = place.split("#")
    return f"lesson {lesson[:2]}, “{heading}”"


def _as_row(finding: Ruling) -> str:
    claim = finding.claim
    links = "<br>".join(_link(place) for place in claim.lessons)
    # The code that found it is folded behind a line; a cell of the lesson stands above.
    how = " (its cell is above)"
    if finding.code:
        code = f'<pre style="white-space: pre-wrap">{html.escape(finding.code)}</pre>'
        how = f"<details><summary>what was run</summary>{code}</details>"
    cells = [html.escape(claim.says), _badge(finding.verdict, finding.verdict)]
    cells += [html.escape(finding.saw) + how, links, html.escape(", ".join(claim.sources))]
    body = "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)
    first = f'<th scope="row" style="{_CELL}">{claim.id}</th>'
    return f'<tr id="claim-{claim.id}" data-verdict="{finding.verdict}">{first}{body}</tr>'


def _link(place: str) -> str:
    lesson, heading = place.split("#")
    # JupyterLab and nbconvert both make an anchor of a heading by turning blanks into hyphens.
    # JupyterLab looks for it as it stands in the link: what may stand there is not quoted.
    address = f"{lesson}.ipynb#{quote(heading.replace(' ', '-'), safe=_IN_FRAGMENT)}"
    return f'<a href="{html.escape(address)}">{html.escape(_place(place))}</a>'
