# ruff: noqa: B905, F841, RET503, RUF005 - written as learners write
"""Wrong answers, written without a look at the catalogue. ``# here`` marks what is really wrong."""

import numpy as np
import torch

ANSWERS = []


def wrong(task):
    """Keep a function as a wrong answer to a task."""

    def keep(answer):
        ANSWERS.append((task, answer))
        return answer

    return keep


@wrong("channel_statistics")
def only_the_first_half(images):
    x = images / 255
    x = x[: len(x) // 2 + 1]  # here
    mean = x.mean((0, 2, 3))
    return mean, x.std((0, 2, 3))


@wrong("channel_statistics")
def returns_too_early(images):
    x = images / 255
    means, stds = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for c in range(x.shape[1]):
        means[c] = x[:, c].mean()
        stds[c] = x[:, c].std()
        return means, stds  # here


@wrong("channel_statistics")
def last_channel_left_out(images):
    x = images / 255
    means, stds = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for c in range(x.shape[1] - 1):  # here
        means[c] = x[:, c].mean()
        stds[c] = x[:, c].std()
    return means, stds


@wrong("standardize")
def brackets_missing(train, test):
    axes = (0, 2, 3)
    mean = train.mean(axes, keepdims=True)
    std = train.std(axes, keepdims=True)
    std[std == 0] = 1
    new_train = (train - mean) / std
    new_test = test - mean / std  # here
    return new_train, new_test


@wrong("standardize")
def scaled_before_it_is_measured(train, test):
    axes = (0, 2, 3)
    mean = train.mean(axes, keepdims=True)
    train = train - mean  # here
    test = test - train.mean(axes, keepdims=True)  # here
    std = train.std(axes, keepdims=True)
    std = np.where(std == 0, 1, std)
    return train / std, test / std


@wrong("normalize_vectors")
def smallest_length(x, dim, eps):
    length = np.sqrt(np.sum(x * x, axis=dim, keepdims=True))
    length = np.minimum(length, eps)  # here
    return x / length


@wrong("normalize_vectors")
def cubes(x, dim, eps):
    total = (x**3).sum(axis=dim, keepdims=True)  # here
    return x / np.maximum(np.sqrt(total), eps)


@wrong("batch_norm_forward")
def subtracted_once_more(x, weight, bias, eps):
    mean = x.mean(axis=0)
    centred = x - mean
    var = (centred**2).mean(axis=0)
    y = (centred - mean) / np.sqrt(var + eps)  # here
    return y * weight + bias


@wrong("batch_norm_forward")
def loop_begins_at_one(x, weight, bias, eps):
    y = np.zeros_like(x)
    for c in range(1, x.shape[1]):  # here
        column = x[:, c]
        spread = np.sqrt(column.var() + eps)
        y[:, c] = weight[c] * (column - column.mean()) / spread + bias[c]
    return y


@wrong("batch_norm_forward")
def variance_of_the_first_channel(x, weight, bias, eps):
    y = np.zeros_like(x)
    for c in range(x.shape[1]):
        mean = x[:, c].mean()
        var = x[:, 0].var()  # here
        y[:, c] = (x[:, c] - mean) / np.sqrt(var + eps)
    return weight * y + bias


@wrong("batch_norm_forward_images")
def variance_of_each_image(x, weight, bias, eps):
    mean = x.mean((0, 2, 3), keepdims=True)
    var = x.var((2, 3), keepdims=True)  # here
    x_hat = (x - mean) / np.sqrt(var + eps)
    return weight[:, None, None] * x_hat + bias[:, None, None]


@wrong("batch_norm_forward_images")
def divided_twice(x, weight, bias, eps):
    n = x.shape[0] * x.shape[2] * x.shape[3]
    mean = x.sum(axis=(0, 2, 3), keepdims=True) / n
    var = ((x - mean) ** 2).mean(axis=(0, 2, 3), keepdims=True) / n  # here
    x_hat = (x - mean) / np.sqrt(var + eps)
    return weight.reshape(1, -1, 1, 1) * x_hat + bias.reshape(1, -1, 1, 1)


@wrong("linear_then_batch_norm")
def mean_of_the_inputs(x, linear_weight, linear_bias, weight, bias, eps):
    z = x @ linear_weight.T + linear_bias
    mean = z.mean(0)
    var = (z**2).mean(0) - mean  # here
    y = weight * (z - mean) / np.sqrt(var + eps) + bias
    return y, mean, var


@wrong("update_running_stats")
def features_counted(x, running_mean, running_var, momentum):
    n = x.shape[1]  # here
    mean = x.mean(0)
    var = ((x - mean) ** 2).sum(0) / (n - 1)
    new_mean = (1 - momentum) * running_mean + momentum * mean
    new_var = (1 - momentum) * running_var + momentum * var
    return new_mean, new_var


@wrong("update_running_stats")
def minus_one_outside(x, running_mean, running_var, momentum):
    n = len(x)
    mean = x.sum(axis=0) / n
    var = ((x - mean) ** 2).sum(axis=0) / n - 1  # here
    new_mean = running_mean + momentum * (mean - running_mean)
    new_var = running_var + momentum * (var - running_var)
    return new_mean, new_var


@wrong("update_running_stats")
def difference_from_the_wrong_one(x, running_mean, running_var, momentum):
    mean, var = x.mean(0), x.var(0, ddof=1)
    running_mean = running_mean + momentum * (mean - running_mean)
    running_var = running_var + momentum * (var - running_mean)  # here
    return running_mean, running_var


@wrong("batch_norm_eval")
def eps_in_the_numerator(x, running_mean, running_var, weight, bias, eps):
    std = np.sqrt(running_var)  # here
    x_hat = (x - running_mean + eps) / std  # here
    return weight * x_hat + bias


@wrong("batch_norm_eval")
def bias_scaled_too(x, running_mean, running_var, weight, bias, eps):
    inv = 1 / np.sqrt(running_var + eps)
    shift = bias * inv - running_mean * weight * inv  # here
    return x * weight * inv + shift


@wrong("fold_batch_norm")
def plus_the_mean(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    scale = weight / np.sqrt(running_var + eps)
    new_weight = linear_weight * scale[:, None]
    new_bias = (linear_bias + running_mean) * scale + bias  # here
    return new_weight, new_bias


@wrong("fold_batch_norm")
def scale_of_the_bias_forgotten(
    linear_weight, linear_bias, running_mean, running_var, weight, bias, eps
):
    scale = weight / np.sqrt(running_var + eps)
    new_weight = linear_weight * scale.reshape(-1, 1)
    new_bias = linear_bias - scale * running_mean + bias  # here
    return new_weight, new_bias


@wrong("batch_norm_backward_parameters")
def inputs_for_slopes(dy, x, mean, var, x_hat, weight, eps):
    axes = (0,) + tuple(range(2, x.ndim))
    dweight = np.sum(dy * (x_hat - mean), axis=axes)  # here
    dbias = np.sum(dy, axis=axes)
    return dweight, dbias


@wrong("batch_norm_backward_graph")
def root_differentiated_wrongly(dy, x, mean, var, x_hat, weight, eps):
    n = x.shape[0]
    std = np.sqrt(var + eps)
    dx_hat = dy * weight
    dvar = np.sum(dx_hat * (x - mean), axis=0) * -0.5 / std**2  # here
    dmean = -np.sum(dx_hat, axis=0) / std
    return dx_hat / std + dvar * 2 * (x - mean) / n + dmean / n


@wrong("batch_norm_backward_graph")
def sign_of_the_mean(dy, x, mean, var, x_hat, weight, eps):
    n = x.shape[0]
    std = np.sqrt(var + eps)
    dx_hat = dy * weight
    dvar = np.sum(dx_hat * (x - mean), axis=0) * -0.5 * std**-3
    dmean = np.sum(dx_hat, axis=0) / std  # here
    return dx_hat / std + dvar * 2 * (x - mean) / n + dmean / n


@wrong("batch_norm_backward")
def products_of_means(dy, x, mean, var, x_hat, weight, eps):
    axes = (0, *range(2, x.ndim))
    shape = [1] * x.ndim
    shape[1] = -1
    g = dy * weight.reshape(shape)
    first = g.mean(axes, keepdims=True)
    second = (g + x_hat).mean(axes, keepdims=True)  # here
    return (g - first - x_hat * second) / np.sqrt(var + eps)


@wrong("layer_norm_forward")
def centred_too_late(x, weight, bias, eps):
    axes = tuple(range(x.ndim - weight.ndim, x.ndim))
    mean = x.mean(axis=axes, keepdims=True)
    var = (x**2 - mean).mean(axis=axes, keepdims=True)  # here
    return (x - mean) / np.sqrt(var + eps) * weight + bias


@wrong("layer_norm_backward")
def gradient_overwritten(dy, x, mean, var, x_hat, weight, eps):
    axes = tuple(range(x.ndim - weight.ndim, x.ndim))
    lead = tuple(range(x.ndim - weight.ndim))
    dy = dy * weight  # here
    m1 = dy.mean(axes, keepdims=True)
    m2 = (dy * x_hat).mean(axes, keepdims=True)
    dx = (dy - m1 - x_hat * m2) / np.sqrt(var + eps)
    return dx, (dy * x_hat).sum(lead), dy.sum(lead)


@wrong("sequence_norm_padded")
def one_position_too_many(x, lengths, weight, bias, eps):
    y = np.zeros_like(x)
    for b, length in enumerate(lengths):
        real = x[b, : length + 1]  # here
        normed = (real - real.mean()) / np.sqrt(real.var() + eps)
        y[b, : length + 1] = weight * normed + bias  # here
    return y


@wrong("sequence_norm_padded")
def length_of_the_first(x, lengths, weight, bias, eps):
    y = np.zeros_like(x)
    for b in range(len(x)):
        n = lengths[0]  # here
        real = x[b, :n]
        y[b, :n] = weight * (real - real.mean()) / np.sqrt(real.var() + eps) + bias
    return y


@wrong("instance_norm_forward")
def shape_of_another(x, weight, bias, eps):
    mean = x.mean(axis=(2, 3), keepdims=True)
    var = ((x - mean) ** 2).mean(axis=(1, 2, 3), keepdims=True)  # here
    y = (x - mean) / np.sqrt(var + eps)
    if weight is not None:
        y = y * weight[:, None, None] + bias[:, None, None]
    return y


@wrong("restyle")
def spread_of_the_content(content, style, eps):
    c_mean = content.mean((1, 2), keepdims=True)
    s_mean = style.mean((1, 2), keepdims=True)
    c_std = np.sqrt(content.var((1, 2), keepdims=True) + eps)
    s_std = np.sqrt(style.var((1, 2), keepdims=True) + eps)
    return (content - c_mean) / s_std * c_std + s_mean  # here


@wrong("group_norm_forward")
def groups_of_g_channels(x, num_groups, weight, bias, eps):
    y = np.empty_like(x)
    size = x.shape[1] // num_groups
    for g in range(num_groups):
        part = x[:, g * num_groups : g * num_groups + size]  # here
        axes = tuple(range(1, part.ndim))
        mean = part.mean(axes, keepdims=True)
        var = part.var(axes, keepdims=True)
        y[:, g * size : (g + 1) * size] = (part - mean) / np.sqrt(var + eps)
    shape = (1, -1) + (1,) * (x.ndim - 2)
    return y * weight.reshape(shape) + bias.reshape(shape)


@wrong("group_norm_backward")
def bracket_ends_too_soon(dy, x_hat, inv_std, weight):
    n, g = inv_std.shape
    dbias = dy.sum((0, 2, 3))
    dweight = (dy * x_hat).sum((0, 2, 3))
    gradient = (dy * weight.reshape(1, -1, 1, 1)).reshape(n, g, -1)
    hat = x_hat.reshape(n, g, -1)
    a = gradient.mean(2, keepdims=True)
    b = (gradient * hat).mean(2, keepdims=True)
    dx = inv_std[:, :, None] * gradient - a - hat * b  # here
    return dx.reshape(dy.shape), dweight, dbias


@wrong("two_ends")
def statistics_of_the_other_end(x, weight, bias, eps):
    all_mean = x.mean((1, 2, 3), keepdims=True)
    all_var = x.var((1, 2, 3), keepdims=True)
    map_mean = x.mean((2, 3), keepdims=True)
    map_var = x.var((2, 3), keepdims=True)
    layer = (x - all_mean) / np.sqrt(map_var + eps)  # here
    instance = (x - map_mean) / np.sqrt(map_var + eps)
    return layer * weight + bias, instance


@wrong("rms_norm_forward")
def length_and_no_mean(x, weight, eps):
    wide = x.astype(np.float64)
    rms = np.sqrt((wide**2).sum(-1, keepdims=True) + eps)  # here
    return weight * wide / rms


@wrong("local_response_norm")
def window_shifted(x, size, alpha, beta, k):
    channels = x.shape[1]
    y = np.zeros_like(x)
    for c in range(channels):
        low = max(0, c - size // 2)
        high = min(channels, c + (size + 1) // 2 - 1)  # here
        total = (x[:, low:high] ** 2).sum(axis=1)
        y[:, c] = x[:, c] / (k + alpha / size * total) ** beta
    return y


@wrong("weight_norm")
def length_of_all(v, g):
    flat = v.reshape(len(v), -1)
    length = np.sqrt((flat**2).sum(axis=0))  # here
    shape = (-1,) + (1,) * (v.ndim - 1)
    return v * (g / length[: len(g)]).reshape(shape) if len(length) >= len(g) else v


@wrong("weight_norm")
def squared_length(v, g):
    flat = v.reshape(len(v), -1)
    length = np.sum(flat**2, axis=1)  # here
    shape = (-1,) + (1,) * (v.ndim - 1)
    return v * (g / length).reshape(shape)


@wrong("merge_statistics")
def distance_not_squared(counts, means, variances):
    busy = counts > 0
    n, m, v = counts[busy][:, None], means[busy], variances[busy]
    total = n.sum()
    mean = (n * m).sum(0) / total
    var = (n * (v + np.abs(m - mean))).sum(0) / total  # here
    return mean, var


@wrong("merge_statistics")
def total_moves_on_too_early(counts, means, variances):
    n, mean, var = 0, 0.0, 0.0
    for c, m, v in zip(counts, means, variances):
        if c == 0:
            continue
        total = n + c
        n = total  # here
        delta = m - mean
        mean = mean + delta * c / total
        var = (n * var + c * v + delta**2 * n * c / total) / total
    return mean, var


def centred(x, axes):
    return x - x.mean(axes, keepdims=True)


def spread(x, eps):
    return np.sqrt(np.var(x) + eps)  # here


@wrong("batch_norm_forward")
def with_helpers(x, weight, bias, eps):
    deviations = centred(x, 0)
    return weight * deviations / spread(deviations, eps) + bias


@wrong("BatchNorm")
class OldStatistics:
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = np.ones(num_features), np.zeros(num_features)
        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)
        self.num_batches_tracked = 0
        self.training = True

    def train(self):
        self.training = True

    def eval(self):
        self.training = False

    def __call__(self, x):
        if self.training:
            if len(x) < 2:
                raise ValueError("a batch of one")
            mean, var = x.mean(0), x.var(0)
            m = self.momentum
            self.running_mean = (1 - m) * self.running_mean + m * mean
            self.running_var = (1 - m) * self.running_mean + m * x.var(0, ddof=1)  # here
            self.num_batches_tracked += 1
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / np.sqrt(var + self.eps) + self.bias


@wrong("update_teacher")
def the_student_learns(teacher, student, decay):
    with torch.no_grad():
        for ours, theirs in zip(teacher.parameters(), student.parameters()):
            ours.copy_(decay * theirs + (1 - decay) * ours)  # here
        for ours, theirs in zip(teacher.buffers(), student.buffers()):
            ours.copy_(theirs)


@wrong("predict")
def trained_while_asked(network, x, batch_size):
    modes = {module: module.training for module in network.modules()}
    network.train()  # here
    with torch.no_grad():
        scores = torch.cat([network(part) for part in x.split(batch_size)])
    for module, training in modes.items():
        module.training = training
    return scores


@wrong("fine_tune")
def body_trained_too(body, head, batches, validation, epochs, lr):
    network = torch.nn.Sequential(body, head)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)  # here
    losses = []
    for _ in range(epochs):
        network.train()  # here
        body.eval()
        for x, y in batches:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(network(x), y).backward()
            optimizer.step()
        network.eval()
        losses.append(torch.nn.functional.mse_loss(network(validation[0]), validation[1]).item())
    return losses
