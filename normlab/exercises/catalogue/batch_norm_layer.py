"""Lesson 3: a BatchNorm layer that remembers, with a training and an evaluation mode.

The answer is a class. A case is a script of calls on one object of it, and what comes back are
the last output and the buffers. The recipe is such a class too, with exchangeable steps.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np

from normlab.exercises.cases import distinct_values, scales, shifts
from normlab.exercises.catalogue.batch_norm_forward import (
    no_affine,
    root_of_variance_plus_eps,
    root_plus_eps,
    root_without_eps,
    scale_then_shift,
)
from normlab.exercises.catalogue.running_statistics import (
    always_a_tenth,
    as_it_is,
    batch_values,
    its_root,
    reversed_momentum,
    towards_the_batch,
)
from normlab.exercises.classes import ClassTask
from normlab.exercises.exercise import Arguments, Aspect, Case, Exercise, Mistake, Outputs
from normlab.nn import BatchNorm1d

_REMEMBER = "Remember while you learn"
_VARIANCES = "Two variances, for two jobs"
_BREAK = "Break it on purpose"


class Layer(Protocol):
    """What the learner's class has."""

    weight: np.ndarray
    bias: np.ndarray
    running_mean: np.ndarray
    running_var: np.ndarray
    num_batches_tracked: int

    def train(self) -> object:
        """Go to training mode."""

    def eval(self) -> object:
        """Go to evaluation mode."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Normalize x (N, C)."""


# ---- the script


def use(
    make: Callable[..., Layer],
    script: str,
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    eps: float | None,
    momentum: float | None,
) -> tuple:
    """Make a layer, follow the script, and return the last output, the buffers and a count.

    Parameters
    ----------
    make
        The class.
    script
        Words: "train" and "eval" choose the mode, "batch" gives the layer the next of the
        batches, and "sample" the first row of the next batch, alone.
    x
        The batches, (K, N, C).
    weight, bias
        (C,), or None to leave them as they are at first.
    eps, momentum
        For the constructor, or None for its defaults.

    Returns
    -------
    tuple
        The last output, or 0 where there was none; running_mean, running_var,
        num_batches_tracked; and how many single samples were refused with a ValueError.
    """
    layer = make(x.shape[2]) if eps is None else make(x.shape[2], eps, momentum)
    if weight is not None:
        layer.weight, layer.bias = weight.copy(), bias.copy()
    batches, y, counted, refused = iter(x), np.float64(0), None, 0
    for word in script.split():
        if word == "train":
            layer.train()
        elif word == "eval":
            layer.eval()
        elif word == "sample":
            # torch counts the batch that it refuses; whether one does is not asked.
            counted = np.copy(layer.num_batches_tracked)
            try:
                y = layer(next(batches)[:1])
            except ValueError:
                refused += 1
        else:
            y = layer(next(batches))
    counted = layer.num_batches_tracked if counted is None else counted
    return y, layer.running_mean, layer.running_var, counted, refused


def layer_reference(**arguments: Any) -> Outputs:  # noqa: ANN401
    """Follow the script with the package's own layer, in float64."""
    return _named(use(partial(BatchNorm1d, dtype=np.float64), **arguments))


def layer_recipe(
    script: str,
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    eps: float | None,
    momentum: float | None,
    **steps: Any,  # noqa: ANN401
) -> Outputs:
    """Follow the script with a `SteppedLayer`, some of whose steps a mistake may change."""
    make = partial(SteppedLayer, steps=steps)
    return _named(use(make, script, x, weight, bias, eps, momentum))


def _named(returned: tuple) -> Outputs:
    return {
        name: np.array(value, np.float64) for name, value in zip(_RETURNS, returned, strict=True)
    }


_RETURNS = ("y", "running_mean", "running_var", "num_batches_tracked", "refused")


# ---- the recipe: the steps of a layer


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance (C,) of a batch, by sums: hundreds of suspects wait for it."""
    mean = np.add.reduce(x, 0) / len(x)  # (C,)
    deviations = x - mean  # (N, C)
    return mean, np.add.reduce(deviations * deviations, 0) / len(x)


def own_statistics(
    batch: tuple[np.ndarray, np.ndarray], _layer: "SteppedLayer", _n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Use the batch's own mean and variance."""
    return batch


