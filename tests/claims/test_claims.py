"""All 89 claims are there, each with a verdict, and with evidence that can be found."""

import inspect
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from normlab.claims import VERDICTS, Ledger, load_claims, load_sources
from normlab.claims.evidence import CHECKS

ROOT = Path(__file__).parents[2]
CLAIMS = load_claims()
NOTEBOOK = nbformat.read(ROOT / "notebooks" / "11_check_the_claims.ipynb", as_version=4)
CODE = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]

each_claim = pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)


def named_in(cell):
    """Return the claims that a cell says it is about, in a comment of its first lines."""
    lines = re.findall(r"^# claims? ([AB0-9, ]+)", cell.source, flags=re.MULTILINE)
    return set(re.findall(r"[AB]\d+", " ".join(lines)))


def printed_by(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def test_all_claims_of_both_articles_are_there():
    assert list(CLAIMS) == [f"A{n}" for n in range(1, 34)] + [f"B{n}" for n in range(1, 57)]
    assert len(CLAIMS) == 89


def test_the_verdicts_counted():
    assert Counter(claim.verdict for claim in CLAIMS.values()) == {
        "right": 32,
        "imprecise": 42,
        "wrong": 10,
        "contested": 3,
        "untestable": 2,
    }


@each_claim
def test_a_claim_is_complete(claim):
    assert claim.verdict in VERDICTS
    assert claim.says.endswith(".")
    assert claim.kind in {
        "API", "advice", "convention", "definition", "design", "empirical", "theory",
    }  # fmt: skip
    assert set(claim.sources) <= set(load_sources())


def test_some_two_dozen_claims_are_experiments_and_the_others_have_a_function():
    in_lesson = {claim for claim in CLAIMS if judging(claim)}
    assert 18 <= len(in_lesson) <= 26
    assert in_lesson | set(CHECKS) == set(CLAIMS)
    assert not in_lesson & set(CHECKS)


def judging(claim):
    """Return the cells that judge a claim, not those that only mention it."""
    return [
        cell
        for cell in CODE
        if claim in named_in(cell) and re.search(rf'\b(judge|argue)\(\s*"{claim}"', cell.source)
    ]


@each_claim
def test_a_claim_has_a_cell_or_a_function_that_finds_its_verdict(claim):
    if claim.id in CHECKS:
        seen = CHECKS[claim.id]()
        assert seen.verdict == claim.verdict
        assert len(seen.says) > 20
        assert "nan" not in seen.says
    else:
        (cell,) = judging(claim.id)
        (shown,) = (output for output in cell.outputs if "data" in output)
        text = shown.data["text/plain"].removeprefix("[Guess first, then open this output]\n")
        assert re.match(rf"{claim.id} +{claim.verdict} ", text)
        assert f"{claim.id} {claim.verdict}</span>" in shown.data["text/html"]


@each_claim
def test_the_lesson_says_a_claim_before_it_judges_it(claim):
    if claim.id in CHECKS:
        return
    source = (ROOT / "source" / "lessons" / "11_check_the_claims.py").read_text(encoding="utf-8")
    said = source.index(f"# **{claim.id}.** *{claim.says}*\n")
    assert said < re.search(rf'^(judge|argue)\(\s*"{claim.id}"', source, re.MULTILINE).start()


@each_claim
def test_an_empirical_claim_is_run(claim):
    """What can be measured is measured: the verdict is not written into the code."""
    if claim.kind not in {"empirical", "API"} or claim.verdict == "untestable":
        return
    if claim.id in CHECKS:
        code = inspect.getsource(CHECKS[claim.id])
    else:
        (cell,) = judging(claim.id)
        call = rf'\b(?:judge|argue)\(\s*"{claim.id}".*?\n(?=\S|\Z)'
        code = re.search(call, cell.source + "\n", re.DOTALL)[0]
    assert not re.search(r"\b(holds|core)=(True|False)\b", code)


# Claims that say the same, or are one sentence of an article taken apart.
@pytest.mark.parametrize(
    "claims",
    ["A2 B22", "A13 B37", "A16 B39", "A20 A28", "B10 B55", "B13 B14", "B15 B47", "B3 B8", "A9 B2"],
)
def test_verdicts_of_one_sentence_agree(claims):
    assert len({CLAIMS[claim].verdict for claim in claims.split()}) == 1


@each_claim
def test_the_lessons_named_as_more_evidence_have_the_section(claim):
    assert claim.lessons
    for place in claim.lessons:
        lesson, heading = place.split("#")
        source = (ROOT / "source" / "lessons" / f"{lesson}.py").read_text(encoding="utf-8")
        assert f"# ## {heading}\n" in source


@each_claim
def test_the_table_of_the_notebook_has_a_row_for_it(claim):
    tables = [
        output.data["text/html"]
        for cell in CODE
        for output in cell.outputs
        if "normlab-claims" in output.get("data", {}).get("text/html", "")
    ]
    (whole,) = (table for table in tables if table.count("data-verdict=") == len(CLAIMS))
    row = re.search(rf'<tr id="claim-{claim.id}" data-verdict="(\w+)">', whole)
    assert row[1] == claim.verdict


def test_the_map_of_the_notebook_leads_to_every_row():
    (drawn,) = (
        output.data["text/html"]
        for cell in CODE
        for output in cell.outputs
        if "normlab-claims-map" in output.get("data", {}).get("text/html", "")
    )
    assert re.findall(r'href="#claim-(\w+)"', drawn) == [
        claim.id for verdict in VERDICTS for claim in CLAIMS.values() if claim.verdict == verdict
    ]


# ---- the ledger itself


def test_a_verdict_follows_from_what_was_measured():
    ledger = Ledger()
    ledger.judge("A6", "both there", holds=True)
    ledger.judge("A3", "half true", holds=False, core=True)
    shown = ledger.judge("A1", "no such thing", holds=False)
    found = {name: finding.verdict for name, finding in ledger.findings.items()}
    assert found == {"A6": "right", "A3": "imprecise", "A1": "wrong"}
    assert repr(shown) == "A1  wrong      no such thing"
    assert "✗ </span>A1 wrong</span> no such thing" in shown._repr_html_()
    assert len(ledger.missing()) == 86
    assert ledger.counts() == {
        "right": 1, "imprecise": 1, "wrong": 1, "contested": 0, "untestable": 0,
    }  # fmt: skip


def test_another_verdict_than_the_list_has_is_not_written_down():
    ledger = Ledger()
    with pytest.raises(ValueError, match=r"A1: found 'right', and claims.toml says 'wrong'"):
        ledger.judge("A1", "it is there", holds=True)
    assert ledger.findings == {}


def test_what_can_be_measured_cannot_be_argued():
    with pytest.raises(ValueError, match="is to be measured"):
        Ledger().argue("A1", "wrong", "because")


def test_an_unknown_claim_is_refused():
    with pytest.raises(LookupError, match="No claim is called 'A34'"):
        Ledger().judge("A34", "", holds=True)


def test_a_claim_is_looked_up_with_the_code_that_was_run():
    ledger = Ledger()
    added = ledger.look_up("A11", "B35")
    assert list(added.findings) == list(ledger.findings) == ["A11", "B35"]
    table = added._repr_html_()
    assert "<details><summary>what was run</summary>" in table
    assert "def gamma_is_the_momentum" in table
    with pytest.raises(LookupError, match="A9 has no experiment here: see its cell in lesson 11"):
        ledger.look_up("A9")


def test_long_evidence_is_wrapped_and_never_cut():
    saw = " ".join(["measured"] * 40)
    lines = repr(Ledger().judge("A1", saw, holds=False)).splitlines()
    assert max(map(len, lines)) <= 96
    assert " ".join(" ".join(lines).split()) == f"A1 wrong {saw}"


def test_a_map_reads_as_text(three):
    assert "wrong        1  A11" in str(three.map())
    assert "contested    0" in str(three.map())


@pytest.fixture
def three():
    ledger = Ledger()
    ledger.argue("B46", "untestable", "nothing is given")
    ledger.judge("A11", "momentum < 1 & constant", holds=False)
    ledger.judge("A6", "both there", holds=True)
    return ledger


def test_a_ledger_can_be_filtered(three):
    assert list(three.only("wrong").findings) == ["A11"]
    assert list(three.only(text="MOMENTUM").findings) == ["A11"]
    assert list(three.only(text="Szegedy").findings) == ["A11"]  # a source in full
    assert list(three.only("right", "momentum").findings) == []
    assert list(three.only().findings) == ["A6", "A11", "B46"]  # in the articles' order


def test_a_ledger_reads_as_text(three):
    assert str(three).startswith("A6 RIGHT: It comes as a function")
    assert "lesson 02, “Give the network its freedom back: weight and bias”" in str(three)


def test_a_ledger_shows_a_table_that_stands_without_its_script(three):
    shown = three._repr_html_()
    table, script = shown.split("<script>")
    assert "momentum &lt; 1 &amp; constant" in table
    assert 'href="02_batch_norm_forward.ipynb#Give-the-network' in table
    assert "<input" not in table
    assert "normlab-claims" in script
