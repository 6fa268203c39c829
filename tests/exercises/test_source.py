"""A model's text, and what it gives where some of it is written otherwise."""

import types

import pytest

from normlab.exercises.source import Model, definition

TEXT = """def half(x):
    total = x + x  # (N,)
    for _ in range(2):
        if total is not None:
            total = total / 2
    return total
"""


def model(text=TEXT):
    return Model("half", text, lambda: types.ModuleType("half"))


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
    for edits, expected in ((head, 0.25), (head | inside, 2 / 27), (condition | inside, 2.0)):
        assert model().program(edits)(1.0) == pytest.approx(expected)


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