def remembered_statistics(
    _batch: tuple[np.ndarray, np.ndarray], layer: "SteppedLayer", _n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Use the running statistics."""
    return layer.running_mean, layer.running_var


def own_unbiased_statistics(
    batch: tuple[np.ndarray, np.ndarray], _layer: "SteppedLayer", n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Use the batch's own, with n - 1."""
    return batch[0], batch[1] * n / max(n - 1, 1)


def with_eps(var: np.ndarray, eps: float) -> np.ndarray:
    """Remember what stands under the root."""
    return var + eps


_STEPS: dict[str, Any] = {
    "default_eps": 1e-5,
    "default_momentum": 0.1,
    "first_variance": 1.0,
    "starts_training": True,
    "train_switches": True,
    "eval_switches": True,
    "train_statistics": own_statistics,
    "eval_statistics": remembered_statistics,
    "train_divisor": root_of_variance_plus_eps,
    "eval_divisor": root_of_variance_plus_eps,
    "train_affine": scale_then_shift,
    "eval_affine": scale_then_shift,
    "remembers": "in training",
    "less": 1,
    "tracked": as_it_is,
    "blend": towards_the_batch,
    "counts": "in training",
    "refuses": "in training",
}


class SteppedLayer:
    """BatchNorm for (N, C), each step of which can be exchanged: see `_STEPS`."""

    def __init__(
        self,
        num_features: int,
        eps: float | None = None,
        momentum: float | None = None,
        *,
        steps: dict[str, Any],
    ) -> None:
        self.do = {**_STEPS, **steps}
        self.eps = self.do["default_eps"] if eps is None else eps
        self.momentum = self.do["default_momentum"] if momentum is None else momentum
        self.weight, self.bias = np.ones(num_features), np.zeros(num_features)
        self.running_mean = np.zeros(num_features)
        self.running_var = np.full(num_features, self.do["first_variance"])
        self.num_batches_tracked = 0
        self.training = self.do["starts_training"]

    def train(self) -> None:
        """Go to training mode."""
        self.training = self.training or self.do["train_switches"]

    def eval(self) -> None:
        """Go to evaluation mode."""
        self.training = self.training and not self.do["eval_switches"]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Normalize x (N, C)."""
        if len(x) == 1 and self._now("refuses"):
            raise ValueError("Expected more than 1 value per channel when training")
        mode = "train" if self.training else "eval"
        batch = moments(x)
        mean, var = self.do[f"{mode}_statistics"](batch, self, len(x))
        if self._now("remembers"):
            self._remember(*batch, len(x))
        if self._now("counts"):
            self.num_batches_tracked += 1
        x_hat = (x - mean) / self.do[f"{mode}_divisor"](var, self.eps)
        return self.do[f"{mode}_affine"](x_hat, self.weight, self.bias)

    def _now(self, step: str) -> bool:
        when = self.do[step]
        return when == "always" or (self.training and when == "in training")

    def _remember(self, mean: np.ndarray, var: np.ndarray, n: int) -> None:
        blend, var = self.do["blend"], var * n / max(n - self.do["less"], 1)
        self.running_mean = blend(self.running_mean, mean, self.momentum)
        self.running_var = blend(self.running_var, self.do["tracked"](var, self.eps), self.momentum)


# ---- cases


def draw_scripts(rng: np.random.Generator) -> list[Case]:
    """Draw the cases of `BatchNorm`: scripts on the same batches, and one on small numbers."""
    cases = []
    for shape in ((3, 2), (5, 4)):
        cases += _scripts(rng, *shape)
    return [*cases, *_fresh_layers(rng)]


def _scripts(rng: np.random.Generator, samples: int, channels: int) -> list[Case]:
    one, two, other = (batch_values(rng, (samples, channels)) for _ in range(3))
    settings = {
        "weight": scales(rng, channels),
        "bias": shifts(rng, channels),
        "eps": float(rng.integers(20, 90)),
        "momentum": float(rng.choice([0.2, 0.3, 0.4, 0.6, 0.7])),
    }
    size = f"({samples}, {channels})"

    def case(script: str, *batches: np.ndarray, **more: Any) -> Case:  # noqa: ANN401
        arguments = {"script": script, "x": np.stack(batches), **settings}
        return Case(f"{size}: {script}", arguments=arguments, **more)

    remembered = f"{size}: train batch batch"
    evaluated = f"{size}: train batch batch eval batch"
    return [
        case("train batch", one, aspects=("train",)),
        case("train batch batch", one, two, aspects=("running",)),
        case(
            "train batch batch eval batch",
            *(one, two, other),
            aspects=("eval",),
            based_on=remembered,
            derive=_by_the_remembered,
        ),
        case(
            "train batch eval batch train batch",
            *(one, other, two),
            aspects=("switch",),
            based_on=remembered,
            derive=_as_if_never_evaluated,
        ),
        case(
            "train batch batch eval sample",
            *(one, two, other),
            aspects=("one",),
            based_on=evaluated,
            derive=lambda own, _: {"y": own["y"][:1]},
        ),
        case("train batch sample", one, two, aspects=("refuses",)),
    ]


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


def _fresh_layers(rng: np.random.Generator) -> list[Case]:
    """Draw a layer that was never called, and one with the default eps and momentum.

    The batch hardly varies, so that a default eps shows; what is expected is what the learner's
    own layer does with PyTorch's defaults.
    """
    x = distinct_values(rng, (1, 4, 3)) * 1e-3
    bare = {"weight": None, "bias": None, "eps": None, "momentum": None}
    given = {**bare, "eps": 1e-5, "momentum": 0.1}
    named = "a fresh layer, eps 1e-5, momentum 0.1: train batch"
    return [
        Case("a fresh layer, not called", ("start",), {"script": "", "x": x, **bare}),
        Case(named, (), {"script": "train batch", "x": x, **given}),
        Case(
            "a fresh layer, default eps and momentum: batch",
            ("start",),
            {"script": "batch", "x": x, **bare},
            based_on=named,
            derive=lambda own, _: own,
        ),
    ]


# ---- the mistakes


def _both_modes(step: str, how: Callable) -> dict[str, Callable]:
    return {f"train_{step}": how, f"eval_{step}": how}


_OUTSIDE_EPS = "nothing to see on ordinary data, far off where a channel hardly varies."
_SAME_LINE = "does evaluation mode end at the same line as training mode?"

MISTAKES = (
    Mistake(
        key="unbiased variance in training",
        what="a batch is normalized, in training, by the variance that divides by n - 1.",
        outside="every channel comes out a little too small; the smaller the batch, the more.",
        hint="there are two jobs for a variance here. Which n does each of them divide by?",
        mend="the variance in training",
        aspect="train",
        changes={"train_statistics": own_unbiased_statistics},
        section=_VARIANCES,
    ),
    Mistake(
        key="running statistics used in training",
        what="the running statistics are used in training mode, too.",
        outside="training starts as if there were no layer at all, and then drifts.",
        hint="the mean of each output channel should be its bias, in training. Is it?",
        mend="the statistics in training",
        aspect="train",
        changes={"train_statistics": remembered_statistics},
        section=_REMEMBER,
    ),
    Mistake(
        key="eps outside the root",
        what="eps is added to the standard deviation.",
        outside=_OUTSIDE_EPS,
        hint="in the formula, what does the square root cover?",
        mend="the eps",
        aspect="train",
        changes=_both_modes("divisor", root_plus_eps),
        section=_VARIANCES,
    ),
    Mistake(
        key="eps outside the root in evaluation",
        what="eps is under the root in training, and beside it in evaluation.",
        outside=_OUTSIDE_EPS,
        hint="lay your two formulas beside each other. What does the square root cover?",
        mend="the eps in evaluation",
        aspect="eval",
        changes={"eval_divisor": root_plus_eps},
        section=_VARIANCES,
    ),
    Mistake(
        key="eps missing",
        what="eps is left out.",
        outside="nothing to see on ordinary data; NaN where a channel never changes.",
        hint="try a channel that holds the same number everywhere. What do you divide by?",
        mend="the eps",
        aspect="train",
        changes={**_both_modes("divisor", root_without_eps), "default_eps": 1e-5},
        section=_VARIANCES,
    ),
    Mistake(
        key="eps missing in evaluation",
        what="eps is used in training and left out in evaluation.",
        outside="nothing to see on ordinary data; infinite where a channel never changed.",
        hint="lay your two formulas beside each other.",
        mend="the eps in evaluation",
        aspect="eval",
        changes={"eval_divisor": root_without_eps},
        section=_VARIANCES,
    ),
    Mistake(
        key="weight and bias skipped",
        what="weight and bias are not used at all.",
        outside="right in a fresh layer, where weight is 1 and bias is 0.",
        hint="set another weight. Does the output change?",
        mend="the last step",
        aspect="train",
        changes=_both_modes("affine", no_affine),
        section=_VARIANCES,
    ),
    Mistake(
        key="weight and bias skipped in evaluation",
        what="weight and bias are used in training, but not in evaluation.",
        outside="right in a fresh layer; after training, evaluation is far off.",
        hint=_SAME_LINE,
        mend="the last step of evaluation",
        aspect="eval",
        changes={"eval_affine": no_affine},
        section=_VARIANCES,
    ),
    Mistake(
        key="biased variance remembered",
        what="the variance that goes into the running one divides by n.",
        outside="training is right; in evaluation everything comes out a little too large, the "
        "smaller the batches the more.",
        hint="two different jobs: to scale this batch, and to estimate the variance of all the "
        "data. Which of them is the running variance for?",
        mend="the running variance",
        aspect="running",
        changes={"less": 0},
        section=_VARIANCES,
    ),
    Mistake(
        key="standard deviation remembered",
        what="the standard deviation is blended into the running variance.",
        outside="training is right; in evaluation the spread of every channel is off.",
        hint="what exactly does the buffer's name promise?",
        mend="the running variance",
        aspect="running",
        changes={"tracked": its_root},
        section=_VARIANCES,
    ),
    Mistake(
        key="variance remembered with eps",
        what="the variance is remembered with eps in it.",
        outside="training is right; in evaluation eps is counted twice.",
        hint="is eps a property of the data, or a setting of the layer?",
        mend="the running variance",
        aspect="running",
        changes={"tracked": with_eps},
        section=_VARIANCES,
    ),
    Mistake(
        key="momentum reversed",
        what="momentum is the share of the old statistics, as in Keras and in the paper.",
        outside="evaluation jumps with the last batch.",
        hint="at momentum 0, should the old value live or die? And at momentum 1?",
        mend="the momentum",
        aspect="running",
        changes={"blend": reversed_momentum},
        section=_REMEMBER,
    ),
    Mistake(
        key="momentum fixed at 0.1",
        what="momentum is always 0.1, whatever the constructor was given.",
        outside="right with PyTorch's default, off with every other momentum.",
        hint="make one layer with momentum 0 and one with momentum 1. Do they differ?",
        mend="the momentum",
        aspect="running",
        # Which default it would have cannot be seen.
        changes={"blend": always_a_tenth, "default_momentum": 0.1},
        section=_REMEMBER,
    ),
    Mistake(
        key="batch statistics used in evaluation",
        what="the batch's own mean and variance are used in evaluation, as in training.",
        outside="the answer to one sample depends on who else is in the batch.",
        hint="does an answer depend on who else is in the queue?",
        mend="the statistics in evaluation",
        aspect="eval",
        changes={"eval_statistics": own_statistics},
        section=_BREAK,
    ),
    Mistake(
        key="evaluation remembered",
        what="the running statistics are updated in evaluation, too.",
        outside="the answer to the same batch changes from call to call, and testing changes the "
        "model.",
        hint="who may write into the buffers, and when?",
        mend="the update",
        aspect="switch",
        changes={"remembers": "always"},
        section=_BREAK,
    ),
    Mistake(
        key="eval without effect",
        what="eval() does not leave training mode.",
        outside="the answer to one sample depends on who else is in the batch, and testing "
        "changes the model.",
        hint="print `training` after the call.",
        mend="the switch",
        aspect="eval",
        # What evaluation would do is never seen.
        changes={
            "eval_switches": False,
            "eval_statistics": remembered_statistics,
            "eval_divisor": root_of_variance_plus_eps,
            "eval_affine": scale_then_shift,
            "remembers": "in training",
            "counts": "in training",
            "refuses": "in training",
            "train_switches": True,
        },
        section=_BREAK,
    ),
    Mistake(
        key="train without effect",
        what="train() does not come back to training mode.",
        outside="after the first evaluation the layer learns no more statistics.",
        hint="print `training` after the call.",
        mend="the switch",
        aspect="switch",
        changes={"train_switches": False, "starts_training": True},
        section=_BREAK,
    ),
    Mistake(
        key="starts in evaluation mode",
        what="a fresh layer is in evaluation mode.",
        outside="without a call of train(), nothing is normalized and nothing remembered.",
        hint="print `training` of a fresh layer, and of a fresh nn.BatchNorm1d.",
        mend="the first mode",
        aspect="start",
        # Without a call in training, the default momentum is not seen.
        changes={"starts_training": False, "default_momentum": 0.1},
        section=_REMEMBER,
    ),
    Mistake(
        key="running variance starts at 0",
        what="a fresh layer remembers the variance 0.",
        outside="early in training, evaluation comes out far too large.",
        hint="what should a fresh layer do in evaluation mode? The least possible.",
        mend="the first running variance",
        aspect="start",
        changes={"first_variance": 0.0},
        section=_REMEMBER,
    ),
    Mistake(
        key="default eps 1e-3",
        what="the default of eps is 1e-3, as in Keras.",
        outside="the last digits differ from PyTorch's, and the more layers the more.",
        hint="read both signatures.",
        mend="the default",
        aspect="start",
        changes={"default_eps": 1e-3},
        section=_REMEMBER,
    ),
    Mistake(
        key="default momentum 0.99",
        what="the default of momentum is 0.99, as in Keras.",
        outside="the layer forgets nearly all with every batch.",
        hint="read both signatures, and what each means by the word.",
        mend="the default",
        aspect="start",
        changes={"default_momentum": 0.99},
        section=_REMEMBER,
    ),
    Mistake(
        key="batches not counted",
        what="num_batches_tracked stays at 0.",
        outside="nobody can tell how many batches the average has seen.",
        hint="count along: how many batches did the layer see in training?",
        mend="the counter",
        aspect="switch",
        changes={"counts": "never"},
        section=_REMEMBER,
    ),
    Mistake(
        key="evaluation counted",
        what="num_batches_tracked counts the batches of evaluation, too.",
        outside="the counter says more batches than went into the average.",
        hint="what is the counter's name, and which batches are tracked?",
        mend="the counter",
        aspect="switch",
        changes={"counts": "always"},
        section=_BREAK,
    ),
    Mistake(
        key="one sample not refused",
        what="a single sample is normalized in training mode, without an error.",
        outside="it comes out as the bias, whatever it was; the running variance becomes NaN.",
        hint="how many values is each mean made of, and what is left when it is subtracted?",
        mend="the check of the batch size",
        aspect="refuses",
        changes={"refuses": "never"},
        section=_VARIANCES,
    ),
    Mistake(
        key="one sample refused in evaluation",
        what="a single sample is refused in evaluation mode, too.",
        outside="the last batch of a test set raises an error, if it holds one sample.",
        hint="does evaluation mode need any mean of the batch?",
        mend="the check of the batch size",
        aspect="one",
        changes={"refuses": "always"},
        section=_VARIANCES,
    ),
)


# ---- the aspects, and the exercise

LAYER = Exercise(
    name="BatchNorm",
    lesson="03",
    title="a class with both modes",
    parameters=("script", "x", "weight", "bias", "eps", "momentum"),
    returns=_RETURNS,
    aspects=(
        Aspect("start", "a fresh layer, and its defaults", 1, _RETURNS[:4]),
        Aspect("train", "output in training mode", 2, ("y",)),
        Aspect("running", "buffers after two batches", 2, ("running_mean", "running_var")),
        Aspect("eval", "output in evaluation mode", 2, ("y",)),
        Aspect("switch", "there and back: buffers and counter", 1, _RETURNS[:4]),
        Aspect("one", "one sample in evaluation mode", 1, ("refused", "y")),
        Aspect("refuses", "one sample in training mode: a ValueError", 1, ("refused",)),
    ),
    draw=draw_scripts,
    reference=layer_reference,
    recipe=layer_recipe,
    mistakes=MISTAKES,
    first_step="begin with `__init__`: two parameters, three buffers, eps, momentum and the mode.",
    of_class=ClassTask(
        constructor=("num_features", "eps", "momentum"),
        methods=("train", "eval", "__call__"),
        drive=use,
    ),
)

EXERCISES = (LAYER,)
