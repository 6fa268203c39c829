"""What a check says to wrong answers by somebody who had not seen the catalogue.

Each is named, located at a line that is really wrong, described, or nothing: never falsely.
"""

import linecache
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from real_mistakes import ANSWERS as REAL
from test_line import located
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from normlab import check
from normlab.exercises.line import SECONDS


class Answer(NamedTuple):
    key: str
    task: str
    wrong: str
    lines: list[int]
    source: str
    passes: bool = False


TABLE = Path(__file__).with_name("blind_answers.toml").read_text(encoding="utf-8")
ANSWERS = [Answer(key, **told) for key, told in tomllib.loads(TABLE).items()]

#: The mistakes by their names; every name was held against what is really wrong.
NAMED = {
    "standardize-any-zero": ("divided by 0",),
    "vectors-manhattan-plus-eps": (
        "sum of magnitudes",
        "eps added to the length",
    ),
    "linear-mean-with-bias-subtracted": ("linear bias subtracted with the mean",),
    "running-var-around-running-mean": ("deviations from the updated mean",),
    "eval-eps-outside-and-names": (
        "eps outside the root",
        "weight and bias exchanged",
    ),
    "layer-shared-arrays": ("parameters and buffers in one array",),
    "layer-refuses-one-channel": ("one sample not refused",),
    "backward-parameters-d-for-x-hat": ("x - mean for x_hat",),
    "graph-floor-exponent": ("one std too many",),
    "graph-in-place-alias": ("one std too many",),
    "graph-mu-sign-and-share": (
        "sign of the mean's road",
        "dmu not divided by N",
    ),
    "backward-weight-twice": ("weight twice",),
    "backward-product-of-means": ("road through the variance left out",),
    "network-pixels-mixed": ("pixels mixed",),
    "network-keras-momentum": ("momentum 0.9",),
    "loop-total-kept-and-eval-stays": (
        "train once",
        "sums kept from epoch to epoch",
    ),
    "loop-stale-copy": ("a copy measured",),
    "epoch-with-replacement": ("less than one epoch",),
    "layer-norm-back-order-and-weight-in-dweight": (
        "weight in dweight",
        "dweight and dbias exchanged",
    ),
    "padded-nonzero-is-real": (
        "padding counted",
        "padding normalized",
    ),
    "padded-copy-and-per-feature": (
        "one mean per feature",
        "padding left as it was",
    ),
    "instance-repeat-for-tile": ("weights repeated where they should be tiled",),
    "restyle-pixels-of-content-for-both": ("style divided by the content's pixels",),
    "groups-num-groups-as-size": ("blocks of G channels",),
    "group-back-tile-for-repeat": ("inv_std dealt out like cards",),
    "group-back-count-and-mean-bias": (
        "dbias averaged",
        "divided by the pixels alone",
    ),
    "rms-half-squared": ("squares in float16",),
    "rms-norm-over-d-eps-outside": (
        "length divided by D",
        "eps outside the root",
    ),
    "lrn-cumsum-without-first": ("first channel of the window left out",),
    "weight-norm-spectral": ("largest singular value",),
    "merge-chan-total-too-early": ("total updated too early",),
    "fine-tune-copied-body": ("a copy of the body in training mode",),
    "predict-restored-backwards": ("a frozen layer thawed",),
    "teacher-loaded-first": ("parameters copied",),
    "small-batch-true-is-eps": ("eps of 1",),
    "sensor-biased-running-var": ("biased variance remembered",),
    "sensor-statistics-no-buffers": ("statistics that are no buffers",),
}
#: No name, and the line.
LOCATED = {
    "stats-einsum-bytes",
    "stats-255-inside-root",
    "stats-first-channel-loop",
    "vectors-short-ones-left",
    "bn-return-in-loop",
    "bn-mean-absolute-deviation",
    "bn-mean-not-squared",
    "bn-images-back-with-swapped-axes",
    "bn-images-height-twice",
    "linear-bias-squared-in-var",
    "eval-shift-without-scale",
    "fold-mean-without-weight-no-eps",
    "backward-parameters-last-image",
    "layer-norm-one-axis",
    "layer-norm-eps-squared",
    "layer-norm-count-of-last-axis",
    "layer-norm-back-weight-count-as-axes",
    "groups-batch-axis-forgotten",
    "ends-instance-of-layer",
    "lrn-window-reads-output",
    "merge-one-value-and-abs",
    "split-one-row-lost",
    "split-one-std-for-all",
}
#: Neither, and what is said is true.
SAID = {
    "standardize-maximum-one-and-test-mean": "nothing is divided, or only by 1",
    "standardize-overwritten-in-loop": "Your function changed train, which belongs to the caller",
    "vectors-not-moved-back": "the axes are in another order",
    "running-keras-and-bessel-on-all": "momentum is the share of the old statistics",
    "layer-train-is-a-flag": "It raised TypeError: 'bool' object is not callable",
    "fold-not-transposed-back": "Your numbers are right. Rows and columns are exchanged",
    "instance-weight-or-ones": "In words: `if` and `not` want one answer",
}
#: Whoever leaves out a last batch that is not full does what a DataLoader does with drop_last.
PASSES = {"epoch-last-batch-dropped"}


