"""Any shape, any options, any layout: hypothesis asks, torch answers."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from releases import GROUP_NORM_IS_MENDED, NORMS_TAKE_BIAS, TEXTS_ARE_KNOWN, what_it_takes
from torch_oracle import (
    Case,
    array_difference,
    difference,
    examples,
    layer_case,
    normalize_case,
    outcome,
    rng,
    sync_case,
    tensor,
    weight_norm_case,
)

from normlab import nn

# A gradient is a difference of terms of about this size, also where little of them is left.
FLOOR = {"floor": 1.0, "reason": "the terms of the gradient are of size 1"}
EPS = st.sampled_from([1e-5, 1e-3, 0.1, 10.0])
SIZE = st.integers(1, 5)
MODES = st.lists(st.booleans(), min_size=1, max_size=3).map(tuple)
LAYOUT = st.sampled_from(["normal", "normal", "fortran", "strided", "reversed", "tiny"])
MOMENTUM = st.sampled_from([0.1, 1.0, 0.0, 0.37, None])


@st.composite
def batch_norms(draw: st.DrawFn) -> Case:
    spatial = draw(st.integers(0, 3))
    layer = f"BatchNorm{max(1, spatial)}d"
    channels = draw(SIZE)
    shape = (draw(SIZE), channels, *(draw(SIZE) for _ in range(spatial)))
    return layer_case(layer, channels, shape=shape, **draw(tracking_options()))


@st.composite
def instance_norms(draw: st.DrawFn) -> Case:
    spatial = draw(st.integers(1, 3))
    channels = draw(SIZE)
    batch = (draw(SIZE),) if draw(st.booleans()) else ()
    shape = (*batch, channels, *(draw(SIZE) for _ in range(spatial)))
    return layer_case(f"InstanceNorm{spatial}d", channels, shape=shape, **draw(tracking_options()))


@st.composite
def tracking_options(draw: st.DrawFn) -> dict[str, Any]:
    options = {"eps": draw(EPS), "momentum": draw(MOMENTUM), "modes": draw(MODES)}
    for name in ("affine", "track_running_stats", "bias"):
        options[name] = draw(st.booleans())
    return what_it_takes(options) | {"kind": draw(LAYOUT), **FLOOR}


@st.composite
def group_norms(draw: st.DrawFn) -> Case:
    groups = draw(SIZE)
    channels = groups * draw(st.integers(1, 3))
    shape = (draw(SIZE), channels, *draw(st.lists(SIZE, max_size=3)))
    options = {"affine": draw(st.booleans()), "bias": draw(st.booleans()), "eps": draw(EPS)}
    return layer_case(
        "GroupNorm",
        groups,
        channels,
        shape=shape,
        kind=draw(LAYOUT),
        **what_it_takes(options),
        **FLOOR,
    )


@st.composite
def layer_norms(draw: st.DrawFn) -> Case:
    normalized = tuple(draw(st.lists(SIZE, min_size=1, max_size=3)))
    shape = (*draw(st.lists(SIZE, max_size=3)), *normalized)
    options: dict[str, Any] = {"elementwise_affine": draw(st.booleans())}
    layer = draw(st.sampled_from(["LayerNorm", "RMSNorm"]))
    options["eps"] = draw(EPS if layer == "LayerNorm" else st.none() | EPS)
    if layer == "LayerNorm":
        options["bias"] = draw(st.booleans())
    normalized_shape = normalized[0] if len(normalized) == 1 else normalized
    kind = draw(LAYOUT)
    return layer_case(layer, normalized_shape, shape=shape, kind=kind, **options, **FLOOR)


@st.composite
def response_norms(draw: st.DrawFn) -> Case:
    shape = (draw(SIZE), draw(st.integers(1, 8)), *draw(st.lists(SIZE, min_size=1, max_size=2)))
    options = {"alpha": draw(EPS), "beta": draw(st.sampled_from([0.5, 0.75, 1.0, 2.0]))}
    options["k"] = draw(st.sampled_from([0.5, 1.0, 2.0]))
    size = draw(st.integers(1, 9))
    return layer_case("LocalResponseNorm", size, shape=shape, kind=draw(LAYOUT), **options)


@given(batch_norms())
@examples(200)
def test_batch_norm(case):
    assert difference(case, nn) is None


@given(instance_norms())
@examples(200)
def test_instance_norm(case):
    assert difference(case, nn) is None


@given(group_norms())
@examples(150)
def test_group_norm(case):
    assert difference(case, nn) is None


@given(layer_norms())
@examples(200)
def test_layer_norm_and_rms_norm(case):
    assert difference(case, nn) is None


@given(response_norms())
@examples(100)
def test_local_response_norm(case):
    assert difference(case, nn) is None


@given(
    st.lists(SIZE, min_size=1, max_size=4).map(tuple),
    st.sampled_from([0, 0.5, 1, 1.3, 2, 2.5, 3, float("inf"), float("-inf"), -1]),
    st.sampled_from([1e-12, 0.5, 2.0]),
    LAYOUT,
    st.data(),
)
@examples(150)
def test_normalize(shape, p, eps, kind, data):
    axis = st.integers(-len(shape), len(shape) - 1)
    several = st.lists(
        st.integers(0, len(shape) - 1), min_size=1, max_size=len(shape), unique=True
    ).map(tuple)
    case = normalize_case(shape, p, data.draw(axis | several), eps, kind)
    # A vector of one value, or of values that cancel, has a gradient of 0 made of such terms.
    scale = 1e4 if kind == "tiny" else 10.0
    assert difference(case._replace(floor=scale, reason="as FLOOR"), nn) is None


@given(st.lists(SIZE, min_size=1, max_size=4).map(tuple), st.data())
@examples(50)
def test_weight_norm(shape, data):
    dim = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    assert difference(weight_norm_case(shape, dim)._replace(floor=1.0), nn) is None


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=5).filter(lambda sizes: sum(sizes) > 1),
    st.lists(SIZE, min_size=1, max_size=3),
    st.booleans(),
)
@examples(60)
def test_synchronized_batch_norm(sizes, trailing, affine):
    case = sync_case(tuple(sizes), tuple(trailing), affine=affine)
    assert difference(case._replace(floor=1.0), nn) is None


# --- any call at all ----------------------------------------------------------------------------

LAYERS = [
    *(f"{norm}{rank}d" for norm in ("BatchNorm", "InstanceNorm") for rank in (1, 2, 3)),
    "GroupNorm",
    "LayerNorm",
    "RMSNorm",
    "LocalResponseNorm",
]
DTYPES = ("float16", "float32", "float64", "int64")


@st.composite
def any_calls(draw: st.DrawFn) -> tuple:
    """Draw a layer with some arguments, and an input that may or may not fit it."""
    layer = draw(st.sampled_from(LAYERS))
    size = st.integers(0, 4)
    if layer == "GroupNorm":
        args = (draw(st.integers(0, 4)), draw(size))
    elif layer in ("LayerNorm", "RMSNorm"):
        args = (draw(size | st.lists(size, max_size=2).map(tuple)),)
    else:
        args = (draw(size),)
    options: dict[str, Any] = {}
    if "Norm" in layer and layer[-1] == "d":
        for name in ("affine", "track_running_stats", "bias"):
            options[name] = draw(st.booleans())
    shape = tuple(draw(st.lists(size, max_size=5)))
    dtypes = draw(st.sampled_from(DTYPES[:3])), draw(st.sampled_from(DTYPES))
    return layer, args, options, shape, dtypes, draw(st.booleans())


def call(package: Any, make: Any, given: tuple) -> dict[str, Any]:
    layer, args, options, shape, (dtype, input_dtype), training = given
    if layer != "LocalResponseNorm":
        dtype = np.dtype(dtype) if package is nn else getattr(torch, dtype)
        options = options | {"dtype": dtype}
    twin = getattr(package, layer)(*args, **options).train(training)
    y = twin(make(rng(shape).normal(0.5, 2.0, shape).astype(input_dtype)))
    y = y.detach().numpy() if package is torch.nn else y
    return {"repr": repr(twin), "output": y}


def channel_axis(layer: str, shape: tuple[int, ...]) -> int:
    unbatched = layer.startswith("InstanceNorm") and len(shape) == int(layer[-2]) + 1
    return 0 if unbatched or len(shape) < 2 else 1


@pytest.mark.skipif(not TEXTS_ARE_KNOWN, reason="the texts of this release were not collected")
@given(any_calls())
@examples(500)
@example(("GroupNorm", (2, 4), {}, (3, 4), ("float32", "float32"), True))
def test_any_call_ends_as_in_torch(given):
    layer, args, _, shape, dtypes, _ = given
    # Of an empty input torch's instance norm checks neither the number of channels nor the dtype.
    wrong = args[:1] != shape[channel_axis(layer, shape) :][:1] or dtypes[1] == "int64"
    assume(0 not in shape or not layer.startswith("InstanceNorm") or not wrong)
    assume(0 not in shape[1:] or layer != "GroupNorm" or not GROUP_NORM_IS_MENDED)
    # torch rounds the window means of integers; ours refuses integers.
    assume(layer != "LocalResponseNorm" or dtypes[1] != "int64")
    theirs = outcome(lambda: call(torch.nn, tensor, given))
    ours = outcome(lambda: call(nn, np.asarray, given))
    assert ours.get("error") == theirs.get("error")
    assert ours.get("repr") == theirs.get("repr")
    if "output" in theirs:
        # One or two values per statistic may be nearly the same: rounding times 1 / sqrt(eps).
        tolerance = {"float16": 0.5, "float32": 1e-4, "float64": 1e-12}.get(dtypes[1], 0)
        assert not array_difference(ours["output"], theirs["output"], tolerance, floor=1.0)


# --- state --------------------------------------------------------------------------------------


@pytest.mark.skipif(not NORMS_TAKE_BIAS, reason="this release has no bias= here")
@given(
    st.sampled_from(["BatchNorm2d", "InstanceNorm2d"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sets(st.sampled_from(["weight", "bias", "running_var", "num_batches_tracked"])),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
@examples(100)
def test_load_state_dict(layer, affine, tracking, bias, dropped, extra, plain, strict):
    """Load states that fit, that lack keys, that have one too many, with and without a version."""

    def load(package: Any, wrap: Any) -> dict[str, Any]:
        twin = getattr(package, layer)(
            3, affine=affine, track_running_stats=tracking, bias=bias, dtype=wrap(0.0).dtype
        )
        source = getattr(torch.nn, layer)(3, affine=True, track_running_stats=tracking)
        state = source.state_dict()
        for key in dropped & set(state):
            del state[key]
        if extra:
            state["extra"] = torch.ones(2)
            state["running_mean"] = torch.ones(4)
        result = twin.load_state_dict(dict(state) if plain else state, strict=strict)
        loaded = {key: np.asarray(value) for key, value in twin.state_dict().items()}
        return {"result": str(result)} | loaded

    theirs = outcome(lambda: load(torch.nn, lambda x: torch.tensor(x, dtype=torch.float64)))
    ours = outcome(lambda: load(nn, np.float64))
    np.testing.assert_equal(ours, theirs)


def test_a_state_goes_from_either_side_to_the_other():
    theirs = torch.nn.BatchNorm1d(3)
    theirs(torch.randn(5, 3))
    ours = nn.BatchNorm1d(3)
    assert str(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
    back = torch.nn.BatchNorm1d(3)
    back.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    for key, value in theirs.state_dict().items():
        assert torch.equal(value, back.state_dict()[key])


def test_loading_copies():
    arrays = nn.LayerNorm(3).state_dict()
    layer = nn.LayerNorm(3)
    layer.load_state_dict(arrays)
    layer.weight += 1
    assert (arrays["weight"] == 1).all()


def test_integers_for_local_response_norm_are_refused():
    with pytest.raises(NotImplementedError, match="not implemented for 'Long'"):
        nn.LocalResponseNorm(2)(np.ones((1, 3, 2), np.int64))


@pytest.mark.parametrize("shape", [(2, 5, 4), (5, 4)])
def test_wrong_channels_without_weight_only_warn(shape):
    texts = []
    for twin, x in ((torch.nn, torch.randn(shape)), (nn, np.ones(shape, np.float32))):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            twin.InstanceNorm1d(3)(x)
        texts.append([(w.category, str(w.message)) for w in caught])
    assert texts[0] == texts[1]
    assert len(texts[0]) == 1
