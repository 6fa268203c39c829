"""Lesson 3: right answers in many ways, classes of every kind, and the engine's part for classes.

That each mistake is named is tested for all exercises in test_mistakes.py, each pair in
test_pairs.py.
"""

import functools
import math

import numpy as np
import pytest
import torch

from normlab import check
from normlab.exercises import draw_cases, find

# ---- task 1


def update_with_ddof(x, running_mean, running_var, momentum):
    mean, var = x.mean(0), x.var(0, ddof=1)
    return running_mean + momentum * (mean - running_mean), running_var + momentum * (
        var - running_var
    )


def update_with_loops(x, running_mean, running_var, momentum):
    means, variances = [], []
    for c in range(x.shape[1]):
        column = [float(value) for value in x[:, c]]
        mean = math.fsum(column) / len(column)
        var = math.fsum((value - mean) ** 2 for value in column) / (len(column) - 1)
        means.append((1 - momentum) * float(running_mean[c]) + momentum * mean)
        variances.append((1 - momentum) * float(running_var[c]) + momentum * var)
    return means, variances


def update_with_cov(x, running_mean, running_var, momentum):
    var = np.cov(x.T).diagonal()
    new = np.average([running_mean, x.mean(0)], axis=0, weights=[1 - momentum, momentum])
    return [new, (1 - momentum) * running_var + momentum * var]


def update_with_einsum(x, running_mean, running_var, momentum):
    centred = x - np.einsum("nc->c", x) / len(x)
    var = np.einsum("nc,nc->c", centred, centred) / (len(x) - 1)
    mean = np.einsum("nc->c", x - running_mean) / len(x) + running_mean
    return running_mean * (1 - momentum) + mean * momentum, (1 - momentum) * running_var + (
        var * momentum
    )


def update_in_place_on_copies(x, running_mean, running_var, momentum):
    running_mean, running_var = running_mean.copy(), running_var.copy()
    running_mean *= 1 - momentum
    running_mean += momentum * x.mean(0)
    running_var *= 1 - momentum
    running_var += momentum * np.linalg.norm(x - x.mean(0), axis=0) ** 2 / (len(x) - 1)
    return running_mean, running_var


def update_in_single_precision(x, running_mean, running_var, momentum):
    single = (value.astype(np.float32) for value in (x, running_mean, running_var))
    return update_with_ddof(*single, np.float32(momentum))


# ---- task 2


def eval_as_written(x, running_mean, running_var, weight, bias, eps):
    return weight * (x - running_mean) / np.sqrt(running_var + eps) + bias


def eval_as_scale_and_shift(x, running_mean, running_var, weight, bias, eps):
    scale = weight * (running_var + eps) ** -0.5
    return x * scale + (bias - running_mean * scale)


def eval_with_loops(x, running_mean, running_var, weight, bias, eps):
    rows = []
    for row in x:
        columns = zip(row, running_mean, running_var, weight, bias, strict=True)
        rows.append([float(w * (v - m) / math.sqrt(s + eps) + b) for v, m, s, w, b in columns])
    return rows


def eval_with_a_matrix(x, running_mean, running_var, weight, bias, eps):
    return (x - running_mean) @ np.diag(weight / np.hypot(running_var**0.5, eps**0.5)) + bias


def eval_in_place_on_a_copy(x, running_mean, running_var, weight, bias, eps):
    y = x.astype(float)
    y -= running_mean
    y /= np.sqrt(running_var + eps)
    y *= weight
    y += bias
    return y


def eval_transposed(x, running_mean, running_var, weight, bias, eps):
    inverse = np.reciprocal(np.sqrt(running_var + eps))
    return np.einsum("cn,c,c->nc", x.T - running_mean[:, None], inverse, weight) + bias


def eval_in_single_precision(x, running_mean, running_var, weight, bias, eps):
    arrays = (x, running_mean, running_var, weight, bias)
    return eval_as_written(*(value.astype(np.float32) for value in arrays), np.float32(eps))


# ---- task 4


