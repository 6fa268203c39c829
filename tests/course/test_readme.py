"""What the README says in numbers is what there is."""

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from normlab.claims import VERDICTS
from normlab.exercises import all_exercises
from normlab.exercises.self_tests import all_self_tests
from normlab.training import experiment_names

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORDS = " ".join(README.split())


def number(pattern):
    return int(re.search(pattern, WORDS)[1])


def test_the_tasks_and_the_mistakes_they_know():
    exercises = all_exercises().values()
    assert number(r"The (\d+) tasks know") == len(exercises)
    assert number(r"tasks know (\d+) mistakes") == sum(len(each.mistakes) for each in exercises)


def test_the_planted_mistakes(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "nn"))
    import mutants

    assert number(r"(\d+) mistakes planted in the twins") == len(mutants.MUTANTS)
    sys.modules.pop("mutants")


def test_the_claims_by_verdict():
    lesson = (ROOT / "notebooks" / "11_check_the_claims.ipynb").read_text(encoding="utf-8")
    said = re.search(
        r"the (\d+) claims of the two articles: (\d+) right, (\d+) imprecise, (\d+) wrong, "
        r"(\d+) contested, (\d+) that cannot be tested",
        WORDS,
    )
    total, *by_verdict = map(int, said.groups())
    assert sum(by_verdict) == total
    for verdict, count in zip(VERDICTS, by_verdict, strict=True):
        assert re.search(rf"{verdict}\W+{count}\b|\b{count} {verdict}\b", lesson), verdict


def test_the_recorded_experiments_and_the_questions():
    assert number(r"all (\d+) recorded experiments") == len(experiment_names())
    assert "five questions" in WORDS
    assert Counter(map(len, all_self_tests().values())) == {5: 14}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_a_link_leads_somewhere(link):
    assert (ROOT / link).exists()
