"""What torch does otherwise from release to release: the twins are those of 2.13.

Seen with 2.13.0, which the committed notebooks were made with, with 2.14.1, and with 2.9.1: that
has no `bias=` for batch, instance and group norm, shows no bias in a repr, lets some wrong calls
pass, and has other texts.
"""

import inspect
import re

import torch

RELEASE = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
# Texts before 2.13 are other texts, and were not collected: there only the cases that end well are
# compared.
TEXTS_ARE_KNOWN = RELEASE >= (2, 13)
# `bias=False` beside `affine=True`.
NORMS_TAKE_BIAS = "bias" in inspect.signature(torch.nn.BatchNorm1d).parameters
# From 2.14 on group norm refuses an input without channels or without positions, names the shape of
# the bias rightly, and goes back without a weight.
GROUP_NORM_IS_MENDED = RELEASE >= (2, 14)

REWORDED = {
    "RuntimeError: Expected bias to be a vector of size equal to the number of channels in input, "
    "but got bias of shape [3] and input of shape [2, 6, 3]": "RuntimeError: Expected bias to be a "
    "vector of size equal to the number of channels in input, but got bias of shape [6] and input "
    "of shape [2, 6, 3]",
}


def what_it_takes(options: dict[str, object]) -> dict[str, object]:
    """Return a layer's options without `bias` where this release has it for layer norm alone."""
    kept = NORMS_TAKE_BIAS or "elementwise_affine" in options
    return {name: value for name, value in options.items() if kept or name != "bias"}


def as_it_shows(text: str) -> str:
    """Return a layer's repr as this release writes it."""
    return text if NORMS_TAKE_BIAS else re.sub(r", bias=(True|False)", "", text)


def in_the_words_of_2_13(error: str) -> str:
    """Translate the text of a later release back."""
    return REWORDED.get(error, error) if GROUP_NORM_IS_MENDED else error