def defined(answer):
    """Return the function or class, as in a cell of a notebook."""
    names = {"np": np, "torch": torch, "__name__": "__main__"}
    names |= {"cross_entropy": cross_entropy, "mse_loss": mse_loss}
    file = f"<{answer.key}>"
    lines = answer.source.splitlines(True)
    linecache.cache[file] = (len(answer.source), None, lines, file)
    exec(compile(answer.source, file, "exec"), names)
    return names[answer.task]


def test_each_answer_has_one_outcome_and_four_of_five_are_named_or_located():
    keys = [answer.key for answer in ANSWERS]
    assert sorted([*NAMED, *LOCATED, *SAID, *PASSES]) == sorted(keys)
    assert len(NAMED) + len(LOCATED) >= 0.8 * len(keys)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.key)
def test_what_is_said_is_true(answer):
    function = defined(answer)
    report = check(answer.task, function)
    assert report.passed == answer.passes == (answer.key in PASSES)
    assert set(report.mistakes) == set(NAMED.get(answer.key, ()))
    if report.search is None:
        assert answer.key not in LOCATED
    else:
        is_located = answer.key in LOCATED
        _, said = located(answer.task, function, 5.0 if is_located else SECONDS)
        lines = {number for number in range(1, 40) if f"Look at line {number}," in said}
        assert lines <= set(answer.lines), said
        assert bool(lines) == is_located, said
    if answer.key in SAID:
        assert SAID[answer.key] in " ".join(str(report).split())


REAL_SAID = {
    "buffers_handed_back": "What came back as running_mean is running_mean, as it was given.",
    "an_axis_kept": "Your numbers are right. What you give back has an axis of size 1 too many",
    "zeros": "Every number of y is 0.",
    "zero_for_dx": "Every number of dx is 0.",
}


@pytest.mark.parametrize(("task", "answer"), REAL, ids=lambda one: getattr(one, "__name__", one))
def test_the_mistakes_of_real_code_are_named_or_described(task, answer):
    report = check(task, answer)
    assert not report.passed
    assert bool(report.mistakes) == (answer.__name__ not in REAL_SAID)
    assert REAL_SAID.get(answer.__name__, "") in " ".join(str(report).split())


# ---- what is not said


def twice_the_slope_of_the_square(told):
    """Return an answer whose dx is that of another mistake, which its own nodes rule out."""

    def answer(dy, x, mean, var, x_hat, weight, eps):
        n, d, dx_hat = len(x), x - mean, dy * weight
        r = 1 / np.sqrt(var + eps)
        dr = (dx_hat * d).sum(0, keepdims=True)
        dv = -0.5 * dr * r**3
        dd = dx_hat * r + 4 * dv * d / n
        dx = dd - dd.mean(0)
        return (dx, {"dr": dr, "dv": dv, "dd": dd}) if told else dx

    return answer


def test_a_name_that_the_learners_own_nodes_contradict_is_not_said():
    name = "batch_norm_backward_graph"
    assert check(name, twice_the_slope_of_the_square(told=False)).mistakes == ("half missing",)
    report = check(name, twice_the_slope_of_the_square(told=True))
    assert report.mistakes == ()
    text = " ".join(str(report).split())
    assert "the first that differs is dd" in text
    assert "without its 1/2" not in text


def test_of_several_mistakes_that_explain_an_aspect_none_is_said_alone():
    def nothing_in_a_window_of_one(x, size, alpha, beta, k):
        return x / k**beta if size == 1 else x / np.median(x) ** beta

    report = check("local_response_norm", nothing_in_a_window_of_one)
    text = " ".join(str(report).split())
    assert "More than one mistake gives exactly your numbers" in text
    assert "Either: the window holds the neighbours, and not the value itself." in text


def test_a_zero_by_chance_is_no_loop_that_ended_too_early():
    given = next(one for one in ANSWERS if one.key == "backward-parameters-last-image")
    assert "return` inside it" not in str(check(given.task, defined(given)))


def test_what_came_back_right_is_not_mentioned():
    class Remembers(nn.Module):
        def __init__(self, features, classes):
            super().__init__()
            self.linear, self.norm = nn.Linear(features, classes), nn.BatchNorm1d(features, eps=9)

        def forward(self, x):
            return self.linear(self.norm(x) + 0.1 * self.norm.running_mean)

    assert "What came back as linear_weight" not in str(check("SensorNet", Remembers))


def test_any_usual_eps_takes_the_scale_away():
    def with_eps(eps):
        def small_batch_network(features, hidden, classes):
            return nn.Sequential(
                nn.Linear(features, hidden),
                nn.GroupNorm(2, hidden, eps=eps),
                nn.ReLU(),
                nn.Linear(hidden, classes),
            )

        return small_batch_network

    for seed in (0, 1, 2015):
        assert check("small_batch_network", with_eps(1e-3), seed=seed).passed
        assert check("small_batch_network", with_eps(1e-12), seed=seed).passed
        assert check("small_batch_network", with_eps(1.0), seed=seed).mistakes == ("eps of 1",)
