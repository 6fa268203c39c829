"""Planted mistakes: one small change of the source each, that the battery has to catch.

A mutant is a name, the file, the text as it is and the text with the mistake in it. The text has
to occur exactly once in the file, so that the list cannot go stale unnoticed.
"""
# ruff: noqa: E501 - a mistake is easier to see in one piece

import sys
import types
from pathlib import Path
from typing import NamedTuple

import normlab.nn

SOURCE = Path(normlab.nn.__file__).parent
# In the order in which they import one another.
FILES = (
    "precision",
    "checks",
    "vectors",
    "neighbours",
    "functional",
    "conditional",
    "module",
    "batchnorm",
    "instancenorm",
    "normalization",
    "parametrizations",
    "residual",
    "sync",
    "transforms",
)


class Mutant(NamedTuple):
    name: str
    file: str
    old: str
    new: str


def build(mutant: Mutant | None) -> types.ModuleType:
    """Execute the source of `normlab.nn`, with one mistake in it, as a package of its own."""
    package = types.ModuleType("mutant_nn")
    package.__path__ = []
    sys.modules["mutant_nn"] = package
    try:
        for name in (*FILES, "__init__"):
            text = (SOURCE / f"{name}.py").read_text(encoding="utf-8")
            if mutant is not None and name == mutant.file:
                assert text.count(mutant.old) == 1, f"{mutant.name}: not once in {name}.py"
                text = text.replace(mutant.old, mutant.new)
            code = compile(text.replace("normlab.nn", "mutant_nn"), f"{name}.py", "exec")
            module = package
            if name != "__init__":
                module = types.ModuleType(f"mutant_nn.{name}")
                sys.modules[module.__name__] = module
                setattr(package, name, module)
            exec(code, module.__dict__)
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "mutant_nn"]:
            del sys.modules[name]
    return package


def functional(*rows: tuple[str, str, str], file: str = "functional") -> list[Mutant]:
    return [Mutant(name, file, old, new) for name, old, new in rows]