def fold_as_written(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    scale = weight / np.sqrt(running_var + eps)
    return scale[:, None] * linear_weight, scale * (linear_bias - running_mean) + bias


def fold_with_a_matrix(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    scale = np.diag(weight / np.sqrt(running_var + eps))
    return scale @ linear_weight, scale @ (linear_bias - running_mean) + bias


def fold_by_asking(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    x = np.vstack([np.zeros(linear_weight.shape[1]), np.eye(linear_weight.shape[1])])
    z = x @ linear_weight.T + linear_bias
    y = eval_as_written(z, running_mean, running_var, weight, bias, eps)
    return (y[1:] - y[0]).T, y[0]


def fold_with_loops(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    rows, offsets = [], []
    for c, row in enumerate(linear_weight):
        scale = float(weight[c]) / math.sqrt(running_var[c] + eps)
        rows.append([scale * float(value) for value in row])
        offsets.append(scale * float(linear_bias[c] - running_mean[c]) + float(bias[c]))
    return rows, offsets


def fold_transposed(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    scale = weight * (running_var + eps) ** -0.5
    return (linear_weight.T * scale).T, scale * linear_bias + bias - scale * running_mean


def fold_with_einsum(linear_weight, linear_bias, running_mean, running_var, weight, bias, eps):
    scale = weight / np.sqrt(running_var + eps)
    return [
        np.einsum("c,cd->cd", scale, linear_weight),
        bias - scale * (running_mean - linear_bias),
    ]


# ---- task 3: each is a class of another kind


class Plain:
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
        mean, var = self.running_mean, self.running_var
        if self.training:
            if len(x) < 2:
                raise ValueError("one sample is too few")
            mean, var = x.mean(0), x.var(0)
            self.running_mean, self.running_var = update_with_ddof(
                x, self.running_mean, self.running_var, self.momentum
            )
            self.num_batches_tracked += 1
        return eval_as_written(x, mean, var, self.weight, self.bias, self.eps)


class LikeTorch:
    """Updates its buffers in place, counts before it refuses, and its methods return self."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, dtype=np.float64):
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = np.ones(num_features, dtype), np.zeros(num_features, dtype)
        self.running_mean = np.zeros(num_features, dtype)
        self.running_var = np.ones(num_features, dtype)
        self.num_batches_tracked = np.array(0)
        self.train()

    def train(self, mode=True):
        self.training = mode
        return self

    def eval(self):
        return self.train(False)

    def forward(self, x):
        if not self.training:
            centred, var = x - self.running_mean, self.running_var
        else:
            self.num_batches_tracked += 1
            if x.shape[0] == 1:
                raise ValueError("Expected more than 1 value per channel when training")
            mean = x.mean(axis=0)
            centred = x - mean
            squares = np.einsum("nc,nc->c", centred, centred)
            var = squares / len(x)
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var *= 1 - self.momentum
            self.running_var += self.momentum * squares / (len(x) - 1)
        return centred / np.sqrt(var + self.eps) * self.weight + self.bias

    __call__ = forward


class Inheriting(LikeTorch):
    pass


class WithAFlag:
    """Keeps all in a dictionary, and chooses a method where others ask a flag."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.__dict__.update(eps=eps, momentum=momentum, num_batches_tracked=0)
        self.weight, self.running_var = (np.full(num_features, 1.0) for _ in range(2))
        self.bias, self.running_mean = (np.full(num_features, 0.0) for _ in range(2))
        self.mode = self.by_the_batch

    def train(self):
        self.mode = self.by_the_batch

    def eval(self):
        self.mode = self.by_memory

    def by_the_batch(self, x):
        if x.shape[0] <= 1:
            raise ValueError
        self.num_batches_tracked += 1
        buffers = self.running_mean, self.running_var
        self.running_mean, self.running_var = update_with_cov(x, *buffers, self.momentum)
        return x.mean(0), x.var(0)

    def by_memory(self, x):
        return self.running_mean, self.running_var

    def __call__(self, x):
        mean, var = self.mode(x)
        return eval_with_loops(x, mean, var, self.weight, self.bias, self.eps)


class SinglePrecision(LikeTorch):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum, np.float32)

    def __call__(self, x):
        return self.forward(x.astype(np.float32))


class WithMadeMethods(WithAFlag):
    """Its methods are no functions in the class: they are made where they are asked for."""

    def switch(self, mode):
        self.mode = getattr(self, mode)

    train = functools.partialmethod(switch, "by_the_batch")

    @property
    def eval(self):
        return lambda: self.switch("by_memory")


class WithProperties(Plain):
    """Its buffers are views of one array."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.buffers = np.zeros((2, num_features))
        super().__init__(num_features, eps, momentum)

    @property
    def running_mean(self):
        return self.buffers[0]

    @running_mean.setter
    def running_mean(self, value):
        self.buffers[0] = value

    @property
    def running_var(self):
        return self.buffers[1]

    @running_var.setter
    def running_var(self, value):
        self.buffers[1] = value


RIGHT = {
    "update_running_stats": (
        update_with_ddof,
        update_with_loops,
        update_with_cov,
        update_with_einsum,
        update_in_place_on_copies,
        update_in_single_precision,
    ),
    "batch_norm_eval": (
        eval_as_written,
        eval_as_scale_and_shift,
        eval_with_loops,
        eval_with_a_matrix,
        eval_in_place_on_a_copy,
        eval_transposed,
        eval_in_single_precision,
    ),
    "BatchNorm": (
        *(Plain, LikeTorch, Inheriting, WithAFlag, WithMadeMethods),
        *(SinglePrecision, WithProperties),
    ),
    "fold_batch_norm": (
        fold_as_written,
        fold_with_a_matrix,
        fold_by_asking,
        fold_with_loops,
        fold_transposed,
        fold_with_einsum,
    ),
}


@pytest.mark.parametrize(
    ("name", "answer"), [(name, answer) for name, answers in RIGHT.items() for answer in answers]
)
def test_right_answers_get_full_points(name, answer):
    for seed in range(5):
        report = check(name, answer, seed=seed)
        assert report.passed, report


# ---- the reference is torch's


def torch_layer(num_features, eps=1e-5, momentum=0.1):
    return torch.nn.BatchNorm1d(num_features, eps, momentum, dtype=torch.float64)


def test_the_scripts_give_what_torch_gives():
    exercise = find("BatchNorm")
    for case in draw_cases(exercise, 0):
        arguments, right = case.arguments, exercise.reference(**case.arguments)
        settings = [arguments[name] for name in ("eps", "momentum")]
        layer = torch_layer(arguments["x"].shape[2], *(settings if settings[0] else ()))
        if arguments["weight"] is not None:
            layer.weight.data = torch.from_numpy(arguments["weight"])
            layer.bias.data = torch.from_numpy(arguments["bias"])
        batches, refused, y = iter(torch.from_numpy(arguments["x"])), 0, torch.zeros(())
        for word in arguments["script"].split():
            if word in ("train", "eval"):
                getattr(layer, word)()
                continue
            batch = next(batches)
            try:
                y = layer(batch[:1] if word == "sample" else batch).detach()
            except ValueError:
                refused += 1
        np.testing.assert_allclose(right["y"], y.numpy(), rtol=0, atol=1e-9)
        np.testing.assert_allclose(right["running_mean"], layer.running_mean.numpy(), rtol=1e-12)
        np.testing.assert_allclose(right["running_var"], layer.running_var.numpy(), rtol=1e-12)
        assert right["refused"] == refused
        assert right["num_batches_tracked"] == layer.num_batches_tracked - refused


# ---- one slip costs its own part


@pytest.mark.parametrize(
    ("name", "key", "points"),
    [
        ("update_running_stats", "biased variance remembered", 6),
        ("update_running_stats", "momentum reversed", 6),
        ("update_running_stats", "difference of squares", 9),
        ("batch_norm_eval", "eps outside the root", 8),
        ("batch_norm_eval", "weight and bias skipped", 7),
        ("batch_norm_eval", "batch statistics used", 6),
        ("BatchNorm", "biased variance remembered", 8),
        ("BatchNorm", "momentum reversed", 8),
        ("BatchNorm", "weight and bias skipped in evaluation", 8),
        ("BatchNorm", "one sample not refused", 9),
        ("BatchNorm", "default momentum 0.99", 9),
        ("BatchNorm", "starts in evaluation mode", 9),
        ("fold_batch_norm", "eps missing", 9),
        ("fold_batch_norm", "BatchNorm's weight forgotten", 8),
        ("fold_batch_norm", "running mean added", 7),
    ],
)
def test_a_slip_costs_its_own_part(name, key, points, answer_with, examine):
    exercise = find(name)
    (mistake,) = (mistake for mistake in exercise.mistakes if mistake.key == key)
    _, _, report = examine(exercise, answer_with(exercise, (mistake,)))
    assert report.points == points, report


# ---- a class is asked for


def test_a_class_with_a_mistake_has_it_named():
    class BatchNorm(Plain):
        def eval(self):
            pass

    report = check("BatchNorm", BatchNorm)
    assert report.mistakes == ("eval without effect",)
    assert 0 < report.points < report.max_points


def test_what_is_no_such_class_is_refused_with_advice():
    class NoEval:
        def __init__(self, num_features, eps, momentum): ...
        def train(self): ...
        def __call__(self, x): ...

    class NoMomentum(Plain):
        def __init__(self, num_features): ...

    for answer, word in [
        (Plain(3), "asks for a class, and this is a Plain"),
        (update_with_ddof, "asks for a class, and this is a function"),
        (None, "asks for a class, and this is None"),
        (NoEval, "no method `eval`"),
        (NoMomentum, "as BatchNorm(num_features, eps, momentum)"),
    ]:
        report = check("BatchNorm", answer)
        assert report.points == 0
        assert word in " ".join(str(report).split())


def test_a_class_that_borrows_gets_no_points():
    class Borrowing(Plain):
        def __call__(self, x):
            layer = torch.nn.BatchNorm1d(x.shape[1], dtype=torch.float64)
            return layer(torch.from_numpy(x)).detach().numpy()

    for answer in (torch.nn.BatchNorm1d, Borrowing, type("Heir", (torch.nn.BatchNorm1d,), {})):
        report = check("BatchNorm", answer)
        assert report.points == 0
        assert "uses torch" in str(report)


def test_a_buffer_that_is_missing_is_said():
    class Forgetful(Plain):
        def __init__(self, num_features, eps=1e-5, momentum=0.1):
            super().__init__(num_features, eps, momentum)
            del self.num_batches_tracked

    report = check("BatchNorm", Forgetful)
    assert report.points == 0
    assert "no attribute 'num_batches_tracked'" in " ".join(str(report).split())
