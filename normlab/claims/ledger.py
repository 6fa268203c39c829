"""A ledger of findings: each claim with its verdict, and what was seen."""

import html
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from normlab.claims.claim import VERDICTS, Claim, load_claims, load_sources

_IN_FRAGMENT = "!$&'()*+,/:;=?@"  # RFC 3986, section 3.5
_CELL = "padding: 0.3em 0.9em 0.3em 0; text-align: left; vertical-align: top"


@dataclass(frozen=True)
class Ruling:
    """A claim, what was found, and what was seen that says so."""

    claim: Claim
    verdict: str
    saw: str

    def __str__(self) -> str:
        return f"{self.claim.id:4}{self.verdict:11}{self.saw}"


class Ledger:
    """Findings about the claims, in the order of the articles.

    Attributes
    ----------
    findings
        The findings so far, by the claim's id.
    """

    def __init__(self, findings: Iterable[Ruling] = ()) -> None:
        self.findings = {finding.claim.id: finding for finding in findings}

    def judge(self, name: str, saw: str, *, holds: bool, core: bool = False) -> None:
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
        self._add(name, verdict, saw)

    def argue(self, name: str, verdict: str, saw: str) -> None:
        """Give a verdict that no single measurement can give: contested, or untestable.

        Raises
        ------
        LookupError
            If there is no such claim.
        ValueError
            If the verdict is one that has to be measured, or not the one in the course's list.
        """
        if verdict not in ("contested", "untestable"):
            raise ValueError(f"{name}: {verdict!r} is to be measured, with judge().")
        self._add(name, verdict, saw)

    def _add(self, name: str, verdict: str, saw: str) -> None:
        claims = load_claims()
        if name not in claims:
            raise LookupError(f"No claim is called {name!r}: A1 to A33, and B1 to B56.")
        if verdict != claims[name].verdict:
            raise ValueError(
                f"{name}: found {verdict!r}, and claims.toml says {claims[name].verdict!r}. "
                "Believe the measurement, and mend the list."
            )
        self.findings[name] = Ruling(claims[name], verdict, " ".join(saw.split()))
        print(self.findings[name])

    def missing(self) -> list[str]:
        """Return the ids of the claims without a finding."""
        return [name for name in load_claims() if name not in self.findings]

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each verdict."""
        found = Counter(finding.verdict for finding in self.findings.values())
        return {verdict: found[verdict] for verdict in VERDICTS}

    def only(self, verdict: str = "", text: str = "") -> "Ledger":
        """Return a ledger of fewer findings.

        Parameters
        ----------
        verdict
            One of `VERDICTS`.
        text
            Words that occur in the claim, in what was seen, or in the sources.
        """
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
        return f'<div class="normlab-claims">{table}</div><script>{_FILTER}</script>'


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
    sources = ", ".join(claim.sources)
    texts = (claim.says, finding.verdict, finding.saw)
    cells = [html.escape(text) for text in texts] + [links, html.escape(sources)]
    body = "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)
    first = f'<th scope="row" style="{_CELL}">{claim.id}</th>'
    return f'<tr data-verdict="{finding.verdict}">{first}{body}</tr>'


def _link(place: str) -> str:
    lesson, heading = place.split("#")
    # JupyterLab and nbconvert both make an anchor of a heading by turning blanks into hyphens.
    # JupyterLab looks for it as it stands in the link: what may stand there is not quoted.
    address = f"{lesson}.ipynb#{quote(heading.replace(' ', '-'), safe=_IN_FRAGMENT)}"
    return f'<a href="{html.escape(address)}">{html.escape(_place(place))}</a>'


# Makes its own controls: where no script runs, there is the whole table, and nothing that is dead.
_FILTER = """
(function () {
  for (const box of document.querySelectorAll(".normlab-claims")) {
    if (box.querySelector("input")) continue;
    const rows = Array.from(box.querySelectorAll("tbody tr"));
    const verdicts = [...new Set(rows.map((row) => row.dataset.verdict))];
    const select = document.createElement("select");
    select.setAttribute("aria-label", "verdict");
    for (const name of ["all verdicts", ...verdicts]) select.add(new Option(name));
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = "words in claim, evidence or source";
    input.setAttribute("aria-label", input.placeholder);
    input.style.width = "20em";
    const count = document.createElement("span");
    count.setAttribute("role", "status");
    function update() {
      let shown = 0;
      for (const row of rows) {
        const fits = select.selectedIndex === 0 || row.dataset.verdict === select.value;
        const found = row.textContent.toLowerCase().includes(input.value.toLowerCase());
        row.hidden = !(fits && found);
        if (fits && found) shown += 1;
      }
      count.textContent = shown + " of " + rows.length + " claims";
    }
    for (const one of [select, input]) {
      one.style.marginRight = "1em";
      one.addEventListener("input", update);
      one.addEventListener("keydown", (event) => event.stopPropagation());
    }
    const line = document.createElement("p");
    line.append(select, input, count);
    box.prepend(line);
    update();
  }
})();
"""
