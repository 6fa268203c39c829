"""The battery: what the suite asks of torch and of `normlab.nn`, and each mutant has to fail."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
from releases import NORMS_TAKE_BIAS, TEXTS_ARE_KNOWN
from torch_oracle import (
    LAYOUTS,
    Case,
    block_case,
    error_case,
    function_case,
    initial_state_case,
    layer_case,
    make_input,
    norm_function_case,
    normalize_case,
    qk_norm_case,
    rng,
    spectral_norm_case,
    standardize_case,
    sync_case,
    tensor,
    transform_case,
    untouched,
    weight_norm_case,
    weight_standardization_case,
    wrong_gradient_case,
)

TRACKED = (True, True, False)  # twice in training, then in evaluation
BATCH_SHAPES = {
    "BatchNorm1d": [(5, 3), (4, 3, 6)],
    "BatchNorm2d": [(3, 3, 4, 5)],
    "BatchNorm3d": [(2, 3, 3, 2, 4)],
}
INSTANCE_SHAPES = {
    "InstanceNorm1d": [(4, 3, 6), (3, 6)],
    "InstanceNorm2d": [(2, 3, 4, 5), (3, 4, 5)],
    "InstanceNorm3d": [(2, 3, 3, 2, 4), (3, 3, 2, 4)],
}
FEW = {
    "floor": 1.0,
    "reason": "of one or two values per statistic nothing is left to differentiate: the gradient "
    "is the difference of terms of size 1 or more, up to 1 / sqrt(eps)",
}
CONSTANT = {
    "tolerance": 1e-10,
    "floor": 1.0,
    "reason": "torch's x * scale + shift leaves rounding of size 7 / sqrt(eps); ours is exact",
}
OFFSET = {
    "tolerance": 1e-8,
    "reason": "an offset of 1e6 costs six of the sixteen digits, and torch's x * scale + shift "
    "some more",
}


def _batch_cases() -> Iterator[Case]:
    for layer, shapes in BATCH_SHAPES.items():
        for shape in shapes:
            yield layer_case(layer, 3, shape=shape, modes=TRACKED)
    base = {"layer": "BatchNorm2d", "shape": (3, 3, 4, 5), "modes": TRACKED}

    def batch(**changes: object) -> Case:
        options = base | changes
        return layer_case(options.pop("layer"), 3, **options)

    yield batch(momentum=None)
    yield batch(momentum=1.0)
    yield batch(momentum=0.0)
    yield batch(momentum=0.37, eps=1e-3)
    yield batch(eps=10.0)
    yield batch(eps=1e-3, kind="tiny")
    yield batch(affine=False)
    yield batch(bias=False)
    yield batch(track_running_stats=False)
    yield batch(affine=False, track_running_stats=False)
    yield batch(shape=(1, 3, 4, 5))
    yield batch(shape=(3, 3, 1, 1))
    yield batch(layer="BatchNorm1d", shape=(2, 3), **FEW)
    yield batch(layer="BatchNorm1d", shape=(1, 3, 2), **FEW)
    yield batch(layer="BatchNorm1d", shape=(1, 3), modes=(False,))
    yield batch(layer="BatchNorm1d", shape=(0, 3))
    yield batch(shape=(0, 3, 4, 5), momentum=None)
    yield batch(shape=(2, 3, 0, 5))
    yield batch(kind="constant", **CONSTANT)
    yield batch(kind="offset", **OFFSET)
    for kind in ("nan", "inf", *LAYOUTS):
        yield batch(kind=kind)
    yield batch(layer="BatchNorm1d", shape=(2, 3), kind="inf", **FEW)
    yield batch(layer="BatchNorm1d", shape=(4, 3), kind="inf")
    yield batch(modes=(False,), eps=1e-3)
    yield batch(shape=(3, 3, 210, 210))  # two slabs


def _instance_cases() -> Iterator[Case]:
    for layer, shapes in INSTANCE_SHAPES.items():
        for shape in shapes:
            yield layer_case(layer, 3, shape=shape, modes=(True, False))
            yield layer_case(
                layer, 3, shape=shape, modes=TRACKED, affine=True, track_running_stats=True
            )
    base = {"shape": (4, 3, 2, 3), "affine": True, "track_running_stats": True, "modes": TRACKED}

    def instance(**changes: object) -> Case:
        return layer_case("InstanceNorm2d", 3, **(base | changes))

    yield instance(momentum=None)
    yield instance(momentum=1.0, eps=1e-3)
    yield instance(affine=False)
    yield instance(bias=False)
    yield instance(eps=0.0)
    yield instance(eps=0.0, kind="zeros", modes=(True, True))
    yield instance(shape=(1, 3, 2, 1), **FEW)
    yield instance(shape=(2, 3, 0, 2))
    yield instance(shape=(0, 3, 2, 2))
    yield instance(shape=(0, 3, 2, 2), affine=False, modes=(True,))
    yield instance(kind="constant", **CONSTANT)
    yield instance(kind="offset", **OFFSET)
    for kind in ("nan", "inf", *LAYOUTS):
        yield instance(kind=kind)


def _group_cases() -> Iterator[Case]:
    for shape in [(4, 6), (3, 6, 5), (2, 6, 3, 4), (2, 6, 2, 3, 2), (1, 6, 2), (0, 6, 2)]:
        for groups in (1, 2, 3, 6):
            few = FEW if math.prod(shape[1:]) <= 2 * groups else {}
            yield layer_case("GroupNorm", groups, 6, shape=shape, modes=(True, False), **few)

    def group(**changes: object) -> Case:
        return layer_case("GroupNorm", 2, 6, **({"shape": (2, 6, 3, 4)} | changes))

    yield group(affine=False)
    yield group(bias=False)
    yield group(shape=(3, 6, 148, 148))  # two slabs
    yield group(eps=1e-3, kind="tiny")
    yield group(eps=0.0)
    yield group(eps=0.0, kind="zeros")
    yield group(kind="constant", **CONSTANT)
    yield group(kind="offset", **OFFSET)
    for kind in ("nan", "inf", *LAYOUTS):
        yield group(kind=kind)


def _layer_cases() -> Iterator[Case]:
    for layer in ("LayerNorm", "RMSNorm"):
        yield layer_case(layer, 5, shape=(5,))
        yield layer_case(layer, 5, shape=(4, 5), modes=(True, False))
        yield layer_case(layer, 5, shape=(2, 3, 5))
        yield layer_case(layer, (3, 5), shape=(2, 3, 5))
        yield layer_case(layer, [2, 3, 5], shape=(4, 2, 3, 5))
        yield layer_case(layer, (2, 3), shape=(2, 3))
        yield layer_case(layer, 1, shape=(4, 1), **FEW)
        yield layer_case(layer, 4, shape=(0, 4))
        yield layer_case(layer, 0, shape=(3, 0))
        yield layer_case(layer, 5, 1e-3, shape=(4, 5), kind="tiny")
        yield layer_case(layer, 5, 10.0, shape=(4, 5))
        yield layer_case(layer, 5, 0.0, shape=(4, 5))
        yield layer_case(layer, 5, 0.0, shape=(4, 5), kind="zeros")
        yield layer_case(layer, 5, shape=(4, 5), elementwise_affine=False)
        yield layer_case(layer, 5, shape=(4, 5), kind="constant")
        yield layer_case(layer, 5, shape=(4, 5), kind="zeros")
        yield layer_case(layer, 5, shape=(4, 5), kind="offset", **OFFSET)
        for kind in ("nan", "inf", *LAYOUTS):
            yield layer_case(layer, 5, shape=(4, 5), kind=kind)
    yield layer_case("LayerNorm", 5, shape=(4, 5), bias=False)


def _response_cases() -> Iterator[Case]:
    for size in (1, 2, 3, 4, 5, 9):
        yield layer_case("LocalResponseNorm", size, 0.7, 0.6, 1.3, shape=(2, 5, 4))
    for shape in [(2, 7, 3, 2), (1, 7, 2, 3, 2), (2, 1, 3), (0, 3, 4), (2, 3, 0), (2, 0, 4)]:
        yield layer_case("LocalResponseNorm", 3, alpha=0.5, beta=0.9, k=2.0, shape=shape)
    for kind in ("nan", "inf", "zeros", "constant", *LAYOUTS):
        yield layer_case("LocalResponseNorm", 2, shape=(2, 5, 3), kind=kind)


def _function_cases() -> Iterator[Case]:
    vectors = (("weight", 3), ("bias", 3))
    for chosen in (vectors, vectors[:1], vectors[1:], ()):
        yield norm_function_case(
            "batch_norm", None, None, shape=(4, 3, 5), vectors=chosen
        )._replace(name=f"functional.batch_norm, evaluation without statistics {chosen}")
        if chosen != vectors[1:]:  # with a bias alone, torch's own backward fails
            yield norm_function_case("group_norm", 3, shape=(2, 3, 5), vectors=chosen)
        yield norm_function_case("instance_norm", shape=(2, 3, 5), vectors=chosen)
        yield norm_function_case("layer_norm", (3,), shape=(2, 5, 3), vectors=chosen)
    yield norm_function_case("rms_norm", (3,), shape=(2, 5, 3), vectors=vectors[:1])
    yield norm_function_case("rms_norm", (5, 3), shape=(2, 5, 3))
    for training in (True, False):
        yield _batch_norm_function_case(training)
        yield _instance_norm_function_case(training)


def _batch_norm_function_case(training: bool) -> Case:
    generator = rng("batch_norm function", training)
    arrays = {"input": make_input("normal", (4, 3, 5), generator)}
    arrays |= {k: generator.uniform(0.5, 2, 3) for k in ("weight", "bias")}
    mean, var = generator.uniform(0.5, 2, (2, 3))

    def statistics() -> tuple[np.ndarray, np.ndarray]:
        return mean.copy(), var.copy()

    def backward(nn: ModuleType, dy: np.ndarray, input: np.ndarray, *parameters: Any) -> Any:
        with untouched(running_mean=mean, running_var=var):
            return nn.functional.batch_norm_backward(
                dy, input, mean, var, *parameters, training, 1e-3
            )

    return function_case(
        f"functional.batch_norm training={training}",
        arrays,
        lambda nn, input, weight, bias: nn.functional.batch_norm(
            input, *statistics(), weight, bias, training, 0.2, 1e-3
        ),
        backward,
        lambda input, weight, bias: torch.nn.functional.batch_norm(
            input, *map(tensor, statistics()), weight, bias, training, 0.2, 1e-3
        ),
    )


def _instance_norm_function_case(use_input_stats: bool) -> Case:
    generator = rng("instance_norm function", use_input_stats)
    arrays = {"input": make_input("normal", (4, 3, 5), generator)}
    arrays |= {k: generator.uniform(0.5, 2, 3) for k in ("weight", "bias")}
    mean, var = generator.uniform(0.5, 2, (2, 3))

    def backward(nn: ModuleType, dy: np.ndarray, input: np.ndarray, *parameters: Any) -> Any:
        with untouched(running_mean=mean, running_var=var):
            return nn.functional.instance_norm_backward(
                dy, input, mean, var, *parameters, use_input_stats, 1e-3
            )

    return function_case(
        f"functional.instance_norm use_input_stats={use_input_stats}",
        arrays,
        lambda nn, input, weight, bias: nn.functional.instance_norm(
            input, mean.copy(), var.copy(), weight, bias, use_input_stats, 0.2, 1e-3
        ),
        backward,
        lambda input, weight, bias: torch.nn.functional.instance_norm(
            input, tensor(mean), tensor(var), weight, bias, use_input_stats, 0.2, 1e-3
        ),
    )


HALF = {
    "tolerance": 4e-3,
    "floor": 1.0,
    "reason": "float16 has eleven bits; test_precision.py compares with float64",
}
SINGLE = {
    "tolerance": 4e-6,
    "floor": 1.0,
    "reason": "float32 has 24 bits; test_precision.py compares with float64",
}


def _dtype_cases() -> Iterator[Case]:
    for layer, args, shape in (
        ("BatchNorm2d", (3,), (4, 3, 2, 5)),
        ("InstanceNorm1d", (3,), (2, 3, 5)),
        ("GroupNorm", (2, 4), (2, 4, 5)),
        ("LayerNorm", (6,), (4, 6)),
        ("RMSNorm", (6,), (4, 6)),
        ("LocalResponseNorm", (3,), (2, 4, 3)),
    ):
        modes = TRACKED if layer.startswith("Batch") else (True,)
        options = {"affine": True} if layer.startswith("Instance") else {}
        common = {"shape": shape, "modes": modes} | options
        yield layer_case(layer, *args, dtype="float32", **common, **SINGLE)
        yield layer_case(layer, *args, dtype="float16", **common, **HALF)
        if layer != "LocalResponseNorm":
            mixed = {"dtype": "float32", "input_dtype": "float16"}
            yield layer_case(layer, *args, **mixed, **common, **HALF)
    yield layer_case("RMSNorm", 6, shape=(4, 6), kind="tiny", dtype="float16", **HALF)


def _other_cases() -> Iterator[Case]:
    for axes in ((1,), (0, 1), (0, 2), (0, 1, 2)):
        yield standardize_case(axes, 1e-3)
    for layer in (*BATCH_SHAPES, *INSTANCE_SHAPES):
        yield initial_state_case(layer, 3)
        yield initial_state_case(layer, 3, 1e-3, None, True, True, bias=False)
        yield initial_state_case(layer, 3, affine=False, track_running_stats=False)
    yield initial_state_case("GroupNorm", 2, 4)
    yield initial_state_case("GroupNorm", 2, 4, 1e-3, bias=False)
    yield initial_state_case("GroupNorm", 2, 4, affine=False)
    for layer in ("LayerNorm", "RMSNorm"):
        yield initial_state_case(layer, 3)
        yield initial_state_case(layer, [3, 2], 1e-3, True)
        yield initial_state_case(layer, 3, elementwise_affine=False)
    yield initial_state_case("LayerNorm", 3, bias=False)
    yield wrong_gradient_case("LayerNorm", 3, shape=(4, 3), wrong=(2, 3))
    yield wrong_gradient_case("BatchNorm1d", 3, shape=(4, 3), wrong=(4, 3, 1))
    yield wrong_gradient_case("LocalResponseNorm", 2, shape=(4, 3, 2), wrong=(4, 3))
    for p in (0, 0.5, 1, 1.5, 2, 3, float("inf"), float("-inf"), -1):
        yield normalize_case((3, 4), p)
        yield normalize_case((3, 4), p, kind="zeros")
    for dim in (0, -1, 2, (0, 1), (1, -1), (), None):
        yield normalize_case((3, 4, 2), dim=dim)
    yield normalize_case((3, 4), eps=3.0)
    yield normalize_case((3, 4), eps=0.0)
    yield normalize_case((3, 4), kind="tiny", eps=3e-4)
    yield normalize_case((5,), dim=0)
    yield normalize_case((), dim=0)
    yield normalize_case((0, 3))
    yield normalize_case((3, 0))
    yield normalize_case((3, 4), float("inf"), kind="constant")
    for kind in ("nan", "inf", *LAYOUTS):
        yield normalize_case((3, 4), kind=kind)
    for dim in (0, 1, 2, -1, -2, None):
        yield weight_norm_case((4, 3, 2), dim)
    yield weight_norm_case((5, 3))
    yield weight_standardization_case((4, 3, 2), 1e-3)
    yield weight_standardization_case((5, 5), 1e-8)
    for place in ("pre", "post", "sandwich", "out", "parallel"):
        yield block_case(place)
    for heads in (1, 2, 4):
        yield qk_norm_case(heads, 4)
    yield weight_norm_case((4,), **FEW)
    yield spectral_norm_case((4, 3))
    yield spectral_norm_case((4, 3, 2, 2), n_power_iterations=1)
    yield spectral_norm_case((3, 4, 2), dim=1)
    yield spectral_norm_case((3, 4, 2), dim=-1)
    yield spectral_norm_case((5,))
    yield sync_case((2, 3, 5), (3, 4))
    yield sync_case((2, 3, 5), (3, 4), affine=False)
    yield sync_case((1, 4), (3,))
    yield sync_case((3, 0, 2), (3, 2, 2))
    yield transform_case((3, 4, 5), [0.5, 0.4, 0.3], [0.2, 0.3, 0.4])
    yield transform_case((2, 3, 4, 5), [0.5, 0.4, 0.3], [0.2, 0.3, 0.4])
    yield transform_case((3, 4, 5), [0.5], [0.25])


def _shape_errors() -> Iterator[Case]:
    """Each line is a wrong call; the same text is what is asked for."""
    calls: dict[str, Callable[..., Any]] = {
        "one value per channel (1, C)": lambda nn, a: nn.BatchNorm1d(3)(a(1, 3)),
        "one value per channel (1, C, 1)": lambda nn, a: nn.BatchNorm1d(3)(a(1, 3, 1)),
        "one value per channel (1, C, 1, 1)": lambda nn, a: nn.BatchNorm2d(3)(a(1, 3, 1, 1)),
        "one value without statistics, evaluation": lambda nn, a: nn.BatchNorm1d(
            3, track_running_stats=False
        ).eval()(a(1, 3)),
        "BatchNorm1d rank 1": lambda nn, a: nn.BatchNorm1d(3)(a(3)),
        "BatchNorm1d rank 4": lambda nn, a: nn.BatchNorm1d(3)(a(2, 3, 4, 5)),
        "BatchNorm2d rank 3": lambda nn, a: nn.BatchNorm2d(3)(a(2, 3, 4)),
        "BatchNorm3d rank 4": lambda nn, a: nn.BatchNorm3d(3)(a(2, 3, 4, 5)),
        "BatchNorm wrong channels": lambda nn, a: nn.BatchNorm1d(3)(a(4, 5)),
        "BatchNorm wrong channels, evaluation": lambda nn, a: nn.BatchNorm1d(3).eval()(a(4, 5)),
        "BatchNorm wrong channels, weight only": lambda nn, a: nn.BatchNorm1d(
            3, track_running_stats=False
        )(a(4, 5)),
        "BatchNorm no channels": lambda nn, a: nn.BatchNorm1d(0)(a(4, 0)),
        "InstanceNorm1d rank 1": lambda nn, a: nn.InstanceNorm1d(3)(a(3)),
        "InstanceNorm1d rank 4": lambda nn, a: nn.InstanceNorm1d(3)(a(2, 3, 4, 5)),
        "InstanceNorm2d rank 2": lambda nn, a: nn.InstanceNorm2d(3)(a(3, 4)),
        "InstanceNorm3d rank 3": lambda nn, a: nn.InstanceNorm3d(3)(a(3, 4, 5)),
        "InstanceNorm one spatial value": lambda nn, a: nn.InstanceNorm2d(3)(a(2, 3, 1, 1)),
        "InstanceNorm one value, unbatched": lambda nn, a: nn.InstanceNorm1d(3)(a(3, 1)),
        "InstanceNorm one value, evaluation": lambda nn, a: nn.InstanceNorm1d(3).eval()(a(2, 3, 1)),
        "InstanceNorm wrong channels": lambda nn, a: nn.InstanceNorm1d(3, affine=True)(a(2, 5, 4)),
        "InstanceNorm wrong channels, unbatched": lambda nn, a: nn.InstanceNorm1d(3, affine=True)(
            a(5, 4)
        ),
        "InstanceNorm wrong channels, tracked": lambda nn, a: nn.InstanceNorm1d(
            3, track_running_stats=True
        )(a(2, 5, 4)),
        "GroupNorm indivisible": lambda nn, a: nn.GroupNorm(4, 6),
        "GroupNorm no groups": lambda nn, a: nn.GroupNorm(0, 6),
        "GroupNorm wrong channels": lambda nn, a: nn.GroupNorm(3, 6)(a(2, 9, 4)),
        "GroupNorm indivisible input": lambda nn, a: nn.GroupNorm(2, 6)(a(2, 9, 4)),
        "GroupNorm one value per group": lambda nn, a: nn.GroupNorm(6, 6)(a(1, 6)),
        "GroupNorm rank 1": lambda nn, a: nn.GroupNorm(1, 6)(a(6)),
        "LayerNorm wrong size": lambda nn, a: nn.LayerNorm(4)(a(2, 3)),
        "LayerNorm wrong rank": lambda nn, a: nn.LayerNorm((4, 5, 6))(a(5, 6)),
        "LayerNorm scalar": lambda nn, a: nn.LayerNorm(1)(a()),
        "LayerNorm empty shape": lambda nn, a: nn.LayerNorm(())(a(2, 3)),
        "RMSNorm wrong size": lambda nn, a: nn.RMSNorm(4)(a(2, 3)),
        "RMSNorm two sizes": lambda nn, a: nn.RMSNorm((4, 5))(a(2, 3)),
        "RMSNorm empty shape": lambda nn, a: nn.RMSNorm(())(a(2, 3)),
        "LocalResponseNorm rank 2": lambda nn, a: nn.LocalResponseNorm(2)(a(2, 3)),
        "LocalResponseNorm no window": lambda nn, a: nn.LocalResponseNorm(0)(a(2, 3, 4)),
        "LocalResponseNorm no window, images": lambda nn, a: nn.LocalResponseNorm(0)(a(2, 3, 4, 4)),
        "negative features": lambda nn, a: nn.BatchNorm1d(-1),
        "fractional features": lambda nn, a: nn.BatchNorm1d(3.0),
        "negative shape": lambda nn, a: nn.LayerNorm((2, -1)),
        "fractional shape": lambda nn, a: nn.LayerNorm([3.0]),
        "train(1)": lambda nn, a: nn.LayerNorm(3).train(1),
        "no dict": lambda nn, a: nn.BatchNorm1d(3).load_state_dict([1]),
    }
    yield from (error_case(name, call) for name, call in calls.items())


def _functional_errors() -> Iterator[Case]:
    calls: dict[str, Callable[..., Any]] = {
        "batch_norm no statistics": lambda f, a: f.batch_norm(a(4, 3), None, None),
        "batch_norm mean only": lambda f, a: f.batch_norm(a(4, 3), a(3), None),
        "batch_norm variance only": lambda f, a: f.batch_norm(a(4, 3), None, a(3)),
        "batch_norm mean only, training": lambda f, a: f.batch_norm(
            a(4, 3), a(3), None, training=True
        ),
        "batch_norm long mean": lambda f, a: f.batch_norm(a(4, 3), a(4), a(3), a(5), a(6)),
        "batch_norm long variance": lambda f, a: f.batch_norm(a(4, 3), a(3), a(4), a(5), a(6)),
        "batch_norm long weight": lambda f, a: f.batch_norm(a(4, 3), a(3), a(3), a(5), a(6)),
        "batch_norm long bias": lambda f, a: f.batch_norm(a(4, 3), a(3), a(3), None, a(6)),
        "batch_norm rank 1": lambda f, a: f.batch_norm(a(3), None, None, training=True),
        "batch_norm eps 0": lambda f, a: f.batch_norm(a(4, 3), a(3), a(3), training=True, eps=0),
        "batch_norm eps < 0": lambda f, a: f.batch_norm(a(4, 3), a(3), a(3), eps=-1.0),
        "batch_norm int64": lambda f, a: f.batch_norm(a(4, 3, dtype="int64"), a(3), a(3)),
        "batch_norm bool": lambda f, a: f.batch_norm(a(4, 3, dtype="bool"), a(3), a(3)),
        "batch_norm complex": lambda f, a: f.batch_norm(a(4, 3, dtype="complex64"), a(3), a(3)),
        "batch_norm float64": lambda f, a: f.batch_norm(a(4, 3, dtype="float64"), a(3), a(3)),
        "instance_norm one value": lambda f, a: f.instance_norm(a(2, 3)),
        "instance_norm no statistics": lambda f, a: f.instance_norm(
            a(2, 3, 4), use_input_stats=False
        ),
        "instance_norm mean only": lambda f, a: f.instance_norm(a(2, 3, 4), a(3)),
        "instance_norm long mean": lambda f, a: f.instance_norm(a(2, 3, 4), a(4), a(4)),
        "instance_norm long weight": lambda f, a: f.instance_norm(a(2, 3, 4), weight=a(4)),
        "instance_norm empty batch": lambda f, a: f.instance_norm(a(0, 3, 4), weight=a(3)),
        "instance_norm int32": lambda f, a: f.instance_norm(a(2, 3, 4, dtype="int32")),
        "group_norm rank 1": lambda f, a: f.group_norm(a(3), 1),
        "group_norm no groups": lambda f, a: f.group_norm(a(2, 6, 3), 0),
        "group_norm groups < 0": lambda f, a: f.group_norm(a(2, 6, 3), -1),
        "group_norm fractional": lambda f, a: f.group_norm(a(2, 6, 3), 1.5),
        "group_norm bool": lambda f, a: f.group_norm(a(2, 6, 3), True),
        "group_norm indivisible": lambda f, a: f.group_norm(a(2, 6, 3), 4),
        "group_norm one value": lambda f, a: f.group_norm(a(1, 6), 4),
        "group_norm weight shape": lambda f, a: f.group_norm(a(2, 6, 3), 3, a(1, 6)),
        "group_norm bias shape": lambda f, a: f.group_norm(a(2, 6, 3), 3, a(6), a(3)),
        "group_norm int64": lambda f, a: f.group_norm(a(2, 6, 3, dtype="int64"), 3),
        "group_norm float64": lambda f, a: f.group_norm(a(2, 6, 3, dtype="float64"), 3, a(6)),
        "layer_norm int shape": lambda f, a: f.layer_norm(a(2, 3), 3),
        "layer_norm fractional shape": lambda f, a: f.layer_norm(a(2, 3), (3.0,)),
        "layer_norm weight shape": lambda f, a: f.layer_norm(a(2, 3), (3,), a(2)),
        "layer_norm bias shape": lambda f, a: f.layer_norm(a(2, 3), (3,), a(3), a(1, 3)),
        "layer_norm int16": lambda f, a: f.layer_norm(a(2, 3, dtype="int16"), (3,)),
        "layer_norm int64, weight": lambda f, a: f.layer_norm(a(2, 3, dtype="int64"), (3,), a(3)),
        "layer_norm float64": lambda f, a: f.layer_norm(a(2, 3, dtype="float64"), (3,), a(3)),
        "rms_norm int shape": lambda f, a: f.rms_norm(a(2, 3), 3),
        "rms_norm weight shape": lambda f, a: f.rms_norm(a(2, 3), (3,), a(2)),
        "rms_norm scalar": lambda f, a: f.rms_norm(a(), (1,)),
        "rms_norm uint8": lambda f, a: f.rms_norm(a(2, 3, dtype="uint8"), (3,)),
        "local_response_norm bool": lambda f, a: f.local_response_norm(a(2, 3, 4, dtype="bool"), 2),
        "local_response_norm float16": lambda f, a: f.local_response_norm(
            a(2, 3, 4, 4, dtype="float16"), 2
        ),
        "normalize vector": lambda f, a: f.normalize(a(3)),
        "normalize axis -3": lambda f, a: f.normalize(a(2, 3), dim=-3),
        "normalize axis 5": lambda f, a: f.normalize(a(2, 3, 4), dim=(0, 5)),
        "normalize twice": lambda f, a: f.normalize(a(2, 3), dim=(0, -2)),
        "normalize int64": lambda f, a: f.normalize(a(2, 3, dtype="int64")),
        "normalize empty, inf": lambda f, a: f.normalize(a(3, 0), p=float("inf")),
        "normalize empty, -1": lambda f, a: f.normalize(a(3, 0), p=-1),
    }
    for name, call in calls.items():
        yield error_case(name, lambda nn, a, call=call: call(nn.functional, a))


def _dtype_errors() -> Iterator[Case]:
    """Every mixture of three dtypes, some allowed and most not."""
    dtypes = ("float16", "float32", "float64")
    for x, weight, rest in itertools.product(dtypes, dtypes, (None, *dtypes)):

        def mixed(nn: Any, a: Any, name: str, x: str = x, weight: str = weight, rest=rest) -> Any:
            other = None if rest is None else a(3, dtype=rest)
            w, array = a(3, dtype=weight), a(2, 3, 3, dtype=x)
            calls = {
                "batch": lambda f: f.batch_norm(array, other, other, w, other, training=True),
                "instance": lambda f: f.instance_norm(array, other, other, w, None),
                "group": lambda f: f.group_norm(array, 3, w, other),
                "layer": lambda f: f.layer_norm(array, (3,), w, other),
                "rms": lambda f: f.rms_norm(array, (3,), w),
            }
            return calls[name](nn.functional)

        for norm in ("batch", "instance", "group", "layer", "rms"):
            name = f"dtypes {norm} {x} {weight} {rest}"
            yield error_case(name, functools.partial(mixed, name=norm))


ERRORS = [*_shape_errors(), *_functional_errors(), *_dtype_errors()]


def _told_cases() -> Iterator[Case]:
    """Norms that are told their scale and shift, as torch's functions would write them."""
    torch_f = torch.nn.functional

    def film(input: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
        lined_up = (*gamma.shape, *(1,) * (input.ndim - 2))
        return gamma.view(lined_up) * input + beta.view(lined_up)

    def ada(input: torch.Tensor, condition: Any, weight: Any, bias: Any) -> torch.Tensor:
        told = torch_f.linear(condition, weight, bias)
        shift, scale = told.view(len(input), *(1,) * (input.ndim - 2), -1).chunk(2, dim=-1)
        return torch_f.layer_norm(input, input.shape[-1:], eps=0.1) * (1 + scale) + shift

    for shape in ((4, 3), (2, 3, 5), (3, 3, 2, 4)):  # 3 and 3: an axis too early would not raise
        generator = rng("film", shape)
        arrays = {"input": generator.normal(size=shape)}
        arrays |= {k: generator.normal(size=shape[:2]) for k in ("gamma", "beta")}
        yield function_case(
            f"conditional.film {shape}",
            arrays,
            lambda nn, **a: nn.conditional.film(**a),
            lambda nn, *a: nn.conditional.film_backward(*a),
            film,
        )
    for shape in ((4, 3), (5, 5, 5), (2, 3, 4, 5)):
        generator = rng("ada_layer_norm", shape)
        samples, features, known = shape[0], shape[-1], 3
        arrays = {
            "input": generator.normal(2, 1, size=shape),
            "condition": generator.normal(size=(samples, known)),
            "weight": generator.normal(size=(2 * features, known)),
            "bias": generator.normal(size=2 * features),
        }
        yield function_case(
            f"conditional.ada_layer_norm {shape}",
            arrays,
            lambda nn, **a: nn.conditional.ada_layer_norm(**a, eps=0.1),
            lambda nn, *a: nn.conditional.ada_layer_norm_backward(*a, eps=0.1),
            ada,
        )


def cases() -> list[Case]:
    """Return the battery."""
    groups = (
        _batch_cases(),
        _instance_cases(),
        _group_cases(),
        _layer_cases(),
        _response_cases(),
        _dtype_cases(),
        _function_cases(),
        _told_cases(),
        _other_cases(),
    )
    right = [case for group in groups for case in group]
    if not NORMS_TAKE_BIAS:
        right = [case for case in right if "'bias'" not in case.name or "Layer" in case.name]
    return [*right, *(ERRORS if TEXTS_ARE_KNOWN else [])]


CASES = cases()