FUNCTIONAL = functional(
    # standardize
    (
        "an infinite mean corrected to NaN",
        "np.where(np.isfinite(mean), _mean(deviations, axes), 0)",
        "_mean(deviations, axes)",
    ),
    (
        "eps outside the root",
        "np.sqrt(var + x.dtype.type(eps))\n    deviations",
        "(np.sqrt(var) + x.dtype.type(eps))\n    deviations",
    ),
    (
        "eps left out",
        "1 / np.sqrt(var + x.dtype.type(eps))\n    deviations",
        "1 / np.sqrt(var)\n    deviations",
    ),
    (
        "eps subtracted",
        "1 / np.sqrt(var + x.dtype.type(eps))\n    deviations",
        "1 / np.sqrt(var - x.dtype.type(eps))\n    deviations",
    ),
    (
        "no square root",
        "1 / np.sqrt(var + x.dtype.type(eps))\n    deviations",
        "1 / (var + x.dtype.type(eps))\n    deviations",
    ),
    ("mean not subtracted", "np.subtract(x, mean, out=out)", "np.subtract(x, 0, out=out)"),
    ("not divided by the standard deviation", "    deviations *= inv_std\n", ""),
    (
        "unbiased variance in the output",
        "    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))\n    deviations",
        "    var *= _count(x, axes) / (_count(x, axes) - 1)\n    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))\n    deviations",
    ),
    (
        "variance as E[x²] - E[x]²",
        "    var = _mean_product(deviations, deviations, axes)\n    if (np.square(mean) > var).any():",
        "    var = _mean_product(x, x, axes) - np.square(mean)\n    if False:",
    ),
    ("input modified", "x_hat = np.empty_like(x)", "x_hat = x"),
    (
        "rounding not taken from the deviations",
        "        deviations -= rounding\n",
        "        deviations -= 1e-9 * mean\n",
    ),
    (
        "rounding subtracted from the mean",
        "        mean += rounding\n",
        "        mean -= 1e6 * rounding\n",
    ),
    (
        "divided by n - 1 for n",
        "_sum(x, axes) / x.dtype.type(_count(x, axes))",
        "_sum(x, axes) / x.dtype.type(_count(x, axes) - 1)",
    ),
    ("batch statistics slab by slab", "rows = length if 0 in axes else 1", "rows = 1"),
    (
        "only the first slab",
        "for start in range(0, length, rows))",
        "for start in range(0, min(length, rows), rows))",
    ),
    # standardize_backward
    ("mean and variance taken for constants", "    if not axes:\n", "    if True:\n"),
    ("mean road missing", "            grad -= _mean(grad, axes)\n", "            pass\n"),
    ("variance road missing", "        grad -= through_var\n", ""),
    (
        "variance road without x_hat",
        "xs * _mean_product(grad, xs, axes)",
        "_mean_product(grad, xs, axes)",
    ),
    (
        "variance road without the gradient",
        "xs * _mean_product(grad, xs, axes)",
        "xs * _mean_product(xs, xs, axes)",
    ),
    ("wrong sign of the mean road", "grad -= _mean(grad, axes)", "grad += _mean(grad, axes)"),
    (
        "wrong sign of the variance road",
        "        grad -= through_var\n",
        "        grad += through_var\n",
    ),
    ("inv_std forgotten", "        grad *= inv_std[slab]\n", ""),
    (
        "inv_std applied twice",
        "        grad *= inv_std[slab]\n",
        "        grad *= inv_std[slab] ** 2\n",
    ),
    (
        "mean road with 1/N for 1/n",
        "grad -= _mean(grad, axes)",
        "grad -= grad.sum(axis=axes, keepdims=True) / x_hat.shape[0]",
    ),
    (
        "constants without inv_std",
        "        grad_x *= inv_std\n        return grad_x\n",
        "        return grad_x\n",
    ),
    ("RMS centres its gradient", "        if mean is not None:\n", "        if True:\n"),
    ("gradient overwritten", "grad_x_hat.copy()\n    if not axes", "grad_x_hat\n    if not axes"),
    # affine
    (
        "weight forgotten",
        "    scale = _along(parameter_axes, weight, x_hat, default=1)\n    shift",
        "    scale = _along(parameter_axes, None, x_hat, default=1)\n    shift",
    ),
    (
        "weight of 0 where there is none",
        "    scale = _along(parameter_axes, weight, x_hat, default=1)\n    shift",
        "    scale = _along(parameter_axes, weight, x_hat, default=0)\n    shift",
    ),
    ("bias forgotten", "        y[slab] += shift[slab]\n", ""),
    ("bias subtracted", "y[slab] += shift[slab]", "y[slab] -= shift[slab]"),
    (
        "bias of 1 where there is none",
        "shift = _along(parameter_axes, bias, x_hat, default=0)",
        "shift = _along(parameter_axes, bias, x_hat, default=1)",
    ),
    ("shift before scale", "y[slab] += shift[slab]", "y[slab] += shift[slab] * scale[slab]"),
    (
        "x_hat handed out as the output",
        "    y = np.empty_like(x_hat)\n    for",
        "    y = x_hat\n    for",
    ),
    (
        "output in another dtype",
        "y = y.astype(like.dtype, copy=False)",
        "y = y.astype(np.float64, copy=False)",
    ),
    # affine_backward
    (
        "grad weight without x_hat",
        "_sum_product(grad_y[slab], x_hat[slab], others)",
        "_sum(grad_y[slab], others)",
    ),
    ("grad weight of the last slab only", "grad_scale = grad_scale + _sum", "grad_scale = _sum"),
    (
        "grad weight averaged",
        "grad_scale.reshape(weight.shape)",
        "(grad_scale / _count(x_hat, others)).reshape(weight.shape)",
    ),
    (
        "grad weight in float64",
        "grad_scale.reshape(weight.shape).astype(weight.dtype)",
        "grad_scale.reshape(weight.shape).astype(np.float64)",
    ),
    (
        "grad bias averaged",
        "grad_shift.reshape(bias.shape)",
        "(grad_shift / _count(x_hat, others)).reshape(bias.shape)",
    ),
    (
        "grad bias of the scaled gradient",
        "_sum(grad_y[slab], others)\n    grad",
        "_sum(grad_x_hat[slab], others)\n    grad",
    ),
    ("grad bias of the last slab only", "grad_shift = grad_shift + _sum", "grad_shift = _sum"),
    (
        "weight forgotten in grad input",
        "np.multiply(grad_y[slab], scale[slab], out=grad_x_hat[slab])",
        "np.copyto(grad_x_hat[slab], grad_y[slab])",
    ),
    (
        "weight applied twice in grad input",
        "np.multiply(grad_y[slab], scale[slab], out=grad_x_hat[slab])",
        "np.multiply(grad_y[slab], scale[slab] ** 2, out=grad_x_hat[slab])",
    ),
    (
        "caller's gradient overwritten",
        "    grad_x_hat = np.empty_like(x_hat)\n",
        "    grad_x_hat = grad_y\n",
    ),
    (
        "shape of the gradient unchecked",
        "    checks.grad_output(grad_output, ctx.shape)\n",
        "    pass\n",
    ),
    # batch norm
    (
        "batch norm over the batch axis only",
        "standardize(x, (0, *range(2, x.ndim)), eps)",
        "standardize(x, (0,), eps)",
    ),
    (
        "batch norm over the spatial axes only",
        "standardize(x, (0, *range(2, x.ndim)), eps)",
        "standardize(x, tuple(range(2, x.ndim)), eps)",
    ),
    (
        "batch norm over the channels too",
        "standardize(x, (0, *range(2, x.ndim)), eps)",
        "standardize(x, tuple(range(x.ndim)), eps)",
    ),
    (
        "batch statistics in evaluation",
        "    if training:\n        standardized = standardize(",
        "    if True:\n        standardized = standardize(",
    ),
    (
        "running statistics in training",
        "    if training:\n        standardized = standardize(",
        "    if training and running_mean is None:\n        standardized = standardize(",
    ),
    (
        "tracking in evaluation",
        "    if training and running_mean is not None:",
        "    if running_mean is not None:\n        standardized = standardized._replace(axes=(0, *range(2, x.ndim)))",
    ),
    (
        "tracking an empty batch",
        "    if input.size == 0:\n        return _nothing",
        "    if input.size == 0 and running_mean is None:\n        return _nothing",
    ),
    (
        "batch norm parameters along the wrong axis",
        "    if training and running_mean is not None:\n        _track(running_mean, running_var, standardized, momentum)\n    return affine(standardized, weight, bias, (1,)",
        "    if training and running_mean is not None:\n        _track(running_mean, running_var, standardized, momentum)\n    return affine(standardized, weight, bias, (x.ndim - 1,)",
    ),
    (
        "batch norm backward in the other mode",
        "batch_norm(input, running_mean, running_var, weight, bias, training, 0.0, eps, ctx=ctx)",
        "batch_norm(input, running_mean, running_var, weight, bias, True, 0.0, eps, ctx=ctx)",
    ),
    (
        "batch norm backward moves the statistics",
        "    if training:\n        running_mean = running_var = None\n",
        "    if training:\n        running_mean += 1\n",
    ),
    # running statistics
    (
        "momentum the other way round",
        "(1 - momentum) * running.astype(new.dtype) + momentum * new",
        "momentum * running.astype(new.dtype) + (1 - momentum) * new",
    ),
    ("old statistics not decayed", "(1 - momentum) * running.astype", "running.astype"),
    ("biased variance tracked", "unbiased = batch.var * (n / (n - 1))", "unbiased = batch.var"),
    (
        "standard deviation tracked",
        "unbiased = batch.var * (n / (n - 1))",
        "unbiased = np.sqrt(batch.var * (n / (n - 1)))",
    ),
    (
        "1 / inv_std² tracked, with eps",
        "unbiased = batch.var * (n / (n - 1))",
        "unbiased = 1 / batch.inv_std**2 * (n / (n - 1))",
    ),
    (
        "unbiased by the batch size alone",
        "n = _count(batch.x_hat, batch.axes)\n    unbiased",
        "n = batch.x_hat.shape[batch.axes[0]]\n    unbiased",
    ),
    (
        "mean not tracked",
        "((running_mean, batch.mean), (running_var, unbiased))",
        "((running_var, unbiased),)",
    ),
    ("statistics replaced, not moved in place", "running[...] = (1", "running = (1"),
    (
        "last instance tracked, not the mean of all",
        "new = per_instance.sum(axis=0) / len(per_instance)",
        "new = per_instance[-1] if len(per_instance) else per_instance.sum(0) / 0.0",
    ),
    # constants
    (
        "evaluation without eps",
        "    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))\n    return",
        "    inv_std = 1 / np.sqrt(var)\n    return",
    ),
    (
        "evaluation with eps outside the root",
        "    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))\n    return",
        "    inv_std = 1 / (np.sqrt(var) + x.dtype.type(eps))\n    return",
    ),
    (
        "evaluation does not subtract the mean",
        "Standardized((x - mean) * inv_std, mean, var, inv_std, axes=())",
        "Standardized(x * inv_std, mean, var, inv_std, axes=())",
    ),
    # instance norm
    (
        "instance norm over the batch",
        "standardize(x, tuple(range(2, x.ndim)), eps)  # statistics (N, C, 1, ...)",
        "standardize(x, (0, *range(2, x.ndim)), eps)",
    ),
    (
        "instance norm over the channels",
        "standardize(x, tuple(range(2, x.ndim)), eps)  # statistics (N, C, 1, ...)",
        "standardize(x, tuple(range(1, x.ndim)), eps)",
    ),
    (
        "1 / sqrt(0) left infinite",
        "    if eps != 0:\n        return standardized\n",
        "    return standardized\n",
    ),
    ("instance norm ignores use_input_stats", "if use_input_stats or x.size == 0:", "if True:"),
    (
        "instance norm backward in the other mode",
        "instance_norm(input, *statistics, weight, bias, use_input_stats, 0.0, eps, ctx=ctx)",
        "instance_norm(input, None, None, weight, bias, True, 0.0, eps, ctx=ctx)",
    ),
    # group norm
    (
        "interleaved groups",
        "x = computing(input).reshape(blocks)\n",
        "x = computing(input).reshape(batch, channels // num_groups, num_groups, *spatial)\n    x = x.swapaxes(1, 2)\n",
    ),
    (
        "group count and group size swapped",
        "blocks = (batch, num_groups, channels // num_groups, *spatial)",
        "blocks = (batch, channels // num_groups, num_groups, *spatial)",
    ),
    (
        "statistics of a group at every pixel",
        "standardize(x, tuple(range(2, x.ndim)), eps)  # statistics (N, G, 1, ...)",
        "standardize(x, (2,), eps)",
    ),
    (
        "statistics of a group over space only",
        "standardize(x, tuple(range(2, x.ndim)), eps)  # statistics (N, G, 1, ...)",
        "standardize(x, tuple(range(3, x.ndim)), eps)",
    ),
    (
        "one group too many",
        "blocks = (batch, num_groups, channels // num_groups, *spatial)",
        "blocks = (batch, channels, 1, *spatial)",
    ),
    # layer and RMS norm
    (
        "layer norm over the last axis only",
        "last_axes = tuple(range(input.ndim - len(normalized_shape), input.ndim))",
        "last_axes = (input.ndim - 1,)",
    ),
    (
        "layer norm over all axes but the first",
        "last_axes = tuple(range(input.ndim - len(normalized_shape), input.ndim))",
        "last_axes = tuple(range(min(1, input.ndim - 1), input.ndim))",
    ),
    (
        "layer norm over the batch",
        "standardized = standardize(computing(input), last_axes, eps)",
        "standardized = standardize(computing(input), (0,), eps)",
    ),
    (
        "layer norm with eps fixed",
        "standardized = standardize(computing(input), last_axes, eps)",
        "standardized = standardize(computing(input), last_axes, 1e-5)",
    ),
    (
        "RMS of the sum, not the mean",
        "mean_square = _mean_product(x, x, last_axes)",
        "mean_square = _mean_product(x, x, last_axes) * _count(x, last_axes)",
    ),
    (
        "RMS norm subtracts the mean",
        "    mean_square = _mean_product(x, x, last_axes)",
        "    x = x - _mean(x, last_axes)\n    mean_square = _mean_product(x, x, last_axes)",
    ),
    (
        "RMS eps outside the root",
        "1 / np.sqrt(mean_square + eps)",
        "1 / (np.sqrt(mean_square) + eps)",
    ),
    ("RMS default eps of 1e-5", "np.finfo(x.dtype).eps if eps is None", "1e-5 if eps is None"),
    (
        "RMS default eps of float32",
        "np.finfo(x.dtype).eps if eps is None",
        "np.finfo(np.float32).eps if eps is None",
    ),
    (
        "RMS without a root",
        "inv_rms = 1 / np.sqrt(mean_square + eps)",
        "inv_rms = 1 / (mean_square + eps)",
    ),
)

