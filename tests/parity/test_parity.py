"""The comparison itself: it must see every kind of difference."""

import numpy as np
import pytest
import torch

from normlab import nn, parity


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(2, 3, (5, 3))


def verdicts(table):
    return {row.name: row.equal for row in table.rows}


def test_twins_agree_in_everything(x):
    table = parity.compare(*parity.pair("BatchNorm1d", 3), x)
    assert table.equal
    assert list(verdicts(table)) == [
        "output",
        "grad of input",
        "grad of weight",
        "grad of bias",
        "running_mean",
        "running_var",
        "num_batches_tracked",
    ]


def test_a_twin_that_torch_has_no_layer_for_is_held_against_a_few_lines_of_torch():
    x = np.random.default_rng(0).normal(2, 3, (5, 4, 6))
    twin, layer = parity.pair("QKNorm", 3, 2)
    assert parity.compare(twin, layer, x).equal
    whole = nn.QKNorm(1, 6, dtype=np.float64)  # one root mean square for all heads
    whole.weight = np.tile(twin.weight, 3)
    assert not verdicts(parity.compare(whole, layer, x))["output"]


def test_no_weight_is_one_and_no_bias_zero():
    twin, layer = parity.pair("BatchNorm2d", 7)
    for name, tensor in layer.state_dict().items():
        if name != "num_batches_tracked":
            assert not np.isin(tensor.numpy(), [0, 1]).any()
            np.testing.assert_array_equal(getattr(twin, name), tensor.numpy())


def test_the_input_is_left_alone(x):
    before = x.copy()
    parity.compare(*parity.pair("BatchNorm1d", 3), x)
    np.testing.assert_array_equal(x, before)


def test_a_second_comparison_starts_from_zero_gradients(x):
    twin, layer = parity.pair("BatchNorm1d", 3)
    assert parity.compare(twin, layer, x).equal
    assert parity.compare(twin, layer, x).equal


@pytest.mark.parametrize(
    ("spoil", "seen"),
    [
        (lambda twin: setattr(twin, "eps", 1e-3), {"output", "grad of input", "grad of weight"}),
        (lambda twin: setattr(twin, "momentum", 0.2), {"running_mean", "running_var"}),
        (lambda twin: setattr(twin, "bias", twin.bias + 1e-9), {"output"}),
        (
            lambda twin: setattr(twin, "num_batches_tracked", twin.num_batches_tracked + 1),
            {"num_batches_tracked"},
        ),
    ],
)
def test_a_planted_difference_is_seen_where_it_is(x, spoil, seen):
    twin, layer = parity.pair("BatchNorm1d", 3)
    spoil(twin)
    table = parity.compare(twin, layer, x)
    assert not table.equal
    assert {name for name, equal in verdicts(table).items() if not equal} == seen
    assert "DIFFERS" in str(table)


def test_a_backward_pass_that_treats_the_mean_as_a_constant_is_seen(x):
    class NoMeanPath(nn.BatchNorm1d):
        def backward(self, grad_output):
            grad = super().backward(grad_output)
            return grad + grad_output.mean(axis=0)

    _, layer = parity.pair("BatchNorm1d", 3)
    twin = NoMeanPath(3, dtype=np.float64)
    twin.load_state_dict(layer.state_dict())
    table = parity.compare(twin, layer, x)
    assert {name for name, equal in verdicts(table).items() if not equal} == {"grad of input"}


def test_different_shapes_types_and_missing_parts_are_seen(x):
    row = parity.Row.of_arrays
    assert row("a", np.zeros((2, 1)), np.zeros(2), 1e-12).verdict == "SHAPE is (2, 1)"
    assert row("a", np.zeros(2, "f4"), np.zeros(2), 1e-12).verdict == "TYPE is float32, not float64"
    assert row("a", None, np.zeros(2), 1e-12).verdict == "MISSING in the twin"
    assert row("a", np.zeros(2), None, 1e-12).verdict == "MISSING in torch"


def test_nan_and_infinity_must_be_in_the_same_places():
    theirs = np.array([1, np.nan, np.inf])
    assert parity.Row.of_arrays("a", theirs.copy(), theirs, 1e-12).equal
    for ours in ([1, np.nan, -np.inf], [np.nan, 1, np.inf], [1, np.nan, 1e300], [1, 2, np.inf]):
        assert not parity.Row.of_arrays("a", np.array(ours), theirs, 1e-12).equal
    assert not parity.Row.of_arrays("a", np.array([2, np.nan, np.inf]), theirs, 1e-12).equal


def test_a_value_where_torch_has_only_zeros_differs():
    row = parity.Row.of_arrays("a", np.array([0, 1e-9]), np.zeros(2), 1e-12)
    assert row.relative == np.inf
    assert not row.equal


def test_errors_are_compared_by_type_and_text(x):
    pair = parity.pair("BatchNorm1d", 3)
    table = parity.compare(*pair, x[:1])
    assert table.equal
    assert "both raise ValueError('Expected more than 1 value per channel" in str(table)
    twin, layer = parity.pair("BatchNorm1d", 3)
    twin.eval()  # now only torch raises
    table = parity.compare(twin, layer, x[:1])
    assert not table.equal
    assert "ours None, torch ValueError" in str(table)


def test_cases_show_the_worst_of_each(x):
    good, bad = parity.pair("BatchNorm1d", 3), parity.pair("BatchNorm1d", 3)
    bad[0].momentum = 0.5
    table = parity.compare_cases({"good": (*good, x), "bad": (*bad, x)})
    assert not table.equal
    good_line, bad_line = str(table).splitlines()[1:]
    assert good_line.startswith("good")
    assert good_line.endswith("equal")
    assert "running_" in bad_line
    assert bad_line.endswith("DIFFERS")


