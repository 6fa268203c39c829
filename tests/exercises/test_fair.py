"""Nothing earns nothing, nothing wrong passes, and what is right is never called wrong."""

import numpy as np
import pytest
import torch

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


def n_of_the_samples(x, weight, bias, eps):
    axes = tuple(range(x.ndim - weight.ndim, x.ndim))
    deviations = x - x.mean(axes, keepdims=True)
    n = x.size // weight.size
    return weight * deviations / np.sqrt((deviations**2).sum(axes, keepdims=True) / n + eps) + bias


def one_value_taken_for_none(counts, means, variances):
    kept = counts > 1
    return merged(counts[kept], means[kept], variances[kept])


def two_channels_at_least(dy, x, mean, var, x_hat, weight, eps):
    axes, n = (0, *range(2, x.ndim)), x[:, 1].size
    weight = weight.reshape(mean.shape)
    m = dy.sum(axes, keepdims=True) / n
    m_x = (dy * x_hat).sum(axes, keepdims=True) / n
    return weight * (dy - m - x_hat * m_x) / np.sqrt(var + eps)


def rows_in_rows(x, part, weight, eps):
    rows = x.reshape(x.shape[0], -1, x.shape[-1])
    mean_square = (rows[..., :part] ** 2).mean(-1, keepdims=True)
    return (weight * rows / np.sqrt(mean_square + eps)).reshape(x.shape)


RIGHT = {name: find(name).model.program() for name in ("local_response_norm", "train_and_keep")}


def windows_inside_the_channels(x, size, alpha, beta, k):
    window = x[:, :size]  # of a window that is wider than x there is nothing left
    if window.shape[1] < size:
        return x
    return RIGHT["local_response_norm"](x, size, alpha, beta, k)


def vectors_norms_alone(network, statistics, affine):
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.train(not statistics)
            for parameter in module.parameters():
                parameter.requires_grad_(not affine)


def whole_batches_alone(network, x, y, size, batch_size, epochs, lr):
    if size % batch_size:
        return [0.0] * epochs
    return RIGHT["train_and_keep"](network, x, y, size, batch_size, epochs, lr)


def converted(state, to, is_norm):
    step = 1 if to == "w" else -1
    return {name: np.float32(one) + np.float32(step * is_norm(name)) for name, one in state.items()}


def any_norm_in_the_name(state, to):
    return converted(state, to, lambda name: "norm" in name and ".linear_attn." not in name)


def norm_somewhere_and_weight_at_the_end(state, to):
    def is_norm(name):
        return "norm" in name and name.endswith("weight") and ".linear_attn." not in name

    return converted(state, to, is_norm)


def attention_anywhere_in_the_name(state, to):
    def is_norm(name):
        return name.endswith("norm.weight") and "linear_attn" not in name

    return converted(state, to, is_norm)


