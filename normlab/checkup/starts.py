"""Tell weights that were learned from weights that were only drawn."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_SURE = 2.5  # standard deviations


def drawn_at_random(weights: Sequence[Tensor], biases: Sequence[Tensor]) -> bool:
    """Tell whether the norms of a model look as they were drawn, before any training.

    Usual starts are N(1, 0.02) with biases of 0 (DCGAN), the same around 0 (many transformers), and
    N(0.1, 0.1), biases too (RepVGG). Training moves biases away from 0, keeps most weights above 0,
    moves weight and bias together, and not alike in all layers: the means of the layers differ by
    more than their spread explains, or the spreads do. `weights` and `biases` hold a tensor (C,)
    for each layer.
    """
    weights = [one.detach().double().flatten() for one in weights]
    biases = [one.detach().double().flatten() for one in biases]
    values = torch.cat(weights)  # of all layers
    spread = values.std(correction=0).item()
    if spread <= 0.5 and not any(bias.abs().max() > 1e-6 for bias in biases):
        return True
    if values.mean().abs() <= 3 * spread / math.sqrt(len(values)):
        return True
    if len(weights) == 1:
        return bool((values < 0).double().mean() > 0.1)
    signs = [_between(weights), _between(_spreads(weights))]
    if biases and len(biases) == len(weights):
        signs += [_between(biases), _between(_spreads(biases))]
        signs.append(_together(values, torch.cat(biases)))
    return max(signs) < _SURE


def _spreads(layers: Sequence[Tensor]) -> list[Tensor]:
    """Return how far each value is from its layer's median: the numbers of Levene's test."""
    return [(one - one.median()).abs() for one in layers]


def _between(layers: Sequence[Tensor]) -> float:
    """Return by how many standard deviations the layers' means differ too much for one draw.

    The variance between layers in units of that within them is chi-squared, divided by its degrees
    of freedom; its cube root is nearly normal (Wilson & Hilferty, 1931).
    """
    values = torch.cat(list(layers))
    freedom = len(layers) - 1
    between = sum(len(one) * (one.mean() - values.mean()) ** 2 for one in layers) / freedom
    within = sum((one - one.mean()).square().sum() for one in layers)
    if within == 0 or len(values) <= len(layers):
        return 0.0
    ratio = float(between / within * (len(values) - len(layers)))
    return (ratio ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))


def _together(weights: Tensor, biases: Tensor) -> float:
    """Return by how many standard deviations weights and biases go together too well for chance."""
    both = torch.stack([weights, biases])
    correlation = torch.corrcoef(both)[0, 1].nan_to_num().item()
    return abs(correlation) * math.sqrt(len(weights))
