"""Nothing earns nothing, nothing wrong passes, and what is right is never called wrong."""

import inspect

import numpy as np
import pytest

from normlab import check
from normlab.exercises import all_exercises, call_all, draw_cases, find, judge

PLAIN = [one for one in all_exercises().values() if not one.use and not one.known]
#: What there is in a task that nothing can be taken for: the statistics of a usual batch do not
#: move, and with an exponent of 0 nothing is divided.
RIGHT_BY_CHANCE = {"update_running_stats": 1, "local_response_norm": 1}


def like(exercise, value):
    """Return a value once for each output that is asked."""
    return value if len(exercise.returns) == 1 else (value,) * len(exercise.returns)


def points(exercise, answer, seed=2015):
    cases = draw_cases(exercise, seed)
    results = judge(exercise, cases, call_all(answer, cases, exercise.returns, 20.0))
    return sum(result.points for result in results)


def shaped(exercise, make, seed=2015):
    """Return a function that gives arrays of the right shapes, made without a look at the input."""
    cases = draw_cases(exercise, seed)
    shapes = [[np.shape(v) for v in exercise.reference(**c.arguments).values()] for c in cases]
    turn = iter(shapes)

    def answer(*_):
        made = tuple(make(shape) for shape in next(turn))
        return made if len(made) > 1 else made[0]

    return answer


@pytest.mark.parametrize("exercise", PLAIN, ids=lambda e: e.name)
def test_an_argument_handed_back_earns_nothing(exercise):
    allowed = RIGHT_BY_CHANCE.get(exercise.name, 0)
    for place, name in enumerate(exercise.parameters):
        for factor in (1, 2.0, -3.0):

            def answer(*given, place=place, factor=factor):
                value = given[place]
                return like(exercise, value if value is None else factor * np.asarray(value))

            assert points(exercise, answer) <= allowed, (name, factor)


@pytest.mark.parametrize("exercise", PLAIN, ids=lambda e: e.name)
def test_what_is_made_without_a_look_at_the_input_earns_nothing(exercise):
    for make in (np.zeros, np.ones, lambda shape: np.full(shape, 0.7), lambda s: 3.0):
        assert points(exercise, shaped(exercise, make)) == 0
    for make in (
        lambda shape: np.arange(1.0, 1 + np.prod(shape, dtype=int)).reshape(shape) ** 2,
        lambda shape: np.random.default_rng(0).normal(size=shape),
        lambda shape: 1e-15 * np.random.default_rng(0).normal(size=shape),
    ):
        assert points(exercise, shaped(exercise, make)) == 0


def test_an_answer_that_does_not_depend_on_the_gradient_gets_no_road():
    def answer(dy, x, mean, var, x_hat, weight, eps):
        return x - mean

    for name in ("batch_norm_backward", "batch_norm_backward_graph"):
        assert points(find(name), answer) <= 1


# ---- what is wrong does not pass


def brightest(images):
    x = images / images.max()
    return x.mean((0, 2, 3)), x.std((0, 2, 3))


def weight_axes(x, weight):
    return (-1,) if weight.ndim == 1 else tuple(range(1, x.ndim))


def two_kinds_of_axes(x, weight, bias, eps):
    axes = weight_axes(x, weight)
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return weight * (x - mean) / np.sqrt(var + eps) + bias


def a_leading_axis(x, weight, bias, eps):
    axes = tuple(range(max(1, x.ndim - weight.ndim), x.ndim))
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return weight * (x - mean) / np.sqrt(var + eps) + bias


def two_kinds_backward(dy, x, mean, var, x_hat, weight, eps):
    axes, g = weight_axes(x, weight), dy * weight
    others = tuple(axis for axis in range(x.ndim) if axis not in axes and axis - x.ndim not in axes)
    m, m_x = g.mean(axes, keepdims=True), (g * x_hat).mean(axes, keepdims=True)
    dx = (g - m - x_hat * m_x) / np.sqrt(var + eps)
    return dx, (dy * x_hat).sum(others), dy.sum(others)


def merged(counts, means, variances):
    total = counts.sum()
    mean = (counts[:, None] * means).sum(0) / total
    return mean, (counts[:, None] * (variances + (means - mean) ** 2)).sum(0) / total


