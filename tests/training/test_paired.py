"""The paired test, its interval and its correction, against brute force."""

import itertools

import numpy as np
import pytest

from normlab.training.paired import holm, sign_flip_interval, sign_flip_p


def brute_force_p(differences):
    found = abs(sum(differences))
    patterns = list(itertools.product((1, -1), repeat=len(differences)))
    extreme = [
        signs
        for signs in patterns
        if abs(sum(s * d for s, d in zip(signs, differences, strict=True))) >= found - 1e-9
    ]
    return len(extreme) / len(patterns)


@pytest.mark.parametrize("seeds", [1, 2, 5, 8, 10])
def test_all_patterns_of_signs_are_counted(seeds):
    for seed in range(5):
        differences = np.random.default_rng([seeds, seed]).normal(0.4, 1, seeds)
        assert sign_flip_p(differences) == brute_force_p(differences.tolist())


def test_ties_count_as_extreme():
    equal = np.array([0.1, 0.1, 0.1, -0.1, 0.1])  # several patterns have the mean that was found
    assert sign_flip_p(equal) == brute_force_p(equal.tolist()) == 12 / 32
    assert sign_flip_p(np.zeros(4)) == 1


def test_the_smallest_p_value_of_some_seeds():
    assert sign_flip_p(np.arange(1.0, 6)) == 2 / 32
    assert sign_flip_p(-np.arange(1.0, 11)) == 2 / 1024


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_holds_what_the_test_would_not_reject(level):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        differences = rng.normal(0.5, 1, rng.integers(6, 11))
        lower, upper = sign_flip_interval(differences, level)
        for end, outwards in ((lower, -1e-7), (upper, 1e-7)):
            assert sign_flip_p(differences - end + outwards) >= 1 - level
            assert sign_flip_p(differences - end - outwards) < 1 - level


def test_too_few_seeds_for_a_level_have_no_bounds():
    assert sign_flip_interval(np.array([1.0, 2, 3, 4, 5])) == (-np.inf, np.inf)


def test_under_no_difference_one_in_twenty_is_rejected_at_most():
    rng = np.random.default_rng(0)
    p_values = [sign_flip_p(rng.normal(0, 1, 8)) for _ in range(2000)]
    assert 0.03 < np.mean(np.array(p_values) <= 0.05) < 0.06


def test_holm_on_the_numbers_of_a_page():
    corrected = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    expected = {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    assert corrected == pytest.approx(expected)
    assert list(corrected) == ["a", "b", "c", "d"]
    assert holm({"only": 0.04}) == {"only": 0.04}
    assert holm({"a": 0.7, "b": 0.9}) == {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize(
    ("differences", "message"),
    [
        ([], "1 to 20 differences"),
        (np.zeros(21), "1 to 20 differences"),
        (np.zeros((2, 3)), "shape (2, 3)"),
        ([1.0, np.nan], "not a finite number"),
    ],
)
def test_what_cannot_be_tested_is_refused(differences, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        sign_flip_p(differences)
