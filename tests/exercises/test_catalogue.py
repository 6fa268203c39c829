"""The catalogue is sound: models, aspects and mistakes belong together."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from normlab.exercises import all_exercises, draw_cases, find, judge, tasks_of
from normlab.exercises.calling import Outcome
from normlab.exercises.judgement import SINGLE_PRECISION

ORACLES = {
    name: oracle
    for path in sorted((Path(__file__).parent / "oracles").glob("oracle_*.py"))
    for name, oracle in runpy.run_path(str(path))["ORACLES"].items()
}
EXERCISES = list(all_exercises().values())
SOURCE = Path(__file__).parents[2] / "source"

each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)


def largest_difference(one, other):
    """Return the largest relative difference over all outputs; infinite for NaN or a shape."""
    worst = 0.0
    for name, value in other.items():
        if one[name].shape != value.shape or not np.isfinite(one[name]).all():
            return np.inf
        scale = np.abs(value).max()
        if scale:
            worst = max(worst, np.abs(one[name] - value).max() / scale)
    return worst


@each_exercise
def test_the_model_gives_what_the_oracle_gives(exercise, seeds):
    """The layers of the package, or of torch, or a program of another hand."""
    for seed in seeds[:1] if exercise.known else seeds:  # this oracle trains a network
        for case in draw_cases(exercise, seed):
            made = exercise.reference(**case.arguments)
            right = ORACLES[exercise.name](**case.arguments)
            assert list(made) == list(right) == list(exercise.returns)
            assert largest_difference(made, right) <= case.tolerance, case.name


@each_exercise
def test_reference_gets_full_points(exercise, seeds):
    """So the expectations that are derived from an earlier answer agree with the reference."""
    for seed in seeds:
        cases = draw_cases(exercise, seed)
        outcomes = [Outcome(exercise.reference(**case.arguments)) for case in cases]
        results = judge(exercise, cases, outcomes)
        assert sum(result.points for result in results) == exercise.max_points
        assert not any(one.single for result in results for one in result.case_results)


@each_exercise
def test_cases_are_well_formed(exercise):
    keys = {aspect.key for aspect in exercise.aspects}
    for seed in range(5):
        cases = draw_cases(exercise, seed)
        names = [case.name for case in cases]
        assert len(set(names)) == len(names)
        for position, case in enumerate(cases):
            assert set(case.aspects) <= keys
            assert tuple(case.arguments) == exercise.parameters
            assert bool(case.based_on) == bool(case.derive)
            assert not case.based_on or case.based_on in names[:position]
        asked = {key for case in cases for key in case.aspects}
        assert asked == {a.key for a in exercise.aspects if not a.leaves_input_alone}


@each_exercise
def test_a_seed_always_draws_the_same_cases_and_another_seed_others(exercise):
    one, again, other = (draw_cases(exercise, seed) for seed in (7, 7, 8))
    for first, second in zip(one, again, strict=True):
        for name, value in first.arguments.items():
            np.testing.assert_array_equal(value, second.arguments[name])
    assert any(
        not np.array_equal(value, other[0].arguments[name])
        for name, value in one[0].arguments.items()
    )


@each_exercise
def test_points_and_names(exercise):
    for aspect in exercise.aspects:
        # What only the learner's own program could say is told, and not graded.
        assert aspect.points > 0 or (exercise.use and exercise.use.reader), aspect.key
    assert len({aspect.key for aspect in exercise.aspects}) == len(exercise.aspects)
    assert len({mistake.key for mistake in exercise.mistakes}) == len(exercise.mistakes)
    assert find(exercise.name) is exercise


@each_exercise
def test_what_a_mistake_says(exercise):
    for mistake in exercise.mistakes:
        assert mistake.aspect in {a.key for a in exercise.aspects if not a.leaves_input_alone}
        assert mistake.what.endswith("."), mistake.key
        assert mistake.symptom.endswith((".", ".)")), mistake.key
        assert mistake.hint[-1] in ".?", mistake.key
        assert not mistake.next.endswith("."), mistake.key
        # A hint that shows the formula would give the code away.
        assert not re.search(r"np\.(sqrt|var|mean)|axis=|\.reshape", mistake.hint), mistake.key


@each_exercise
def test_the_sections_to_read_again_exist(exercise):
    (lesson,) = (SOURCE / "lessons").glob(f"{exercise.lesson}_*.py")
    text = lesson.read_text(encoding="utf-8")
    for mistake in exercise.mistakes:
        assert f"# ## {mistake.section}\n" in text, mistake.key


@each_exercise
def test_a_mistake_is_far_from_rounding(exercise, seeds):
    """So what float32 may cost can be allowed, and no mistake slips through with it."""
    for seed in seeds:
        cases = [
            (case, exercise.reference(**case.arguments)) for case in draw_cases(exercise, seed)
        ]
        for mistake in exercise.mistakes:
            told = [(case, right) for case, right in cases if mistake.aspect in case.aspects]
            worst = max(how_far(exercise, mistake, *one) for one in told)
            assert worst > 50 * SINGLE_PRECISION, (mistake.key, seed)


def how_far(exercise, mistake, case, right):
    """Return how far a mistake leads from the right answer; infinite where it gives none."""
    try:
        with np.errstate(all="ignore"):
            return largest_difference(exercise.variant((mistake,), case.arguments), right)
    except Exception:
        return np.inf


@each_exercise
def test_every_exercise_has_a_task_in_its_notebook(exercise):
    folder = "lessons" if exercise.in_lesson else "exercises"
    (source,) = (SOURCE / folder).glob(f"{exercise.lesson}_*.py")
    begins = f"class {exercise.name}" if exercise.is_class else f"def {exercise.signature}:"
    assert begins in source.read_text(encoding="utf-8")


def test_of_an_unknown_name_the_first_60_letters_are_told():
    for look_up in (find, tasks_of):
        with pytest.raises(LookupError, match=f'"{"a" * 60}"'):
            look_up("a" * 99)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(LookupError, match='Did you mean "batch_norm_forward"'):
        find("batch_norm_foward")
    with pytest.raises(LookupError, match="There are: .*batch_norm_forward, "):
        find("zebra")
    with pytest.raises(LookupError, match="name in quotes, not a function"):
        find(find)
