"""The pictures with controls, without a browser: what is drawn, and what a notebook stores."""

import re

import numpy as np
import pytest

from normlab.plots import Picture, explore
from normlab.plots.explorer import Choice, Explorer, Slider, Tick


@pytest.mark.parametrize(
    ("average", "groups", "start"),
    [
        ("NL", 1, "BatchNorm, 6 means, each of 20 numbers"),
        ("CL", 1, "LayerNorm over C and L, 4 means, each of 30 numbers"),
        ("C", 1, "LayerNorm over C, 20 means, each of 6 numbers"),
        ("L", 1, "InstanceNorm, 24 means, each of 5 numbers"),
        ("L", 3, "InstanceNorm, 24 means, each of 5 numbers"),  # nothing to split
        ("CL", 2, "GroupNorm, 2 groups, 8 means, each of 15 numbers"),
        ("CL", 6, "InstanceNorm: 6 groups, 24 means, each of 5 numbers"),
        ("NCL", 6, "BatchNorm: 6 groups, 6 means, each of 20 numbers"),
        ("NCL", 1, "no usual norm, 1 mean, each of 120 numbers"),
        ("", 1, "each number alone: all zeros, 120 means, each of 1 number"),
    ],
)
def test_the_block_names_the_norm_and_counts_its_means(average, groups, start):
    assert explore.block(average, groups).picture().alt.startswith(start + ":")


def test_the_block_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="letters of 'NCL', but got 'NH'"):
        explore.block("NH")
    with pytest.raises(ValueError, match="num_channels \\(6\\) must be divisible by num_groups"):
        explore.block("CL", groups=4)


def test_in_a_batch_of_two_a_number_moves_and_the_output_stays():
    alt = explore.one_number().picture().alt
    assert "x[0, 0] moved from 1 to 3" in alt
    assert "1 of 6 in x, 2 of 6 in statistics, 0 of 6 in output" in alt
    assert "output, row by row: -1, -1, -1; 1, 1, 1." in alt
    passed = explore.one_number().picture(value=9.0).alt  # now sample 0 has more
    assert "2 of 6 in output" in passed
    assert "output, row by row: 1, -1, -1; -1, 1, 1." in passed


def test_a_number_that_moves_changes_its_column_or_its_row():
    x, dy = np.array([[1.0, 10], [3, 10], [5, 30], [7, 38]]), np.array([[1.0], [0], [0], [0]])
    samples = explore.one_number(x, dy=dy * [1, 2]).picture().alt
    assert "4 of 8 in output, 4 of 8 in gradient of x" in samples
    x = np.array([[1.0, 2, 6], [3, 8, 7]])
    features = explore.one_number(x, axis=1, index=(1, 0)).picture().alt
    assert "x[1, 0] moved from 3 to 5" in features
    assert "2 of 4 in mean, std, 3 of 6 in output" in features
    assert "output, row by row: -0.93, -0.46, 1.39; -1.34, 1.07, 0.27." in features


def test_the_gradient_in_the_picture_is_that_of_the_moved_batch():
    dy = np.array([[1.0, 0], [0, 0], [0, 0]])
    x = np.array([[0.0, 1], [2, 5], [7, 3]])
    alt = explore.one_number(x, dy=dy, by=1).picture().alt

    def output(first):
        column = np.array([first, 2, 7])
        return (column[0] - column.mean()) / np.sqrt(column.var() + 1e-5)

    slope = (output(1 + 1e-5) - output(1 - 1e-5)) / 2e-5
    shown = re.search(r"gradient of x, row by row: ([-0-9.]+)", alt)[1]
    assert shown == f"{slope:.2f}".rstrip("0")


def test_the_buffers_are_those_of_the_layer():
    batches = np.array([[1.0, 3], [5, 9]])  # means 2 and 7, variances 1 and 4
    alt = explore.buffers(batches, momentum=0.1, step=2).picture().alt
    assert "After 2 batches" in alt
    assert "mean: 7 in training mode, 0.88 in evaluation mode" in alt  # 0.9 * 0.2 + 0.7
    assert "variance: 4 in training mode, 1.79 in evaluation mode" in alt  # 0.9 * 1.1 + 0.8
    average = explore.buffers(batches, step=2).picture(momentum=None).alt
    assert "4.5 in evaluation mode" in average


@pytest.mark.parametrize(
    "explorer",
    [
        explore.one_number(),
        explore.one_number(np.array([[0.1, 2], [31, 4], [7, 5]]), index=(1, 0), by=-3),
        explore.buffers(),
    ],
)
def test_a_slider_starts_on_one_of_its_steps(explorer):
    """Else it jumps to the nearest as soon as it is shown, and the picture with it."""
    for control in explorer.controls.values():
        if isinstance(control, Slider):
            steps = (control.value - control.low) / control.step
            assert steps == pytest.approx(round(steps))
            assert control.low < control.value < control.high


@pytest.fixture
def displayed(monkeypatch):
    """Return a function that shows an explorer, and returns all that was shown after it."""

    class Handle:
        def update(self, picture):
            shown.append(picture)

    def display(thing, display_id=False):
        shown.append(thing)
        return Handle() if display_id else None

    shown = []
    monkeypatch.setattr("IPython.display.display", display)
    return lambda explorer: explorer._ipython_display_() or shown


def test_a_stored_notebook_holds_the_picture_and_says_where_the_controls_are(displayed):
    picture, controls = displayed(explore.block())  # TQDM_DISABLE is set, as for every test
    assert isinstance(picture, Picture)
    stored = controls._repr_mimebundle_()
    assert set(stored) == {"text/plain", "text/html"}
    assert "average over N, average over C" in stored["text/html"]


@pytest.mark.parametrize(
    ("control", "moved", "value"),
    [
        (Slider("a", 1, 0, 2, 0.5), 1.5, 1.5),
        (Choice("a", 1, [1, 2, None]), 2, None),  # the third
        (Tick("a", True), False, False),
    ],
)
def test_a_control_that_moves_draws_the_picture_again(
    monkeypatch, displayed, control, moved, value
):
    monkeypatch.setenv("TQDM_DISABLE", "0")
    explorer = Explorer(lambda a: f"picture of {a}", {"a": control})
    *_, controls = displayed(explorer)
    assert "application/vnd.jupyter.widget-view+json" in controls._repr_mimebundle_()
    (widget,) = controls._widgets().children
    widget.value = moved
    assert displayed(explorer)[2] == f"picture of {value}"