NEIGHBOURS = functional(
    (
        "window leans to higher channels",
        "    divisor = k + alpha * _window_mean(np.square(x), size // 2, (size - 1) // 2)\n    return",
        "    divisor = k + alpha * _window_mean(np.square(x), (size - 1) // 2, size // 2)\n    return",
    ),
    (
        "window of size + 1",
        "    divisor = k + alpha * _window_mean(np.square(x), size // 2, (size - 1) // 2)\n    return",
        "    divisor = k + alpha * _window_mean(np.square(x), size // 2, size // 2)\n    return",
    ),
    (
        "alpha not divided by the size",
        "windows.sum(axis=-1) / x.dtype.type(size)",
        "windows.sum(axis=-1)",
    ),
    (
        "divided by the channels in the window",
        "windows.sum(axis=-1) / x.dtype.type(size)",
        "windows.sum(axis=-1) / (windows != 0).sum(axis=-1)",
    ),
    (
        "window along the wrong axis",
        "    padding[1] = (down, up)\n    padded = np.pad(x, padding)  # (N, C + size - 1, *)\n    size = down + 1 + up\n    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)",
        "    padding[-1] = (down, up)\n    padded = np.pad(x, padding)\n    size = down + 1 + up\n    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=-1)",
    ),
    ("window wraps around", "np.pad(x, padding)", 'np.pad(x, padding, mode="wrap")'),
    (
        "x for x² in the window",
        "    divisor = k + alpha * _window_mean(np.square(x), size // 2, (size - 1) // 2)\n    return",
        "    divisor = k + alpha * _window_mean(np.abs(x), size // 2, (size - 1) // 2)\n    return",
    ),
    (
        "k left out",
        "    divisor = k + alpha * _window_mean(np.square(x), size // 2, (size - 1) // 2)\n    return",
        "    divisor = 1 + alpha * _window_mean(np.square(x), size // 2, (size - 1) // 2)\n    return",
    ),
    (
        "adjoint window not mirrored",
        "_window_mean(through_divisor, (size - 1) // 2, size // 2)",
        "_window_mean(through_divisor, size // 2, (size - 1) // 2)",
    ),
    (
        "neighbours forgotten in the gradient",
        "shared = _window_mean(through_divisor, (size - 1) // 2, size // 2)",
        "shared = through_divisor / size",
    ),
    (
        "factor 2 of the square forgotten",
        "2 * alpha * beta * x * shared",
        "alpha * beta * x * shared",
    ),
    ("beta forgotten in the gradient", "2 * alpha * beta * x * shared", "2 * alpha * x * shared"),
    ("exponent of the divisor", "divisor ** (-beta - 1)", "divisor ** (-beta)"),
    file="neighbours",
)

