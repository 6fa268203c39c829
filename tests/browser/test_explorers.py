"""The pictures with controls, in a browser: from a file, without a kernel; and in JupyterLab."""

import re

import driver
import numpy as np
import pytest

from normlab.nn import BatchNorm1d, functional
from normlab.plots import explore

RNG = np.random.default_rng(3)
X, DY = RNG.normal(3, 2, size=(4, 3)).round(2), RNG.normal(size=(4, 3)).round(2)
BATCHES = RNG.normal(2, 3, size=(20, 8))
BANDS = np.sort(RNG.normal(size=(5, 3)), axis=1)  # (points, 3)
EACH = {
    "who_shares_my_mean": explore.who_shares_my_mean,
    "block": explore.block,
    "one_number": lambda: explore.one_number(X, dy=DY),
    "buffers": lambda: explore.buffers(BATCHES),
    "forgotten_eval": lambda: explore.forgotten_eval([2, 8, 32], [0.5, 0.75, 0.875], 0.9),
    "valley": explore.valley,
    "backward": lambda: explore.backward(X[:, 0], DY[:, 0], weight=2.5),
    "layers": lambda: explore.layers(
        [0, 1, 5, 20, 80],
        {
            "size": {"none": {"1": BANDS}, "BatchNorm": {"1": BANDS}},
            "gradient": {"none": {"1": 2 * BANDS}, "BatchNorm": {"1": BANDS}},
        },
        alt="Two networks.",
    ),
    "by_block": lambda: explore.by_block(
        {
            "pre": {"at first": [1, 2], "trained": [2, 7]},
            "post": {"at first": [1, 1], "trained": [1, 1]},
        },
        label="size",
        alt="It grows.",
    ),
}
SAYS = ".nx .says"


@pytest.fixture
def opened(offline):
    """Return a function that opens an explorable from a file, in a browser without a network."""

    def open_it(name):
        page = offline(EACH[name]()._repr_html_(), name)
        page.locator(SAYS).wait_for()
        return page

    return open_it


def seen(page):
    return page.locator(SAYS).inner_text(), page.locator(".nx .row").last.inner_html()


@pytest.mark.parametrize("name", EACH)
def test_it_moves_by_keyboard_and_says_so(opened, name):
    page = opened(name)
    before = seen(page)
    control = page.locator(".nx input:enabled").first
    control.focus()
    page.keyboard.press("Space" if name == "block" else "ArrowRight")
    after = seen(page)
    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize("name", EACH)
def test_it_moves_by_mouse_and_says_so(opened, name):
    page = opened(name)
    before = seen(page)
    slider = page.locator(".nx input[type=range]:enabled")
    if slider.count():
        box = slider.first.bounding_box()
        page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    else:
        page.locator(".nx label").nth(1).click()
    after = seen(page)
    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize("name", EACH)
def test_every_control_has_a_name_and_nothing_is_wider_than_the_page(opened, name):
    page = opened(name)
    tree = driver.accessibility_tree(page)
    controls = [name for role, name in tree if role in driver.CONTROLS]
    assert len(controls) > 1
    assert all(controls)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "status" in dict(tree)


def numbers(text):
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", text)]


