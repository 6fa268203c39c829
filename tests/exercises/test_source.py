"""A model's text: edits occur once, and compiled together they give what they give alone."""

import types

import numpy as np
import pytest

from normlab.exercises import all_exercises, draw_cases
from normlab.exercises.source import Edit, Model, definition
from normlab.exercises.ways import Ways

TEXT = """def half(x):
    total = x + x  # (N,)
    for _ in range(2):
        if total is not None:
            total = total / 2
    return total
"""


def model(text=TEXT):
    return Model("half", text, lambda: types.ModuleType("half"))


def compiled_alone(exercise, edits):
    own = exercise.model
    return Model(own.name, own.changed(edits), own.define).program()


def outcome(exercise, program, arguments):
    try:
        with np.errstate(all="ignore"):
            if exercise.use:
                returned = exercise.use.as_function(program)(*arguments.values())
            else:
                returned = program(*arguments.values())
    except Exception as error:
        return type(error)
    return [np.asarray(value) for value in (returned if len(exercise.returns) > 1 else [returned])]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "exercise", [e for e in all_exercises().values() if not e.known], ids=lambda e: e.name
)
def test_compiled_together_a_mistake_gives_what_it_gives_alone(exercise):
    case = draw_cases(exercise, 0)[0]
    pairs = exercise.pairs[:: 1 + len(exercise.pairs) // 20]
    sets = [one.edits for one in exercise.spellings] + [a.edits | b.edits for a, b in pairs]
    for edits in filter(None, sets):
        together = outcome(exercise, exercise.model.program(edits), case.arguments)
        alone = outcome(exercise, compiled_alone(exercise, edits), case.arguments)
        if isinstance(alone, type):
            assert together is alone
        else:
            for one, other in zip(together, alone, strict=True):
                np.testing.assert_array_equal(one, other)


def test_nearly_every_mistake_is_compiled_together():
    """Else the first answer that nothing fits would wait for hundreds of programs."""
    for exercise in all_exercises().values():
        edits = [one.edits for one in exercise.mistakes if one.edits]
        alone = [one for one in edits if exercise.model._ways.chosen(one) is None]
        assert len(alone) <= max(5, len(edits) / 3), exercise.name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"total": "sum"}, "'total' stands 5 times in half, and not once"),
        ({"x - x": "x"}, "'x - x' stands nowhere in half, and not once"),
        ({"x + x": "x", "+ x  #": "#"}, "two changes in half meet at"),
        ({"": "x"}, "'' stands nowhere"),
    ],
)
def test_an_old_text_has_to_occur_exactly_once(change, said):
    with pytest.raises(LookupError, match=said.replace("+", r"\+")):
        model().edits(change)


def test_two_places_have_to_be_asked_for():
    edits = model().edits({"total / 2": "total", "(2)": "(3)", "total = ": "t = "}, {"total = ": 2})
    assert len(edits) == 4
    assert model().changed(edits).count("t = ") == 2


def test_the_head_of_a_statement_is_changed_without_what_it_holds():
    head = model().edits({"range(2)": "range(3)"})
    inside = model().edits({"total / 2": "total / 3"})
    condition = model().edits({"total is not None": "False"})
    whole = model().edits({"None:\n            total": "None:\n            total = 1; total"})
    ways = Ways(TEXT, [head, inside, condition, whole])
    assert ways.chosen(whole) is None
    for edits, expected in ((head, 0.25), (head | inside, 2 / 27), (condition | inside, 2.0)):
        names = {"_chosen_ways": ways.chosen(edits)}
        exec(ways.code, names)
        assert names["half"](1.0) == pytest.approx(expected)
    assert ways.chosen(frozenset([Edit(0, 3, "no such edit")])) is None


def test_a_definition_is_cut_out_without_being_run():
    source = (
        f"raise SystemExit\n\n\n{TEXT}\n\nclass Net:\n    def __init__(self, a, b):\n        pass\n"
    )
    assert definition(source, "half") == (TEXT, ("x",))
    assert definition(source, "Net").parameters == ("a", "b")
    with pytest.raises(LookupError, match="nothing called quarter is defined"):
        definition(source, "quarter")


def test_a_model_is_run_up_to_its_last_line_for_its_own_names():
    assert model().values(["total", "_"], 3.0) == {"total": 1.5, "_": 1}