VECTORS = [
    Mutant(name, "vectors", old, new)
    for name, old, new in (
        (
            "norm + eps for max(norm, eps)",
            "return np.divide(input, np.maximum(norm, input.dtype.type(eps)), out=out)",
            "return np.divide(input, norm + input.dtype.type(eps), out=out)",
        ),
        (
            "eps under the root",
            "    if p == 2:\n        return np.sqrt(np.square(x).sum(axis=axes, keepdims=True))",
            "    if p == 2:\n        return np.sqrt(np.square(x).sum(axis=axes, keepdims=True) + 1e-6)",
        ),
        (
            "mean of squares for their sum",
            "np.sqrt(np.square(x).sum(axis=axes, keepdims=True))",
            "np.sqrt(np.square(x).mean(axis=axes, keepdims=True))",
        ),
        (
            "always the last axis",
            "dims = (dim,) if isinstance(dim, int)",
            "dims = (-1,) if isinstance(dim, int)",
        ),
        ("root left out", "keepdims=True) ** (1 / p)", "keepdims=True)"),
        ("sign lost in odd powers", "(np.abs(x) ** p).sum", "(x**p).sum"),
        (
            "values counted by their sum",
            "(x != 0).sum(axis=axes, keepdims=True)",
            "x.sum(axis=axes, keepdims=True)",
        ),
        ("largest for smallest", "extreme = np.max if p > 0 else np.min", "extreme = np.max"),
        (
            "norm taken for a constant",
            "grad_norm = np.where(norm >= eps, grad_norm, 0)",
            "grad_norm = np.where(norm >= eps, 0, 0)",
        ),
        (
            "no clamp in the gradient",
            "grad_norm = np.where(norm >= eps, grad_norm, 0)",
            "grad_norm = np.where(norm >= 0, grad_norm, 0)",
        ),
        (
            "wrong sign of the road through the norm",
            "grad_norm = -(grad_y * x)",
            "grad_norm = (grad_y * x)",
        ),
        ("divisor not squared", "/ divisor**2", "/ divisor"),
        ("tied extremes each take all", " / at_extreme.sum(axis=axes, keepdims=True)", ""),
        ("slope with the wrong power", "** (p - 1)\n", "** p\n"),
        ("slope without a sign", "slope = np.sign(x) * ", "slope = "),
        (
            "NaN at the kink",
            "flat = (norm == 0) | ((x == 0) & (p < 1))",
            "flat = np.zeros_like(x, bool)",
        ),
    )
]

