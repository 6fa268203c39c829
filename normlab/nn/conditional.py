"""Norms that are told what to do: scale and shift come from a condition, and not from the layer.

torch has no layers of these names. What it has to agree with is autograd, through the same formula
written with `torch.nn.functional`.
"""

from typing import NamedTuple

import numpy as np

from normlab.nn import checks
from normlab.nn import functional as F  # noqa: N812 - its name everywhere in PyTorch
from normlab.nn.precision import silent


class FilmGradients(NamedTuple):
    """The gradients of the input (N, C, *), of gamma (N, C) and of beta (N, C)."""

    input: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray


class ConditionalGradients(NamedTuple):
    """The gradients of the input (N, *, D), the condition (N, K), weight (2D, K), bias (2D,)."""

    input: np.ndarray
    condition: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


@silent
def film(input: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Scale and shift each channel of each sample by numbers of its own: ``gamma * x + beta``.

    Parameters
    ----------
    input : (N, C, *), normalized before or not
    gamma, beta : (N, C), what some other network says about each sample

    References
    ----------
    Perez, Strub, de Vries, Dumoulin & Courville, 2017, "FiLM: Visual Reasoning with a General
    Conditioning Layer".
    """
    return _spatial(gamma, input) * input + _spatial(beta, input)


@silent
def film_backward(
    grad_output: np.ndarray, input: np.ndarray, gamma: np.ndarray, beta: np.ndarray
) -> FilmGradients:
    """Return the gradients of the input (N, C, *) and of gamma and beta (N, C) of `film`.

    What one number touched is summed: the places of its channel, in its sample. `grad_output` has
    the shape of the input, or a RuntimeError is raised (Perez et al., 2017).
    """
    checks.grad_output(grad_output, input.shape)
    places = tuple(range(2, input.ndim))
    grad_gamma = (grad_output * input).sum(axis=places)  # (N, C)
    grad_beta = grad_output.sum(axis=places)  # (N, C)
    return FilmGradients(grad_output * _spatial(gamma, input), grad_gamma, grad_beta)


@silent
def ada_layer_norm(
    input: np.ndarray,
    condition: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float = 1e-6,
) -> np.ndarray:
    """Normalize each token, and scale and shift it as the sample's condition says.

    ``layer_norm(x) * (1 + scale) + shift``, where shift and scale, in this order, are the halves
    of ``condition @ weight.T + bias``. So weight and bias of zero leave a plain layer norm.

    Parameters
    ----------
    input : (N, *, D), such as tokens (N, T, D)
    condition : (N, K), one vector for all tokens of a sample
    weight, bias : (2D, K) and (2D,)

    References
    ----------
    Peebles & Xie, 2022, "Scalable Diffusion Models with Transformers": the norm of a DiT block.
    """
    _, shift, scale, x_hat = _told(input, condition, weight, bias, eps)
    return x_hat * (1 + scale) + shift


@silent
def ada_layer_norm_backward(
    grad_output: np.ndarray,
    input: np.ndarray,
    condition: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float = 1e-6,
) -> ConditionalGradients:
    """Return the gradients of all that `ada_layer_norm` was given but `eps`.

    Shift and scale of a sample gather what all its tokens have to say; from there it is the
    backward pass of a linear layer. `grad_output` has the shape of the input, or a RuntimeError is
    raised (Peebles & Xie, 2022).
    """
    checks.grad_output(grad_output, input.shape)
    context, _, scale, x_hat = _told(input, condition, weight, bias, eps)
    tokens = tuple(range(1, input.ndim - 1))
    grad_shift = grad_output.sum(axis=tokens)  # (N, D)
    grad_scale = (grad_output * x_hat).sum(axis=tokens)  # (N, D)
    grad_told = np.concatenate([grad_shift, grad_scale], axis=1)  # (N, 2D)
    return ConditionalGradients(
        F.affine_backward(grad_output * (1 + scale), context).input,
        grad_told @ weight,  # (N, K)
        grad_told.T @ condition,  # (2D, K)
        grad_told.sum(axis=0),  # (2D,)
    )


def _told(
    input: np.ndarray, condition: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[F.Context, np.ndarray, np.ndarray, np.ndarray]:
    """Return what the norm keeps, shift and scale (N, 1, ..., D), and the normalized input."""
    context = F.Context()
    x_hat = F.layer_norm(input, input.shape[-1:], eps=eps, ctx=context)
    told = condition @ weight.T + bias  # (N, 2D)
    told = told.reshape(len(input), *(1,) * (input.ndim - 2), -1)  # (N, 1, ..., 2D)
    shift, scale = np.split(told, 2, axis=-1)
    return context, shift, scale, x_hat


def _spatial(told: np.ndarray, input: np.ndarray) -> np.ndarray:
    """Give (N, C) an axis of length 1 for each place axis of the input."""
    return told.reshape(told.shape + (1,) * (input.ndim - 2))