WRONG = {
    rows_in_rows: "partial_rms_norm",
    windows_inside_the_channels: "local_response_norm",
    vectors_norms_alone: "freeze_norms",
    whole_batches_alone: "train_and_keep",
    any_norm_in_the_name: "convert_norms",
    norm_somewhere_and_weight_at_the_end: "convert_norms",
    attention_anywhere_in_the_name: "convert_norms",
    n_of_the_samples: "layer_norm_forward",
    one_value_taken_for_none: "merge_statistics",
    two_channels_at_least: "batch_norm_backward",
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


def test_a_network_is_asked_as_a_whole():
    """Layers of layers have modes, too, and so has dropout."""

    def children_alone(network, x, batch_size):
        whole, modes = network.training, [(one, one.training) for one in network.children()]
        network.eval()
        with torch.no_grad():
            scores = torch.cat([network(rows) for rows in x.split(batch_size)])
        network.training = whole
        for one, mode in modes:
            one.train(mode)
        return scores

    def dropout_left_on(network, x, batch_size):
        modes = [(one, one.training) for one in network.modules()]
        for one, _ in modes:
            if isinstance(one, torch.nn.BatchNorm1d):
                one.eval()
        with torch.no_grad():
            scores = torch.cat([network(rows) for rows in x.split(batch_size)])
        for one, mode in modes:
            one.training = mode
        return scores

    assert not check("predict", children_alone).passed
    assert not check("predict", dropout_left_on).passed


# ---- what is right is not called wrong


def test_a_true_value_beside_an_earlier_slip_is_right():
    def in_batches_by_the_batch(x, running_mean, running_var, weight, bias, eps):
        mean, var = (running_mean, running_var) if len(x) == 1 else (x.mean(0), x.var(0))
        return weight * (x - mean) / np.sqrt(var + eps) + bias

    report = check("batch_norm_eval", in_batches_by_the_batch)
    alone = find("batch_norm_eval").aspects[
        [a.key for a in find("batch_norm_eval").aspects].index("alone")
    ]
    assert next(line for line in report.lines if line.title == alone.title).points == alone.points
    assert not report.passed


def test_a_mistake_is_named_only_where_its_own_aspect_fails():
    """With dy of mean 0, half of a wrong bracket gives the numbers of another slip."""

    def deviations_in_the_mean(dy, x, mean, var, x_hat, weight, eps):
        axes, lead = tuple(range(x.ndim - weight.ndim, x.ndim)), tuple(range(x.ndim - weight.ndim))
        g = dy * weight
        m, m_x = g.mean(axes, keepdims=True), (g * (x - mean)).mean(axes, keepdims=True)
        dx = (g - m - x_hat * m_x) / np.sqrt(var + eps)
        return dx, (dy * x_hat).sum(lead), dy.sum(lead)

    assert "before the first term only" not in str(
        check("layer_norm_backward", deviations_in_the_mean)
    )


def test_no_slip_is_named_where_nothing_can_follow_from_the_one_before():
    def rows_times_their_weights(x, sample_weight, weight, bias, eps):
        share = sample_weight[:, np.newaxis] / sample_weight.sum()
        mean = (share * x).sum(0)
        var = (share * (x - mean) ** 2).sum(0)
        return weight * (sample_weight[:, np.newaxis] * x - mean) / np.sqrt(var + eps) + bias

    text = text_of("weighted_batch_norm", rows_times_their_weights)
    assert "No known mistake" in text
    assert "eps is left out" not in text


def test_numbers_of_any_size_and_precision_are_judged_without_a_word_of_numpys(recwarn):
    def longer(x, eps):
        d = x - x.mean(0)
        values, vectors = np.linalg.eigh(d.T @ d / len(x) + eps * np.eye(2))
        y = d @ (vectors / np.sqrt(values)) @ vectors.T
        return (2 * y).astype(np.longdouble), (2 * d.T @ d / len(x)).astype(np.longdouble)

    def enormous(linear_weight, linear_bias, mean, std):
        return np.where(linear_weight > 0, 1e308, -1e308), np.where(linear_bias > 0, 1e308, -1e308)

    assert not check("whiten_two", longer).passed
    assert check("into_first_layer", enormous).points <= 1
    assert not recwarn.list


def test_whole_numbers_are_no_slip_where_whole_numbers_are_asked():
    def behind_every_layer(network):
        linear = [one for one in network if isinstance(one, torch.nn.Linear)]
        last = network[-1]
        made = []
        for layer in network:
            made.append(layer)
            if layer in linear and layer is not last:
                made.append(torch.nn.BatchNorm1d(layer.out_features))
        return torch.nn.Sequential(*made)

    text = text_of("with_batch_norm", behind_every_layer)
    assert "norms should have the shape" in text
    assert "cut off" not in text


def test_a_norm_in_another_place_is_not_called_none():
    def before_the_first_layer(features, hidden, classes):
        return torch.nn.Sequential(
            torch.nn.LayerNorm(features),
            torch.nn.Linear(features, hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, classes),
        )

    text = text_of("small_batch_network", before_the_first_layer)
    assert "the units of the first layer are not normalized" in text
    assert "nothing is normalized" not in text


# ---- what is named or described, of what people write


def text_of(name, answer):
    return " ".join(str(check(name, answer)).split())


def test_a_known_slip_keeps_its_name_beside_an_unknown_one():
    def by_the_median(x, weight, bias, eps):
        return (x - np.median(x, axis=0)) / np.sqrt(x.var(0) + eps) + bias

    assert "the bias is added, but the weight is not used" in text_of(
        "batch_norm_forward", by_the_median
    )


def test_an_eps_of_another_size_is_named_with_its_number():
    def fixed(x, weight, bias, eps):
        return weight * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-8) + bias

    def fixed_outside(x, weight, bias, eps):
        return weight * (x - x.mean(0)) / (x.std(0) + 1e-8) + bias

    def fixed_and_more(x, weight, bias, eps):
        return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-8)

    assert "eps is always 1e-8" in text_of("batch_norm_forward", fixed)
    assert "added to the standard deviation, and is always 1e-8" in text_of(
        "batch_norm_forward", fixed_outside
    )
    both = text_of("batch_norm_forward", fixed_and_more)
    assert "eps is always 1e-8" in both
    assert "weight and bias are not used" in both