def first_is_never_idle(counts, means, variances):
    kept = [0, *(i for i in range(1, len(counts)) if counts[i])]
    return merged(counts[kept], means[kept], variances[kept])


def one_idle(counts, means, variances):
    if 0 in counts:
        idle = list(counts).index(0)
        counts, means, variances = (np.delete(a, idle, 0) for a in (counts, means, variances))
    return merged(counts, means, variances)


def some_ranks(x, weight, eps):
    if x.ndim not in (2, 3):
        return x
    single = x.astype(np.float64)
    return weight * single / np.sqrt((single**2).mean(-1, keepdims=True) + eps)


def no_eps_taken_for_none(x, running_mean, running_var, weight, bias, eps):
    return weight * (x - running_mean) / np.sqrt(running_var + (eps or 1e-5)) + bias


def no_eps_taken_for_none_either(x, weight, bias, eps):
    mean, var = x.mean((2, 3), keepdims=True), x.var((2, 3), keepdims=True)
    y = (x - mean) / np.sqrt(var + (eps or 1e-5))
    return y if weight is None else weight[:, None, None] * y + bias[:, None, None]


def squeezed_fold(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    scale = weight / np.sqrt(running_var + eps)
    folded = scale[:, None] * linear_weight, scale * (linear_bias - running_mean) + bias
    return tuple(np.squeeze(one) for one in folded)


def squeezed_gradients(dy, x, mean, var, x_hat, weight, eps):
    axes = (0, *range(2, x.ndim))
    return np.squeeze((dy * x_hat).sum(axes)), np.squeeze(dy.sum(axes))


def groups_of_two_left(x, num_groups, weight, bias, eps):
    y = x.reshape(len(x), num_groups, -1).astype(float)
    if y.shape[2] > 2:
        y = (y - y.mean(2, keepdims=True)) / np.sqrt(y.var(2, keepdims=True) + eps)
    along = (1, -1) + (1,) * (x.ndim - 2)
    return weight.reshape(along) * y.reshape(x.shape) + bias.reshape(along)


WRONG = {
    brightest: "channel_statistics",
    two_kinds_of_axes: "layer_norm_forward",
    a_leading_axis: "layer_norm_forward",
    two_kinds_backward: "layer_norm_backward",
    first_is_never_idle: "merge_statistics",
    one_idle: "merge_statistics",
    some_ranks: "rms_norm_forward",
    no_eps_taken_for_none: "batch_norm_eval",
    no_eps_taken_for_none_either: "instance_norm_forward",
    squeezed_fold: "fold_batch_norm",
    squeezed_gradients: "batch_norm_backward_parameters",
    groups_of_two_left: "group_norm_forward",
}


@pytest.mark.parametrize("answer", WRONG, ids=lambda answer: answer.__name__)
def test_what_is_wrong_for_some_input_that_the_task_allows_does_not_pass(answer):
    for seed in (2015, 77, 150203):
        assert not check(WRONG[answer], answer, seed=seed).passed


# ---- what is right is not called wrong


def test_a_true_value_beside_an_earlier_slip_is_right():
    def in_batches_by_the_batch(x, running_mean, running_var, weight, bias, eps):
        mean, var = (running_mean, running_var) if len(x) == 1 else (x.mean(0), x.var(0))
        return weight * (x - mean) / np.sqrt(var + eps) + bias

    report = check("batch_norm_eval", in_batches_by_the_batch)
    alone = find("batch_norm_eval").aspects[[a.key for a in find("batch_norm_eval").aspects].index("alone")]
    assert next(line for line in report.lines if line.title == alone.title).points == alone.points
    assert not report.passed


def test_rounding_is_not_compared_with_rounding():
    def over_the_batch(dy, x, mean, var, x_hat, weight, eps):
        lead = tuple(range(x.ndim - weight.ndim))
        std = np.sqrt(x.var(lead) + eps)
        h, g = (x - x.mean(lead)) / std, dy * weight
        return (g - g.mean(lead) - h * (g * h).mean(lead)) / std, (dy * h).sum(lead), dy.sum(lead)

    text = " ".join(str(check("layer_norm_backward", over_the_batch)).split())
    assert "expected" in text
    assert not any(f"expected {sign}{n}." in text and "e-1" in text.split(f"expected {sign}{n}.")[1][:8]
                   for sign in ("", "-") for n in range(10))
