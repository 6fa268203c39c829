"""`functional.batch_norm` on inputs of one axis, of none, and without numbers, beside torch's.

Every mixture of a few shapes with right, wrong and missing statistics and parameters: values,
dtypes, buffers and, where torch refuses, its exception and text, in the order in which it looks.
"""

import itertools

import numpy as np
import pytest
import torch

from normlab.nn import functional as F  # noqa: N812

SHAPES = [(), (1,), (3,), (4,), (0,), (0, 3), (3, 0), (0, 0), (1, 0), (0, 1), (0, 3, 4), (2, 0, 4)]
STATISTICS = [(None, None), (3, 3), (0, 0), (4, 4), (3, None), (None, 3)]
PARAMETERS = [(None, None), (3, 3), (0, 0), (4, 4), (3, None), (None, 3), (0, None)]
TYPES = [
    ("float64", "float64"),
    ("float16", "float32"),
    ("float32", "float64"),
    ("int64", "float32"),
    ("bool", "float64"),
]


def outcome(run, *arrays):
    try:
        results = run(), *(array for array in arrays if array is not None)
    except Exception as error:
        return type(error), str(error).partition("\n")[0]
    return [np.asarray(result) for result in results]


def same(ours, theirs):
    if not isinstance(theirs, list) or not isinstance(ours, list):
        return ours == theirs
    return all(
        one.dtype == other.dtype and np.array_equal(one, other)
        for one, other in zip(ours, theirs, strict=True)
    )


def scalar_without_channels(shape, training, lengths):
    """Where torch counts -1 channels: see `test_known_differences.py`."""
    return shape == () and not training and lengths[:2] == (0, 0) and not any(lengths[2:])


@pytest.mark.parametrize("types", TYPES, ids=" and ".join)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_of_no_channels_and_of_no_numbers(shape, training, types):
    dtype, of_vectors = types
    x = (np.random.default_rng(0).normal(size=shape) * 3).astype(dtype)
    for lengths in map(sum, itertools.product(STATISTICS, PARAMETERS), itertools.repeat(())):
        if scalar_without_channels(shape, training, lengths):
            continue
        ours = [None if n is None else np.full(n, 2, of_vectors) for n in lengths]
        theirs = [None if v is None else torch.tensor(v) for v in ours]
        found = outcome(lambda o=ours: F.batch_norm(x, *o, training=training), *ours)
        expected = outcome(
            lambda t=theirs: torch.nn.functional.batch_norm(torch.tensor(x), *t, training=training),
            *theirs,
        )
        assert same(found, expected), (lengths, found, expected)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 4), (3, 0)], ids=str)
def test_no_numbers_have_no_gradient(shape):
    weight, bias = np.ones(5), np.ones(2)
    grads = F.batch_norm_backward(np.empty(shape), np.empty(shape), None, None, weight, bias, True)
    x = torch.empty(shape, dtype=torch.float64, requires_grad=True)
    theirs = [torch.ones(5).double().requires_grad_(), torch.ones(2).double().requires_grad_()]
    torch.nn.functional.batch_norm(x, None, None, *theirs, training=True).sum().backward()
    for ours, their in zip(grads, [x, *theirs], strict=True):
        np.testing.assert_array_equal(ours, their.grad.numpy())


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 3), (4, 3), (300, 3), (2, 2, 5)], ids=str)
def test_one_infinite_value_in_a_batch(shape, dtype, value):
    x = np.random.default_rng(0).normal(0.5, 2, shape).astype(dtype)
    x[1, 1] = value
    ours = [np.zeros(shape[1], dtype), np.ones(shape[1], dtype)]
    theirs = [torch.tensor(statistic) for statistic in ours]
    y = F.batch_norm(x, *ours, training=True)
    expected = torch.nn.functional.batch_norm(torch.tensor(x), *theirs, training=True)
    for one, other in zip([y, *ours], [expected, *theirs], strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-4, atol=1e-5)
