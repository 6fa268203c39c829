"""Wrong answers to the tasks that no lesson answers, as people write them: each is named."""

import numpy as np
import pytest
import torch

from normlab import check

ANSWERS = []


def wrong(task, *names):
    """Keep a function as a wrong answer to a task, in which these mistakes are made."""

    def keep(answer):
        ANSWERS.append((task, answer, names))
        return answer

    return keep


# ---- exercise 01


@wrong("statistics_of_sizes", "each image counts the same")
def image_by_image(images, heights, widths):
    means, stds = [], []
    for image, h, w in zip(images, heights, widths, strict=True):
        means.append(image[:, :h, :w].mean(axis=(1, 2)))
        stds.append(image[:, :h, :w].std(axis=(1, 2)))
    return np.mean(means, axis=0), np.mean(stds, axis=0)


@wrong("statistics_of_sizes", "zeros counted")
def blackened(images, heights, widths):
    x = np.zeros_like(images)
    for i in range(len(x)):
        x[i, :, : heights[i], : widths[i]] = images[i, :, : heights[i], : widths[i]]
    return x.mean(axis=(0, 2, 3)), x.std(axis=(0, 2, 3))


@wrong("statistics_of_sizes", "heights and widths exchanged")
def width_first(images, heights, widths):
    cut = [x[:, :w, :h].reshape(len(x), -1) for x, h, w in zip(images, heights, widths)]  # noqa: B905
    pixels = np.concatenate(cut, axis=1)
    return pixels.mean(axis=1), pixels.std(axis=1)


@wrong("robust_scale", "half the distance")
def from_the_median(train, test):
    low, median, high = np.percentile(train, [25, 50, 75], axis=0)
    spread = (high - low) / 2
    spread[spread == 0] = 1
    return (train - median) / spread, (test - median) / spread


@wrong("robust_scale", "test set by its own quartiles")
def each_set_by_itself(train, test):
    def scale(x):
        low, median, high = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
        return (x - median) / np.where(high > low, high - low, 1)

    return scale(train), scale(test)


@wrong("into_first_layer", "std twice")
def with_the_folded_weight(linear_weight, linear_bias, mean, std):
    scaled = linear_weight / std
    return scaled / 255, linear_bias - scaled @ (mean / std)


@wrong("into_first_layer", "mean on the scale of bytes")
def folded_weight_times_mean(linear_weight, linear_bias, mean, std):
    weight = linear_weight / std / 255
    return weight, linear_bias - (weight * mean).sum(axis=1)


# ---- exercise 02


@wrong("weighted_batch_norm", "values multiplied by their weights")
def weighted_rows(x, sample_weight, weight, bias, eps):
    rows = x * sample_weight.reshape(-1, 1)
    return weight * (rows - rows.mean(0)) / np.sqrt(rows.var(0) + eps) + bias


@wrong("weighted_batch_norm", "weights in the mean alone")
def plain_variance(x, sample_weight, weight, bias, eps):
    mean = np.average(x, axis=0, weights=sample_weight)
    var = np.mean((x - mean) ** 2, axis=0)
    return weight * (x - mean) / np.sqrt(var + eps) + bias


@wrong("weighted_batch_norm", "samples of weight 0 set to 0")
def nothing_for_the_absent(x, sample_weight, weight, bias, eps):
    mean = np.average(x, axis=0, weights=sample_weight)
    var = np.average((x - mean) ** 2, axis=0, weights=sample_weight)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    y[sample_weight == 0] = 0
    return y


@wrong("whiten_two", "divided by n - 1")
def with_cov(x, eps):
    cov = np.cov(x, rowvar=False)
    values, vectors = np.linalg.eigh(cov + eps * np.eye(2))
    return (x - x.mean(0)) @ vectors @ np.diag(values**-0.5) @ vectors.T, cov


@wrong("whiten_two", "no root")
def inverse(x, eps):
    d = x - x.mean(0)
    cov = d.T @ d / len(x)
    return d @ np.linalg.inv(cov + eps * np.eye(2)), cov


# ---- exercise 03


@wrong("average_so_far", "divided by the count before")
def old_count(x, running_mean, running_var, num_batches_tracked):
    share = 1 / num_batches_tracked if num_batches_tracked else 1.0
    mean = running_mean + share * (x.mean(0) - running_mean)
    return mean, running_var + share * (x.var(0, ddof=1) - running_var)


@wrong("average_so_far", "biased variance remembered")
def numpys_var(x, running_mean, running_var, num_batches_tracked):
    k = num_batches_tracked
    return (k * running_mean + x.mean(0)) / (k + 1), (k * running_var + x.var(0)) / (k + 1)


