"""The named cases, one by one: outputs, gradients and buffers in float64, and error texts."""

import pytest
from releases import TEXTS_ARE_KNOWN
from torch_battery import CASES, ERRORS
from torch_oracle import difference, outcome

from normlab import nn


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_named_case(case):
    assert difference(case, nn) is None


@pytest.mark.skipif(not TEXTS_ARE_KNOWN, reason="this release lets some of them pass")
def test_wrong_calls_are_wrong():
    """Guard against an error case in which nothing is wrong; mixed dtypes may be fine."""
    for case in ERRORS:
        if "dtypes" not in case.name:
            assert "error" in outcome(case.theirs), case.name


def test_every_looser_bound_has_its_reason():
    assert all(case.reason for case in CASES if case.tolerance > 1e-12 or case.floor)


def test_names_are_distinct():
    assert len({case.name for case in CASES}) == len(CASES)
