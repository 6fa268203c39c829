"""The pictures with controls, without a browser: what is drawn, and what a notebook stores."""

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
    ("control", "value"),
    [(Slider("a", 1, 0, 2, 0.5), 1.5), (Choice("a", 1, [1, 2, 4]), 4), (Tick("a", True), False)],
)
def test_a_control_that_moves_draws_the_picture_again(monkeypatch, displayed, control, value):
    monkeypatch.setenv("TQDM_DISABLE", "0")
    explorer = Explorer(lambda a: f"picture of {a}", {"a": control})
    *_, controls = displayed(explorer)
    assert "application/vnd.jupyter.widget-view+json" in controls._repr_mimebundle_()
    (widget,) = controls._widgets().children
    widget.value = value
    assert displayed(explorer)[2] == f"picture of {value}"
