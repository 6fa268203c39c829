"""All 89 claims are there, each with a verdict, and with evidence that can be found."""

import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from normlab.claims import VERDICTS, Ledger, load_claims, load_sources

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
        "right": 30,
        "imprecise": 34,
        "wrong": 17,
        "contested": 4,
        "untestable": 4,
    }


@each_claim
def test_a_claim_is_complete(claim):
    assert claim.verdict in VERDICTS
    assert claim.says.endswith(".")
    assert claim.kind in {
        "API", "advice", "convention", "definition", "design", "empirical", "theory",
    }  # fmt: skip
    assert set(claim.sources) <= set(load_sources())


@each_claim
def test_a_claim_has_a_cell_that_finds_its_verdict(claim):
    """Not one that only mentions it: the cell calls judge or argue, and printed what it found."""
    cells = [cell for cell in CODE if claim.id in named_in(cell)]
    judging = [
        cell for cell in cells if re.search(rf'\b(judge|argue)\(\s*"{claim.id}"', cell.source)
    ]
    assert len(judging) == 1
    assert re.search(rf"^{claim.id} +{claim.verdict} ", printed_by(judging[0]), re.MULTILINE)


@each_claim
def test_the_lesson_says_a_claim_before_it_judges_it(claim):
    source = (ROOT / "source" / "lessons" / "11_check_the_claims.py").read_text(encoding="utf-8")
    said = source.index(f"# **{claim.id}.** *{claim.says}*\n")
    assert said < re.search(rf'^(judge|argue)\(\s*"{claim.id}"', source, re.MULTILINE).start()


@each_claim
def test_an_empirical_claim_is_run(claim):
    """What can be measured is measured: the cell does more than to judge."""
    if claim.kind not in {"empirical", "API"} or claim.verdict == "untestable":
        return
    (cell,) = (c for c in CODE if re.search(rf'\b(judge|argue)\(\s*"{claim.id}"', c.source))
    call = re.search(
        rf'\b(?:judge|argue)\(\s*"{claim.id}".*?\n(?=\S|\Z)', cell.source + "\n", re.DOTALL
    )
    assert not re.search(r"holds=(True|False)\b", call[0])


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
    (whole,) = (table for table in tables if table.count("<tr data-verdict") == len(CLAIMS))
    row = re.search(rf'<tr data-verdict="(\w+)"><th[^>]*>{claim.id}</th>', whole)
    assert row[1] == claim.verdict


# ---- the ledger itself


def test_a_verdict_follows_from_what_was_measured(capsys):
    ledger = Ledger()
    ledger.judge("A6", "both there", holds=True)
    ledger.judge("A3", "half true", holds=False, core=True)
    ledger.judge("A1", "no such thing", holds=False)
    found = {name: finding.verdict for name, finding in ledger.findings.items()}
    assert found == {"A6": "right", "A3": "imprecise", "A1": "wrong"}
    assert "A1  wrong      no such thing" in capsys.readouterr().out
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