LAYERS = [
    Mutant(
        "batches not counted",
        "batchnorm",
        "self.num_batches_tracked += 1",
        "self.num_batches_tracked += 0",
    ),
    Mutant(
        "batches counted in evaluation",
        "batchnorm",
        "tracking = self.training and self.track_running_stats",
        "tracking = self.track_running_stats",
    ),
    Mutant(
        "momentum None taken for 0",
        "batchnorm",
        "momentum = 1 / int(self.num_batches_tracked)",
        "momentum = 0.0",
    ),
    Mutant(
        "cumulative mean one behind",
        "batchnorm",
        "1 / int(self.num_batches_tracked)",
        "1 / (int(self.num_batches_tracked) + 1)",
    ),
    Mutant(
        "evaluation ignores missing statistics",
        "batchnorm",
        "self.training or (self.running_mean is None and self.running_var is None)",
        "self.training",
    ),
    Mutant("eps not handed on", "batchnorm", "            self.eps,\n", "            1e-5,\n"),
    Mutant(
        "bias=False ignored",
        "batchnorm",
        "self.bias = vector(affine and bias)",
        "self.bias = vector(affine)",
    ),
    Mutant(
        "running variance starts at 0",
        "batchnorm",
        "self.running_var[:] = 1",
        "self.running_var[:] = 0",
    ),
    Mutant(
        "instance norm affine by default",
        "instancenorm",
        "affine: bool = False",
        "affine: bool = True",
    ),
    Mutant(
        "instance norm tracks by default",
        "instancenorm",
        "track_running_stats: bool = False",
        "track_running_stats: bool = True",
    ),
    Mutant(
        "unbatched taken for a batch",
        "instancenorm",
        "input[None] if unbatched else input,",
        "input[:, None] if unbatched else input,",
    ),
    Mutant(
        "momentum None cumulative in instance norm",
        "instancenorm",
        "0.0 if self.momentum is None",
        "0.1 if self.momentum is None",
    ),
    Mutant(
        "training statistics in evaluation",
        "instancenorm",
        "self.training or not self.track_running_stats,",
        "True,",
    ),
    Mutant(
        "group norm bias on without affine",
        "normalization",
        "if affine and bias else None",
        "if bias else None",
    ),
    Mutant(
        "layer norm starts at 0",
        "module",
        '(("weight", 1), ("bias", 0))',
        '(("weight", 0), ("bias", 0))',
    ),
    Mutant("LRN k of 2", "normalization", "k: float = 1.0", "k: float = 2.0"),
    Mutant(
        "gradients replaced, not added", "module", "self.grads.get(name, 0) + gradient", "gradient"
    ),
    Mutant(
        "gradients computed in float64 for float16",
        "precision",
        "x.astype(np.float32)",
        "x.astype(np.float64)",
    ),
]