@pytest.mark.parametrize(
    "norm", ["BatchNorm", "LayerNorm, a whole sample", "InstanceNorm", "GroupNorm"]
)
def test_who_shares_my_mean_shows_the_norms_own_numbers(opened, norm):
    page = opened("who_shares_my_mean")
    page.get_by_label(norm, exact=True).check()
    shown = page.locator(".nx .cell").all_inner_texts()
    data = explore.who_shares_my_mean().data
    x = np.array(data["x"]).reshape(data["shape"])  # (N, C, L)
    n, c, _ = x.shape
    right = {
        "BatchNorm": lambda: functional.standardize(x, (0, 2), 1e-5).x_hat,
        "LayerNorm, a whole sample": lambda: functional.standardize(x, (1, 2), 1e-5).x_hat,
        "InstanceNorm": lambda: functional.standardize(x, (2,), 1e-5).x_hat,
        "GroupNorm": lambda: functional.standardize(
            x.reshape(n, 2, c // 2, -1), (2, 3), 1e-5
        ).x_hat.reshape(x.shape),
    }[norm]()
    # The page shows sample by sample, position by position, channel by channel.
    np.testing.assert_allclose(
        np.array(shown, float), right.transpose(0, 2, 1).ravel(), atol=0.0501
    )


def test_a_push_counts_other_peoples_answers(opened):
    page = opened("who_shares_my_mean")
    page.locator(".nx input[type=range]").press("End")
    assert "20 of 120 outputs moved, 15 of them other people's answers" in seen(page)[0]
    page.get_by_label("InstanceNorm").check()
    assert "5 of 120 outputs moved, none of another sample" in seen(page)[0]
    page.locator(".nx .cell[tabindex='0']").press("ArrowRight")
    assert seen(page)[0].endswith("Push it.")


def test_one_number_shows_the_statistics_the_output_and_the_gradient(opened):
    page = opened("one_number")
    moved = X.copy()
    moved[0, 0] += 2
    for over, axis in (("samples", 0), ("features", 1)):
        page.get_by_label(over).check()
        standardized = functional.standardize(moved, (axis,), 1e-5)
        gradient = functional.standardize_backward(DY, standardized)
        for caption, right in (("output", standardized.x_hat), ("gradient of x", gradient)):
            table = page.locator("table", has=page.get_by_text(caption, exact=True))
            shown = np.array(table.locator("td").all_inner_texts(), float)
            np.testing.assert_allclose(shown, right.ravel(), atol=0.00501)


def test_the_buffers_are_the_layers(opened):
    page = opened("buffers")
    for momentum in (0.1, None):
        page.get_by_label("None" if momentum is None else str(momentum), exact=True).check()
        layer = BatchNorm1d(1, momentum=momentum, dtype=np.float64)
        for batch in BATCHES[:5]:
            layer(batch[:, None])
        told = numbers(seen(page)[0].split("uses:")[1])
        right = [BATCHES[4].mean(), layer.running_mean[0], BATCHES[4].var(), layer.running_var[0]]
        np.testing.assert_allclose(told, right, atol=0.00501)
        page.get_by_role("button", name="eval() now").click()
        layer.eval()
        output = layer(BATCHES[4][:, None])
        told = numbers(seen(page)[0].split("comes out with")[1])[:2]
        np.testing.assert_allclose(told, [output.mean(), output.var()], atol=0.00501)


def test_the_walk_back_ends_at_the_layers_gradients(opened):
    page = opened("backward")
    page.locator(".nx input[type=range]").press("End")
    rows = {
        row.locator("th").inner_text(): numbers(row.locator("td").first.inner_text())
        for row in page.locator("tr", has=page.locator("td")).all()
    }
    layer = BatchNorm1d(1, dtype=np.float64)
    layer.weight[:], layer.bias[:] = 2.5, 1.0
    layer(X[:, :1])
    dx = layer.backward(DY[:, :1])
    np.testing.assert_allclose(rows["dx"], dx[:, 0], atol=0.00501)
    np.testing.assert_allclose(rows["dweight"], layer.grads["weight"], atol=0.00501)
    np.testing.assert_allclose(rows["dbias"], layer.grads["bias"], atol=0.00501)


def test_the_valley_counts_the_steps_of_gradient_descent(opened):
    page = opened("valley")
    page.locator(".nx input[type=range]").first.press("Home")
    page.locator(".nx input[type=range]").last.press("End")
    x = np.array(explore.valley().data["x"]) + 3
    hessian = x.T @ x / len(x)
    weights, steps = np.array([4.0, 1.0]), 0
    loss = lambda w: 0.5 * w @ hessian @ w  # noqa: E731 - beside its use
    goal = 1e-4 * loss(weights)
    while loss(weights) > goal:
        weights = weights - hessian @ weights / np.linalg.eigvalsh(hessian)[1]
        steps += 1
    told = numbers(seen(page)[0])
    assert told[0] == pytest.approx(np.linalg.cond(hessian), abs=0.0501)
    assert told[1] == steps


def test_where_motion_is_not_wanted_a_press_is_one_step(chromium, tmp_path):
    page = chromium.new_page(reduced_motion="reduce")
    file = tmp_path / "calm.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{EACH['layers']()._repr_html_()}")
    page.goto(file.as_uri())
    page.get_by_role("button", name="Next step").click()
    page.wait_for_timeout(1200)
    assert "after 1 steps" in seen(page)[0]
    page.close()


def test_played_it_runs_to_the_end_and_stops(opened):
    page = opened("layers")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.nx .says').textContent.includes('after 80')")
    page.get_by_role("button", name="Play").wait_for()


def test_without_scripts_the_still_picture_is_there(chromium, tmp_path):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    file = tmp_path / "still.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{EACH['block']()._repr_html_()}")
    page.goto(file.as_uri())
    assert page.locator("img").get_attribute("alt").startswith("BatchNorm, 6 means")
    assert page.locator(".nx").count() == 0
    context.close()


def test_in_jupyterlab_it_goes_on_when_the_kernel_is_gone(run_cell):
    lab = run_cell("from normlab import plots\n\nplots.explore.one_number()")
    before = seen(lab.page)
    lab.shut_down_kernels()
    slider = lab.page.locator(f"{driver.NOTEBOOK} .nx input[type=range]")
    slider.press("ArrowDown")  # which goes to the next cell elsewhere
    assert slider.evaluate("it => it === document.activeElement")
    slider.press("End")
    assert seen(lab.page)[0] != before[0]
    assert lab.errors() == []
