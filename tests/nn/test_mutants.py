"""The battery of `torch_battery` catches every planted mistake, and nothing else."""

import random

import numpy as np
import pytest
from mutants import FUNCTIONAL, MUTANTS, build
from releases import TEXTS_ARE_KNOWN
from torch_battery import CASES
from torch_oracle import difference

# Neighbours in the battery are alike, and so are neighbours among the mistakes: mixed, and with the
# cases that caught the latest ones in front, a mistake meets the case that catches it early.
ORDER = random.Random(0).sample(CASES, len(CASES))


def first_difference(package) -> str | None:
    with np.errstate(all="ignore"):
        for place, case in enumerate(ORDER):
            found = difference(case, package)
            if found:
                ORDER.insert(0, ORDER.pop(place))
                return found
    return None


def test_there_are_enough_mutants():
    assert len(FUNCTIONAL) >= 40
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_the_unchanged_source_passes():
    assert first_difference(build(None)) is None


@pytest.mark.skipif(not TEXTS_ARE_KNOWN, reason="there the battery is without its errors")
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_caught(mutant):
    assert first_difference(build(mutant)) is not None


def test_the_unchanged_source_still_passes():
    """No mutant has spoilt the data of those after it."""
    assert first_difference(build(None)) is None