OTHERS = [
    Mutant(
        "magnitude forgotten",
        "parametrizations",
        "return weight_v * (weight_g / norm_except_dim(weight_v, dim))",
        "return weight_v / norm_except_dim(weight_v, dim)",
    ),
    Mutant(
        "norm over the kept axis",
        "parametrizations",
        "if axis != dim % weight_v.ndim)",
        "if axis == dim % weight_v.ndim)",
    ),
    Mutant(
        "-1 taken for the last axis",
        "parametrizations",
        "if dim is None or dim == -1:",
        "if dim is None:",
    ),
    Mutant(
        "direction's own part kept",
        "parametrizations",
        "(grad_weight - direction * grad_g)",
        "grad_weight",
    ),
    Mutant(
        "g forgotten in the gradient of v",
        "parametrizations",
        "grad_v = weight_g / norm *",
        "grad_v = 1 / norm *",
    ),
    Mutant(
        "u and v swapped in the iteration",
        "parametrizations",
        "        u = F.normalize(matrix @ v, dim=0, eps=eps)\n        v = F.normalize(matrix.T @ u, dim=0, eps=eps)\n",
        "        u = F.normalize(matrix @ v, dim=0, eps=eps)\n",
    ),
    Mutant(
        "iterating in evaluation",
        "parametrizations",
        "        if self.training:\n",
        "        if True:\n",
    ),
    Mutant(
        "one iteration too many",
        "parametrizations",
        "for _ in range(n_power_iterations):",
        "for _ in range(n_power_iterations + 1):",
    ),
    Mutant(
        "sigma taken for a constant",
        "parametrizations",
        "grad_output / sigma + grad_sigma * direction",
        "grad_output / sigma",
    ),
    Mutant("grad sigma divided once", "parametrizations", ".sum() / sigma**2", ".sum() / sigma"),
    Mutant(
        "dim ignored by spectral norm",
        "parametrizations",
        "outputs_first = np.moveaxis(weight, dim, 0)",
        "outputs_first = weight",
    ),
    Mutant("variances averaged", "sync", "part.var + np.square(part.mean - mean)", "part.var"),
    Mutant(
        "workers weighted alike",
        "sync",
        "mean = _total([part.count * part.mean for part in parts]) / count",
        "mean = _total([part.mean for part in parts]) / len(parts)",
    ),
    Mutant(
        "workers' variances weighted alike",
        "sync",
        "[part.count * square for",
        "[count / len(parts) * square for",
    ),
    Mutant(
        "spread forgotten in the gradient",
        "sync",
        "grad.mean + 2 * off_centre * grad.var",
        "grad.mean",
    ),
    Mutant(
        "local gradients not summed",
        "sync",
        "(*map(_total, zip",
        "(*map(lambda worker: worker[0], zip",
    ),
    Mutant(
        "half forgotten in the variance's gradient",
        "sync",
        ".sum(axis=others) / 2",
        ".sum(axis=others)",
    ),
    Mutant("std for mean in the transform", "transforms", "output -= mean", "output -= std"),
    Mutant("multiplied by std", "transforms", "output /= std", "output *= std"),
    Mutant(
        "transform's gradient not divided",
        "transforms",
        "np.asarray(grad_output) / self._context",
        "np.asarray(grad_output)",
    ),
    Mutant(
        "transform in place", "transforms", "tensor if self.inplace else tensor.copy()", "tensor"
    ),
]