def test_the_table_is_html_in_a_notebook_and_text_elsewhere(x):
    table = parity.compare(*parity.pair("BatchNorm1d", 3), x)
    assert "grad of weight" in str(table)
    assert '<th scope="row"' in table._repr_html_()
    table.title = "<script>"
    assert "<script>" not in table._repr_html_()


def test_a_given_gradient_is_used(x):
    twin, layer = parity.pair("BatchNorm1d", 3)
    table = parity.compare(twin, layer, x, np.ones((5, 3)), tolerance=np.inf)
    assert table.equal
    np.testing.assert_allclose(twin.grads["bias"], 5)
    np.testing.assert_allclose(layer.bias.grad, torch.full((3,), 5.0, dtype=torch.float64))


TWIN, LAYER = parity.pair("BatchNorm1d", 3)


@pytest.mark.parametrize(
    ("x", "advice"),
    [
        (torch.ones(5, 3), "got torch.Tensor: give x.detach().cpu().double().numpy()."),
        (np.ones((5, 3), dtype=int), "got numpy.ndarray of int64: give np.asarray(x, dtype="),
        (np.ones((5, 3), dtype=">f8"), "got numpy.ndarray of >f8: give np.asarray(x, dtype="),
        (np.ones((5, 3), dtype=bool), "got numpy.ndarray of bool: give"),
        (np.ones((5, 3), dtype=complex), "got numpy.ndarray of complex128: give"),
        ([[1.0, 2.0, 3.0]], "got list: give np.asarray(x, dtype=np.float64)."),
        (None, "got NoneType: give an array such as"),
        (3.0, "got float: give an array such as"),
    ],
    ids=["tensor", "whole", "big-endian", "bool", "complex", "list", "None", "a number"],
)
@pytest.mark.parametrize("tolerance", [None, 1e-6])
def test_what_is_no_array_of_floating_point_numbers_is_refused_in_one_sentence(
    x, advice, tolerance
):
    with pytest.raises(TypeError) as caught:
        parity.compare(TWIN, LAYER, x, tolerance=tolerance)
    assert str(caught.value).startswith(
        "x must be a NumPy array of float64 or float32 or float16, "
    )
    assert advice in str(caught.value)


def test_a_gradient_that_is_no_array_is_refused_like_an_input(x):
    with pytest.raises(TypeError, match="dy must be a NumPy array .* got torch.Tensor: give dy.de"):
        parity.compare(TWIN, LAYER, x, torch.ones(5, 3))


@pytest.mark.parametrize(
    "layers",
    [(LAYER, TWIN), (TWIN, TWIN), (LAYER, LAYER), (np.ones(3), LAYER), (type(TWIN), LAYER)],
    ids=["swapped", "two twins", "two of torch", "an array", "a class"],
)
def test_layers_that_are_no_twin_and_its_torch_layer_are_refused(x, layers):
    with pytest.raises(TypeError, match=r"a NumPy twin of normlab.nn and then a layer of torch.nn"):
        parity.compare(*layers, x)


TWO_NUMBERS = {
    "BatchNorm1d": ((3,), (2, 3)),
    "LayerNorm": ((2,), (4, 2)),
    "GroupNorm": ((2, 4), (5, 4)),
    "InstanceNorm1d": ((3,), (2, 3, 2)),
}
ONE_NUMBER = {
    "LayerNorm": ((1,), (4, 1)),
    "GroupNorm": ((4, 4), (5, 4)),
    "RMSNorm": ((1,), (4, 1)),
}
CONSTANT = {
    "BatchNorm1d": ((3,), (6, 3)),
    "InstanceNorm2d": ((3,), (6, 3, 4, 4)),
    "LayerNorm": ((6,), (6, 6)),
}
each_dtype = pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])


@each_dtype
@pytest.mark.parametrize(
    ("name", "args", "shape", "spread"),
    [(name, *case, 1) for cases in (TWO_NUMBERS, ONE_NUMBER) for name, case in cases.items()]
    + [(name, *case, 0) for name, case in CONSTANT.items()],
)
def test_rounding_is_no_difference_where_nothing_else_is_left(name, args, shape, spread, dtype):
    for seed in range(50):
        x = 7 + spread * np.random.default_rng(seed).normal(-7, 1, shape)
        table = parity.compare(*parity.pair(name, *args, dtype=dtype, seed=seed), x.astype(dtype))
        assert table.equal, table


@pytest.mark.parametrize("spoil", [0, 1.001, 2], ids=["none", "a thousandth more", "twice"])
@pytest.mark.parametrize(("name", "case"), TWO_NUMBERS.items())
def test_a_gradient_that_is_almost_0_is_still_compared(name, case, spoil):
    args, shape = case
    twin, layer = parity.pair(name, *args)
    right = twin.backward
    twin.backward = lambda grad_output: right(grad_output) * spoil
    table = parity.compare(twin, layer, np.random.default_rng(0).normal(size=shape))
    assert not verdicts(table)["grad of input"]


def test_what_is_equal_but_for_rounding_says_so(x):
    table = parity.compare(*parity.pair("BatchNorm1d", 3), np.float64([[0.1, 1, 2], [1, 3, 7]]))
    assert table.equal
    assert table.worst.verdict == "equal, but for rounding"
    assert table.worst.relative > table.tolerance
    assert "but for rounding" not in str(parity.compare(*parity.pair("BatchNorm1d", 3), x))
