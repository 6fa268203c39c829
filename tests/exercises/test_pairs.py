"""Two mistakes at once: both are named, and no other pair."""

import pytest

from normlab.exercises import all_exercises

# A pair is tried with one seed, since there are thousands; the seeds take turns.
SEEDS = (0, 1)


@pytest.mark.parametrize("exercise", all_exercises().values(), ids=lambda e: e.name)
def test_two_mistakes_together_are_told_apart_from_all_others(exercise, answer_with, examine):
    for index, pair in enumerate(exercise.pairs):
        seed = SEEDS[index % len(SEEDS)]
        results, diagnosis, report = examine(exercise, answer_with(exercise, pair), seed)
        assert diagnosis.explanations == (pair,)
        assert not all(result.passed for result in results)
        text = " ".join(str(report).split())
        assert all(
            f"Your numbers are what comes out when {mistake.what}" in text for mistake in pair
        )