ERRORS = [
    Mutant(
        "a single value let through",
        "checks",
        "if shape[0] * math.prod(shape[2:]) == 1:",
        "if False:",
    ),
    Mutant(
        "eps of 0 let through",
        "checks",
        "if training and eps <= 0.0:",
        "if training and eps < 0.0:",
    ),
    Mutant(
        "a long weight let through",
        "checks",
        "if vector is not None and vector.size != channels:",
        "if False:",
    ),
    Mutant(
        "integers let through",
        "checks",
        'if input.dtype.name not in ("float16", "float32", "float64"):',
        "if False:",
    ),
    Mutant("a comma in RMS norm's text", "checks", 'separator=""', 'separator=", "'),
    Mutant(
        "shape printed without its class",
        "checks",
        'return f"torch.Size({list(shape)})"',
        "return str(list(shape))",
    ),
    Mutant(
        "dtype named as in NumPy",
        "checks",
        "_TORCH_NAMES.get(dtype.name, dtype.name)",
        "dtype.name",
    ),
    Mutant(
        "mixed dtypes let through",
        "checks",
        '    if input.dtype != np.float16:\n        raise RuntimeError("mixed',
        '    if False:\n        raise RuntimeError("mixed',
    ),
]

TOLD = functional(
    ("gamma on the samples", "told.reshape(told.shape + (1,) * (input.ndim - 2))", "told.T"),
    ("beta before gamma", "* input + _spatial(beta, input)", "* (input + _spatial(beta, input))"),
    ("1 + gamma", "_spatial(gamma, input) * input", "(1 + _spatial(gamma, input)) * input"),
    ("beta subtracted", "* input + _spatial(beta", "* input - _spatial(beta"),
    ("gamma's gradient without x", "(grad_output * input).sum", "grad_output.sum"),
    (
        "gamma's gradient summed over the batch",
        "axis=places)  # (N, C)\n    grad_beta",
        "axis=(0, *places))\n    grad_beta",
    ),
    (
        "beta's gradient times gamma",
        "grad_output.sum(axis=places)",
        "(grad_output * _spatial(gamma, input)).sum(axis=places)",
    ),
    (
        "gradient not scaled by gamma",
        "FilmGradients(grad_output * _spatial(gamma, input)",
        "FilmGradients(grad_output",
    ),
    ("scale for 1 + scale", "return x_hat * (1 + scale) + shift", "return x_hat * scale + shift"),
    ("scale and shift in the other order", "shift, scale = np.split", "scale, shift = np.split"),
    (
        "shift scaled, too",
        "return x_hat * (1 + scale) + shift",
        "return (x_hat + shift) * (1 + scale)",
    ),
    (
        "scale on the input",
        "return x_hat * (1 + scale) + shift",
        "return input * (1 + scale) + shift",
    ),
    ("another eps", "eps=eps, ctx", "ctx"),
    ("the condition's bias forgotten", "condition @ weight.T + bias  #", "condition @ weight.T  #"),
    (
        "gradient through the norm unscaled",
        "grad_output * (1 + scale), context",
        "grad_output, context",
    ),
    (
        "gradient around the norm",
        "F.affine_backward(grad_output * (1 + scale), context).input",
        "grad_output * (1 + scale)",
    ),
    ("scale's gradient without x_hat", "(grad_output * x_hat).sum", "grad_output.sum"),
    ("scale's gradient with x", "(grad_output * x_hat).sum", "(grad_output * input).sum"),
    ("gradients in the other order", "[grad_shift, grad_scale]", "[grad_scale, grad_shift]"),
    (
        "the first token alone",
        "grad_shift = grad_output.sum(axis=tokens)",
        "grad_shift = grad_output.reshape(len(input), -1, input.shape[-1])[:, 0]",
    ),
    (
        "the weight's gradient averaged",
        "grad_told.T @ condition",
        "grad_told.T @ condition / len(input)",
    ),
    ("the bias's gradient averaged", "grad_told.sum(axis=0)", "grad_told.mean(axis=0)"),
    ("the condition's gradient forgotten", "grad_told @ weight", "0 * grad_told @ weight"),
    file="conditional",
)
RESIDUAL = [
    Mutant("the road around forgotten", "residual", "return around + _back(", "return _back("),
    Mutant(
        "the road through the branch forgotten",
        "residual",
        "return around + _back(self.before, read)",
        "return around",
    ),
    Mutant("norm of the sum passed by", "residual", "_back(self.on_sum, np", "_back(None, np"),
    Mutant("norm behind passed by", "residual", "_back(self.after, around)", "_back(None, around)"),
    Mutant("norm in front passed by", "residual", "_back(self.before, read)", "_back(None, read)"),
    Mutant("residual after the norm", "residual", "input + step)", "read + step)"),
    Mutant("norm on the branch", "residual", '"post": ["on_sum"]', '"post": ["after"]'),
    Mutant("norm on the sum", "residual", '"out": ["after"]', '"out": ["on_sum"]'),
    Mutant("a sandwich of one slice", "residual", '["before", "after"]', '["before"]'),
    Mutant(
        "one after the other",
        "residual",
        '[(attention, mlp)] if place == "parallel"',
        '[(attention,), (mlp,)] if place == "parallel"',
    ),
    Mutant("first step first", "residual", "reversed(self.steps)", "self.steps"),
    Mutant(
        "heads and features exchanged",
        "residual",
        "input.reshape(*input.shape[:-1], self.heads, -1)",
        "input.reshape(*input.shape[:-1], -1, self.heads)",
    ),
    Mutant(
        "one mean square for all heads",
        "residual",
        "return super().forward(heads).reshape(input.shape)",
        "return RMSNorm.forward(self, input.reshape(input.shape))",
    ),
    Mutant(
        "weights standardized over the outputs",
        "parametrizations",
        "return F.standardize(weight, tuple(range(1, weight.ndim)), eps).x_hat",
        "return F.standardize(weight, (0,), eps).x_hat",
    ),
    Mutant(
        "standardized along the last axis alone",
        "parametrizations",
        "    standardized = F.standardize(weight, tuple(range(1, weight.ndim)), eps)",
        "    standardized = F.standardize(weight, (-1,), eps)",
    ),
]

MUTANTS = [*TOLD, *RESIDUAL, *FUNCTIONAL, *NEIGHBOURS, *VECTORS, *LAYERS, *OTHERS, *ERRORS]