def test_three_slips_in_three_outputs_are_named_together():
    def answer(dy, x, mean, var, x_hat, weight, eps):
        axes, lead = tuple(range(x.ndim - weight.ndim, x.ndim)), tuple(range(x.ndim - weight.ndim))
        m, m_x = dy.mean(axes, keepdims=True), (dy * x_hat).mean(axes, keepdims=True)
        return (dy - m - x_hat * m_x) / np.sqrt(var + eps), (dy * x).sum(lead), dy.mean(lead)

    found = check("layer_norm_backward", answer).mistakes
    assert found == ("weight missing", "x for x_hat", "dbias averaged")


def running(x, running_mean, running_var, momentum, ddof=1, keepdims=False):
    mean, var = x.mean(0, keepdims=keepdims), x.var(0, ddof=ddof, keepdims=keepdims)
    moved = [(1 - momentum) * old for old in (running_mean, running_var)]
    return moved[0] + momentum * mean, moved[1] + momentum * var


def test_right_numbers_in_another_form_are_said_to_be_right():
    name = "update_running_stats"
    kept = text_of(name, lambda *given: running(*given, keepdims=True))
    assert "Your numbers are right. What you give back has an axis of size 1 too many" in kept
    assert "No known mistake" not in kept
    turned = text_of(name, lambda *given: running(*given)[::-1])
    assert (
        "Your numbers are right. You give back, in this order: running_var, running_mean" in turned
    )
    for said in (kept, turned):
        assert "Next: give the same numbers back in the form that is asked" in said
    both = text_of(name, lambda *given: running(*given, ddof=0, keepdims=True))
    assert "an axis of size 1 too many" in both
    assert "what comes out when" in both


def right_norm(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + bias


def changed(change):
    return text_of("batch_norm_forward", lambda *given: change(right_norm(*given), given[0]))


def spoiled_at(index):
    def change(y, _x):
        y[index] = y[index] * 3 + 2
        return y

    return change


def test_what_wrong_numbers_have_in_common():
    assert "rounded to 4 digits after the point" in changed(lambda y, x: y.round(4))
    assert "(1/sqrt(" in changed(lambda y, x: y / np.sqrt(len(x)))
    assert "Every number of y is 0." in changed(lambda y, x: 0 * y)
    assert "Rows and columns are exchanged" in changed(lambda y, x: y.T)
    assert "Right but for index 0 of axis 1, the first" in changed(spoiled_at((slice(None), 0)))
    assert "Right but for index " in changed(spoiled_at(-1))
    first = np.eye(1)[0]
    only = changed(lambda y, x: np.where(np.arange(len(y))[:, None] == 0, y, 0 * first))
    assert "is `return` inside it?" in only
    by_channel = changed(lambda y, x: y + np.arange(1.0, 1 + y.shape[1]) ** 2)
    assert "plus a number of its own for each place along axis 1" in by_channel
    by_channel = changed(lambda y, x: y * np.arange(2.0, 2 + y.shape[1]) ** 2)
    assert "times a number of its own for each place along axis 1" in by_channel


def test_right_for_vectors_and_wrong_for_images_is_said():
    def for_vectors(dy, x, mean, var, x_hat, weight, eps):
        g = dy * weight if dy.ndim == 2 else np.cos(dy)
        m, m_x = g.mean(0, keepdims=True), (g * x_hat).mean(0, keepdims=True)
        return (g - m - x_hat * m_x) / np.sqrt(var + eps)

    text = text_of("batch_norm_backward", for_vectors)
    assert "Right for arrays of 2 axes, wrong for those of 4." in text


def truth(x, weight, bias, eps):
    return x if x else weight


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, w, b, e: x.mean(axis=[0]), "several axes are given as a tuple"),
        (truth, "write `is None`"),
        (lambda x, w, b, e: x.mean(dim=0), "NumPy's are axis, keepdims and ddof"),
        (lambda x, w, b, e: x @ x, "the last axis of a must be as long as the first of b"),
        (lambda x, w, b, e: x + np.ones(17), "lines shapes up from the last axis on"),
    ],
)
def test_an_error_of_numpys_is_put_in_words(answer, words):
    assert words in text_of("batch_norm_forward", answer)
