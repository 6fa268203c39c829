"""Lesson 3: a BatchNorm layer that remembers, with a training and an evaluation mode."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Derive, Outputs
from normlab.tasks.drawing import batch_values, distinct_values, fresh, learned, same


class BatchNorm:
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = np.ones(num_features), np.zeros(num_features)  # (C,), (C,)
        self.running_mean = np.zeros(num_features)  # (C,)
        self.running_var = np.ones(num_features)  # (C,)
        self.num_batches_tracked = 0
        self.training = True

    def train(self):
        self.training = True

    def eval(self):
        self.training = False

    def __call__(self, x):
        n, eps, weight, bias = len(x), self.eps, self.weight, self.bias
        if self.training and n == 1:
            raise ValueError("one sample is its own mean: training needs a batch of two or more")
        own_mean, own_var = x.mean(axis=0), x.var(axis=0)  # (C,), (C,)
        mean, var = (own_mean, own_var) if self.training else (self.running_mean, self.running_var)
        if self.training:
            estimate = own_var * n / (n - 1)  # of the population's variance
            self.running_mean = self.moved(self.running_mean, own_mean)
            self.running_var = self.moved(self.running_var, estimate)
        self.num_batches_tracked += self.training
        x_hat = (x - mean) / np.sqrt(var + eps)  # (N, C)
        return weight * x_hat + bias  # (N, C)

    def moved(self, old, new):
        momentum = self.momentum
        return (1 - momentum) * old + momentum * new


def cases(rng: np.random.Generator) -> Cases:
    """Draw scripts on the same batches, and one on small numbers."""
    for shape in ((3, 2), (5, 4)):
        yield from _scripts(rng, *shape)
    yield from _fresh_layers(rng)


def _scripts(rng: np.random.Generator, samples: int, channels: int) -> Cases:
    one, two, other = (batch_values(rng, (samples, channels)) for _ in range(3))
    settings = {
        **learned(rng, channels),
        "eps": float(rng.integers(20, 90)),
        "momentum": float(rng.choice([0.2, 0.3, 0.4, 0.6, 0.7])),
    }
    size = f"({samples}, {channels})"

    def case(aspect: str, script: str, *batches: np.ndarray) -> Case:
        arguments = {"script": script, "x": np.stack(batches), **settings}
        return Case(f"{size}: {script}", (aspect,), arguments)

    def after(
        earlier: Case, derive: Derive, aspect: str, script: str, *batches: np.ndarray
    ) -> Case:
        return earlier.then(derive, f"{size}: {script}", aspect, script=script, x=np.stack(batches))

    yield case("train", "train batch", one)
    trained = case("running", "train batch batch", one, two)
    script = "train batch batch eval batch"
    evaluated = after(trained, _by_the_remembered, "eval", script, one, two, other)
    yield from (trained, evaluated)
    script = "train batch eval batch train batch"
    yield after(trained, _as_if_never_evaluated, "switch", script, one, other, two)
    script = "train batch batch eval sample"
    yield after(evaluated, _first_answer, "one", script, one, two, other)
    yield case("refuses", "train batch sample", one, two)


def _by_the_remembered(own: Outputs, arguments: Arguments) -> Outputs:
    """From the learner's running statistics to the output in evaluation mode."""
    if (own["running_var"] <= 0).any():
        return {}
    divisor = np.sqrt(own["running_var"] + arguments["eps"])
    x_hat = (arguments["x"][-1] - own["running_mean"]) / divisor
    return {"y": arguments["weight"] * x_hat + arguments["bias"]}


def _as_if_never_evaluated(own: Outputs, _arguments: Arguments) -> Outputs:
    """From the learner's answer to two batches to that with an evaluation between them."""
    return {name: own[name] for name in ("y", "running_mean", "running_var")}


def _first_answer(own: Outputs, _arguments: Arguments) -> Outputs:
    return {"y": own["y"][:1]}


def _fresh_layers(rng: np.random.Generator) -> Cases:
    """Draw a layer that was never called, and one with the default eps and momentum.

    The batch hardly varies, so that a default eps shows; what is expected is what the learner's
    own layer does with PyTorch's defaults.
    """
    x = distinct_values(rng, (1, 4, 3)) * 1e-3
    untold = {"weight": None, "bias": None, "eps": None, "momentum": None}
    yield Case("a fresh layer, not called", ("start",), {"script": "", "x": x, **untold})
    given = {"script": "train batch", "x": x, **untold, "eps": 1e-5, "momentum": 0.1}
    told = Case("a fresh layer, eps 1e-5, momentum 0.1: train batch", (), given)
    default = "a fresh layer, default eps and momentum: batch"
    yield from (told, told.then(same, default, "start", script="batch", eps=None, momentum=None))
    # A layer whose parameters and buffers are one array moves both.
    given = {**given, "script": "train batch batch", "x": np.concatenate([x, 3 - x])}
    twice = Case("weight 1, bias 0: train batch batch", (), {**given, **fresh(3)})
    yield twice
    again = "a fresh layer: batch batch"
    yield twice.then(same, again, "start", script="batch batch", weight=None, bias=None)
