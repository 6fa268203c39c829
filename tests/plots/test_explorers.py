"""The pictures with controls, without a browser: the still pictures, and what a notebook stores."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from normlab.page import placed
from normlab.plots import explore


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
    assert explore.block(average, groups).still.alt.startswith(start + ":")


def test_the_block_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="letters of 'NCL', but got 'NH'"):
        explore.block("NH")
    with pytest.raises(ValueError, match="num_channels \\(6\\) must be divisible by num_groups"):
        explore.block("CL", groups=4)


def test_in_a_batch_of_two_a_number_moves_and_the_output_stays():
    alt = explore.one_number().still.alt
    assert "x[0, 0] moved from 1 to 3" in alt
    assert "1 of 6 in x, 2 of 6 in statistics, 0 of 6 in output" in alt
    assert "output, row by row: -1, -1, -1; 1, 1, 1." in alt
    passed = explore.one_number(by=8).still.alt  # now sample 0 has more
    assert "2 of 6 in output" in passed
    assert "output, row by row: 1, -1, -1; -1, 1, 1." in passed


def test_a_number_that_moves_changes_its_column_or_its_row():
    x, dy = np.array([[1.0, 10], [3, 10], [5, 30], [7, 38]]), np.array([[1.0], [0], [0], [0]])
    samples = explore.one_number(x, dy=dy * [1, 2]).still.alt
    assert "4 of 8 in output, 4 of 8 in gradient of x" in samples
    x = np.array([[1.0, 2, 6], [3, 8, 7]])
    features = explore.one_number(x, axis=1, index=(1, 0)).still.alt
    assert "x[1, 0] moved from 3 to 5" in features
    assert "2 of 4 in mean, std, 3 of 6 in output" in features
    assert "output, row by row: -0.93, -0.46, 1.39; -1.34, 1.07, 0.27." in features


def test_the_gradient_in_the_picture_is_that_of_the_moved_batch():
    dy = np.array([[1.0, 0], [0, 0], [0, 0]])
    x = np.array([[0.0, 1], [2, 5], [7, 3]])
    alt = explore.one_number(x, dy=dy, by=1).still.alt

    def output(first):
        column = np.array([first, 2, 7])
        return (column[0] - column.mean()) / np.sqrt(column.var() + 1e-5)

    slope = (output(1 + 1e-5) - output(1 - 1e-5)) / 2e-5
    shown = re.search(r"gradient of x, row by row: ([-0-9.]+)", alt)[1]
    assert shown == f"{slope:.2f}".rstrip("0")


def test_the_buffers_are_those_of_the_layer():
    batches = np.array([[1.0, 3], [5, 9]])  # means 2 and 7, variances 1 and 4
    alt = explore.buffers(batches, momentum=0.1, step=2).still.alt
    assert "After 2 batches" in alt
    assert "mean: 7 in training mode, 0.88 in evaluation mode" in alt  # 0.9 * 0.2 + 0.7
    assert "variance: 4 in training mode, 1.79 in evaluation mode" in alt  # 0.9 * 1.1 + 0.8
    average = explore.buffers(batches, step=2, momentum=None).still.alt
    assert "4.5 in evaluation mode" in average


MODULES = Path(explore.__file__).parent / "explorables"
LINES = np.array([[-1.0, 0, 1], [-2, 0.5, 2]])  # (points, 3)
EACH = {
    "who_shares_my_mean": explore.who_shares_my_mean(),
    "block": explore.block(),
    "one_number": explore.one_number(dy=np.ones((2, 3))),
    "buffers": explore.buffers(),
    "forgotten_eval": explore.forgotten_eval([2, 4], [0.5, 0.75], 0.9),
    "valley": explore.valley(),
    "backward": explore.backward(),
    "layers": explore.layers(
        [0, 10], {"size": {"none": {"1": LINES}, "BatchNorm": {"1": LINES}}}, alt="Two networks."
    ),
    "by_block": explore.by_block({"pre": {"trained": [1, 2.5]}}, label="size", alt="It grows."),
}


def test_each_module_has_its_line_of_code():
    assert set(EACH) == {path.stem for path in MODULES.glob("*.js")} - {"shared"}


@pytest.mark.parametrize("name", EACH)
def test_what_is_stored_is_whole_a_still_picture_and_its_script(name):
    stored = EACH[name]._repr_html_()
    assert EACH[name].name == name
    assert re.search(r'<img src="data:image/png;base64,[^"]+" alt="[^"]{5,}"', stored)
    assert stored.count("<script>") == stored.count("</script>") == 1
    assert "import " not in re.sub(r'alt="[^"]*"', "", stored)
    addresses = set(re.findall(r"https?://[^\"\s]+", stored))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
    data = json.loads(re.search(r"^const data = (.*);$", stored, re.MULTILINE)[1])
    asked = set(re.findall(r'model\.get\("(\w+)"\)', (MODULES / f"{name}.js").read_text()))
    if name != "backward":  # which maps over its names
        assert asked == set(data)


def test_no_text_of_a_network_ends_the_script():
    stored = explore.by_block({"</script>": {"a": [1, 2]}}, label="b", alt="c")._repr_html_()
    assert stored.count("</script>") == 1


def test_all_modules_together_are_small():
    package = MODULES.parent.parent
    assert sum(path.stat().st_size for path in package.rglob("*.js")) < 60_000


def test_a_module_without_its_export_is_refused(tmp_path):
    (tmp_path / "odd.js").write_text("function render() {}\n")
    with pytest.raises(ValueError, match="odd.js does not end with its export"):
        placed("", {}, tmp_path / "odd.js")


@pytest.mark.parametrize(
    "explorable",
    [
        explore.one_number(),
        explore.one_number(np.array([[0.1, 2], [31, 4], [7, 5]]), index=(1, 0), by=-3),
    ],
)
def test_a_slider_starts_on_one_of_its_steps(explorable):
    """Else it jumps to the nearest as soon as it is shown, and the picture with it."""
    reach, value = explorable.data["reach"], explorable.data["value"]
    steps = (value - reach["min"]) / reach["step"]
    assert steps == pytest.approx(round(steps))
    assert reach["min"] < value < reach["max"]


def test_the_valley_and_its_path_are_those_of_the_loss():
    explorable = explore.valley(scale=3)
    x = np.array(explorable.data["x"]) * [1, 3]
    hessian = x.T @ x / len(x)
    assert f"steepest curvature is {np.linalg.cond(hessian):.1f} times" in explorable.still.alt
