# ruff: noqa: D401 - a docstring says what is wrong
"""Wrong answers that make the mistakes of real code, written anew; beside each, what is wrong."""

import numpy as np

ANSWERS = []


def wrong(task):
    """Keep a function as a wrong answer to a task."""

    def keep(answer):
        ANSWERS.append((task, answer))
        return answer

    return keep


@wrong("update_running_stats")
def buffers_handed_back(x, running_mean, running_var, momentum):
    """Nothing is done."""
    return running_mean, running_var


@wrong("batch_norm_eval")
def brackets_forgotten(x, running_mean, running_var, weight, bias, eps):
    """Only the mean is divided."""
    return weight * (x - running_mean / np.sqrt(running_var + eps)) + bias


@wrong("batch_norm_forward")
def eps_of_its_own(x, weight, bias, eps):
    """Eps is always 1e-8."""
    return weight * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-8) + bias


@wrong("layer_norm_forward")
def eps_of_its_own_outside_the_root(x, weight, bias, eps):
    """Eps is always 1e-5, and it is added to the standard deviation."""
    axes = tuple(range(-weight.ndim, 0))
    std = x.std(axes, keepdims=True) + 1e-5
    return weight * (x - x.mean(axes, keepdims=True)) / std + bias


@wrong("batch_norm_forward")
def bias_in_the_numerator(x, weight, bias, eps):
    """The bias is divided by the standard deviation, and multiplied by the weight."""
    return weight * (x - x.mean(0) + bias) / np.sqrt(x.var(0) + eps)


@wrong("group_norm_forward")
def groups_of_g_channels_pixel_by_pixel(x, num_groups, weight, bias, eps):
    """A group has G channels, and each of its pixels a mean of its own."""
    x_hat, each = np.zeros(x.shape), (1, -1) + (1,) * (x.ndim - 2)
    for first in range(0, x.shape[1] // num_groups * num_groups, num_groups):
        group = x[:, first : first + num_groups]
        std = np.sqrt(group.var(1, keepdims=True) + eps)
        x_hat[:, first : first + num_groups] = (group - group.mean(1, keepdims=True)) / std
    return weight.reshape(each) * x_hat + bias.reshape(each)


@wrong("update_running_stats")
def an_axis_kept(x, running_mean, running_var, momentum):
    """The numbers are right, and their shape is (1, C)."""
    mean, var = x.mean(0, keepdims=True), x.var(0, ddof=1, keepdims=True)
    old = 1 - momentum
    return old * running_mean + momentum * mean, old * running_var + momentum * var


@wrong("batch_norm_backward_parameters")
def sums_without_an_axis(dy, x, mean, var, x_hat, weight, eps):
    """One number for all channels."""
    return (dy * x_hat).sum(), dy.sum()


@wrong("layer_norm_backward")
def deviations_inside_the_mean(dy, x, mean, var, x_hat, weight, eps):
    """In the second mean x - mean stands for x_hat."""
    own, others = tuple(range(-weight.ndim, 0)), tuple(range(x.ndim - weight.ndim))
    g = weight * dy
    along = x_hat * (g * (x - mean)).mean(own, keepdims=True)
    dx = (g - g.mean(own, keepdims=True) - along) / np.sqrt(var + eps)
    return dx, (dy * x_hat).sum(others), dy.sum(others)


@wrong("batch_norm_backward")
def factor_on_two_roads_of_three(dy, x, mean, var, x_hat, weight, eps):
    """The road of the variance is not multiplied by weight / std."""
    axes = (0, *range(2, x.ndim))
    weight = weight.reshape(1, -1, *[1] * (x.ndim - 2))
    centred = dy - dy.mean(axes, keepdims=True)
    along = x_hat * (dy * x_hat).mean(axes, keepdims=True)
    return weight / np.sqrt(var + eps) * centred - along


@wrong("batch_norm_backward")
def statistics_held_constant_and_no_weight(dy, x, mean, var, x_hat, weight, eps):
    """Two roads and the weight are left out."""
    return dy / np.sqrt(var + eps)


@wrong("batch_norm_backward")
def pixels_as_rows_of_channels(dy, x, mean, var, x_hat, weight, eps):
    """Images are reshaped to (-1, C) without moving the channels to the end."""
    channels = x.shape[1]
    g, h = dy.reshape(-1, channels) * weight, x_hat.reshape(-1, channels)
    dx = (g - g.mean(0) - h * (g * h).mean(0)) / np.sqrt(var.reshape(1, channels) + eps)
    return dx.reshape(x.shape)


@wrong("batch_norm_backward_graph")
def divisor_without_eps(dy, x, mean, var, x_hat, weight, eps):
    """x_hat has eps in it, and the divisor has not."""
    g = weight * dy
    return (g - g.mean(0) - x_hat * (g * x_hat).mean(0)) / np.sqrt(var)


@wrong("batch_norm_backward_parameters")
def x_hat_anew_without_eps(dy, x, mean, var, x_hat, weight, eps):
    """In dweight eps is left out."""
    axes = (0, *range(2, x.ndim))
    return (dy * (x - mean) / np.sqrt(var)).sum(axes), dy.sum(axes)


@wrong("layer_norm_backward")
def statistics_of_the_batch(dy, x, mean, var, x_hat, weight, eps):
    """All is done as in BatchNorm."""
    others = tuple(range(x.ndim - weight.ndim))
    std = np.sqrt(x.var(others) + eps)
    h, g = (x - x.mean(others)) / std, weight * dy
    dx = (g - g.mean(others) - h * (g * h).mean(others)) / std
    return dx, (dy * h).sum(others), dy.sum(others)


@wrong("merge_statistics")
def share_added(counts, means, variances):
    """The share of the new worker is added to the distance, not multiplied by it."""
    some = counts > 0
    counts, means, variances = counts[some], means[some], variances[some]
    n, mean, var = counts[0], means[0], variances[0]
    for more, its_mean, its_var in zip(counts[1:], means[1:], variances[1:], strict=True):
        total, apart = n + more, its_mean - mean
        var = (n * var + more * its_var + apart**2 * n * more / total) / total
        mean = mean + apart + more / total
        n = total
    return mean, var


@wrong("group_norm_forward")
def zeros(x, num_groups, weight, bias, eps):
    """Nothing is computed."""
    return np.zeros_like(x)


@wrong("group_norm_backward")
def zero_for_dx(dy, x_hat, inv_std, weight):
    """Dx is the whole number 0."""
    axes = (0, 2, 3)
    return 0, (dy * x_hat).sum(axes), dy.sum(axes)