@wrong("fold_into_next_conv", "scaled twice")
def sums_of_the_folded(conv_weight, conv_bias, running_mean, running_var, weight, bias, eps):
    scale = weight / np.sqrt(running_var + eps)
    folded = np.einsum("ochw,c->ochw", conv_weight, scale)
    return folded, conv_bias + np.einsum("ochw,c->o", folded, bias - scale * running_mean)


@wrong("fold_into_next_conv", "mean over the kernel")
def once_for_a_kernel(conv_weight, conv_bias, running_mean, running_var, weight, bias, eps):
    scale = weight / np.sqrt(running_var + eps)
    shift = bias - scale * running_mean
    folded = conv_weight * scale.reshape(1, -1, 1, 1)
    return folded, conv_bias + conv_weight.mean(axis=(2, 3)) @ shift


@wrong("batch_renorm", "d over the batch's std")
def d_by_the_batch(x, running_mean, running_var, weight, bias, eps, r_max, d_max):
    std, running = np.sqrt(x.var(0) + eps), np.sqrt(running_var + eps)
    r = np.clip(std / running, 1 / r_max, r_max)
    d = np.clip((x.mean(0) - running_mean) / std, -d_max, d_max)
    return weight * ((x - x.mean(0)) / std * r + d) + bias


@wrong("batch_renorm", "r limited above alone")
def from_zero_on(x, running_mean, running_var, weight, bias, eps, r_max, d_max):
    std, running = np.sqrt(x.var(0) + eps), np.sqrt(running_var + eps)
    r = np.clip(std / running, 0, r_max)
    d = np.clip((x.mean(0) - running_mean) / running, -d_max, d_max)
    return weight * ((x - x.mean(0)) * r / std + d) + bias


# ---- exercise 04


@wrong("mean_only_backward", "mean held constant")
def as_if_by_itself(dy, x, weight):
    return dy * weight, ((x - x.mean(0)) * dy).sum(0), dy.sum(0)


@wrong("mean_only_backward", "x for the centred numbers", "weight missing")
def two_slips(dy, x, weight):
    return dy - dy.mean(0), np.sum(dy * x, axis=0), np.sum(dy, axis=0)


@wrong("frozen_backward", "the whole training backward")
def as_in_training(dy, x, running_mean, running_var, weight, eps):
    shape = (1, -1) + (1,) * (x.ndim - 2)
    axes = (0, *range(2, x.ndim))
    r = 1 / np.sqrt(running_var + eps).reshape(shape)
    x_hat = (x - running_mean.reshape(shape)) * r
    g = dy * weight.reshape(shape)
    centred = g - g.mean(axes, keepdims=True)
    dx = r * (centred - x_hat * (g * x_hat).mean(axes, keepdims=True))
    return dx, (dy * x_hat).sum(axes), dy.sum(axes)


@wrong("weighted_backward", "road through the variance left out")
def two_roads(dy, x, sample_weight, weight, eps):
    p = sample_weight[:, None] / sample_weight.sum()
    d = x - (p * x).sum(0)
    g = dy * weight / np.sqrt((p * d**2).sum(0) + eps)
    return g - p * g.sum(0)


@wrong(
    "weighted_backward",
    "every sample moves the mean alike",
    "every sample moves the variance alike",
)
def lesson_4s_means(dy, x, sample_weight, weight, eps):
    p = sample_weight[:, None] / sample_weight.sum()
    d = x - (p * x).sum(0)
    r = 1 / np.sqrt((p * d**2).sum(0) + eps)
    g, x_hat = dy * weight, d * r
    return r * (g - g.mean(0) - x_hat * (g * x_hat).mean(0))


# ---- exercise 05


@wrong("with_batch_norm", "behind the last layer, too")
def behind_each(network):
    layers = []
    for layer in network:
        layers += [layer]
        if type(layer) is torch.nn.Linear:
            layers += [torch.nn.BatchNorm1d(layer.out_features)]
    return torch.nn.Sequential(*layers)


@wrong("norms_that_remember", "last part of the name")
def short_names(state, tiny):
    found = []
    for key, value in state.items():
        parts = key.split(".")
        if parts[-1] == "running_var":
            batches = state[key.replace("running_var", "num_batches_tracked")]
            name = parts[-2] if len(parts) > 1 else ""
            found.append((name, len(value), batches.item(), (value < tiny).sum().item()))
    return found


@pytest.mark.parametrize(
    ("task", "answer", "names"), ANSWERS, ids=lambda one: getattr(one, "__name__", "")
)
def test_it_is_named(task, answer, names):
    report = check(task, answer)
    assert not report.passed
    assert set(report.mistakes) == set(names), report
