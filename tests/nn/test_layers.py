"""What a layer does beside its arithmetic: modes, counters, attributes and arguments."""

import numpy as np
import pytest
import torch

from normlab import nn

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def test_a_batch_is_counted_before_it_is_refused():
    for twin, one in ((torch.nn.BatchNorm1d(3), torch.ones(1, 3)), (nn.BatchNorm1d(3), X[:1])):
        with pytest.raises(ValueError, match="Expected more than 1 value"):
            twin(one)
        assert twin.num_batches_tracked == 1


def test_statistics_removed_by_hand():
    """In evaluation the batch's own statistics then stand in for them, as in torch."""
    theirs, ours = torch.nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    for twin in (theirs, ours):
        twin.running_mean = twin.running_var = None
    for mode in (True, False):
        expected = theirs.train(mode)(torch.as_tensor(X)).detach()
        np.testing.assert_allclose(ours.train(mode)(X), expected, rtol=1e-5, atol=1e-6)
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_one_statistic_removed_by_hand():
    texts = []
    for twin, x in ((torch.nn.BatchNorm1d(3), torch.as_tensor(X)), (nn.BatchNorm1d(3), X)):
        twin.running_mean = None
        for mode in (True, False):
            with pytest.raises((ValueError, RuntimeError)) as caught:
                twin.train(mode)(x)
            texts.append((caught.type, str(caught.value)))
    assert texts[:2] == texts[2:]


def test_momentum_of_2_is_taken_at_its_word():
    theirs, ours = torch.nn.BatchNorm1d(3, momentum=2.0), nn.BatchNorm1d(3, momentum=2.0)
    theirs(torch.as_tensor(X))
    ours(X)
    np.testing.assert_allclose(ours.running_var, theirs.running_var, rtol=1e-5)


def test_parameters_can_be_assigned():
    layer = nn.LayerNorm(3)
    layer.weight, layer.bias = np.full(3, 2, np.float32), None
    np.testing.assert_allclose(layer(X), 2 * nn.LayerNorm(3)(X), rtol=1e-6)
    assert list(layer.state_dict()) == ["weight"]
    layer.backward(X)
    assert list(layer.grads) == ["weight"]


def test_buffers_are_updated_in_place():
    layer = nn.BatchNorm1d(3)
    mean = layer.running_mean
    layer(X)
    assert layer.running_mean is mean
    assert (mean != 0).all()


def test_train_and_eval_return_the_layer():
    layer = nn.BatchNorm1d(3)
    assert layer.eval() is layer
    assert layer.training is False
    assert layer.train() is layer
    assert layer.training is True


def test_parameters_and_buffers():
    layer = nn.BatchNorm1d(3)
    assert [p is q for p, q in zip(layer.parameters(), (layer.weight, layer.bias), strict=True)]
    names = [name for name, _ in layer.named_buffers()]
    assert names == ["running_mean", "running_var", "num_batches_tracked"]
    assert [b.shape for b in layer.buffers()] == [(3,), (3,), ()]
    assert layer.num_batches_tracked.dtype == np.int64


@pytest.mark.parametrize("name", ["BatchNorm2d", "LayerNorm", "LocalResponseNorm", "RMSNorm"])
def test_who_resets_parameters(name):
    twin, layer = getattr(nn, name), getattr(torch.nn, name)
    assert hasattr(twin, "reset_parameters") == hasattr(layer, "reset_parameters")


def test_lists_and_tensors_are_read_as_arrays():
    layer = nn.LayerNorm(3, dtype=np.float64)
    np.testing.assert_array_equal(layer([[1.0, 2.0, 4.0]]), layer(np.array([[1.0, 2.0, 4.0]])))
    tensor = torch.tensor([[1.0, 2.0, 4.0]], dtype=torch.float64)
    np.testing.assert_array_equal(layer(tensor), layer(tensor.numpy()))


def test_numpy_knows_one_device():
    assert nn.LayerNorm(3, device="cpu").weight.shape == (3,)
    with pytest.raises(RuntimeError, match="NumPy computes on the CPU only; device='cuda'"):
        nn.LayerNorm(3, device="cuda")


def test_normalize_writes_where_it_is_told():
    out = np.empty_like(X)
    assert nn.functional.normalize(X, out=out) is out
    np.testing.assert_array_equal(out, nn.functional.normalize(X))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_nan_and_infinity_pass_in_silence(bad):
    x = np.ones((2, 4, 3), np.float32)
    x[0, 0, 0] = bad
    layers = [nn.BatchNorm1d(4), nn.InstanceNorm1d(4), nn.GroupNorm(2, 4), nn.LayerNorm(3)]
    for layer in (*layers, nn.RMSNorm(3), nn.LocalResponseNorm(2), nn.LayerNorm(3, eps=0.0)):
        layer(x)
        layer.backward(x)
    nn.functional.normalize_backward(x, nn.functional.normalize(x))


def test_a_running_statistic_never_forgets_a_nan():
    layer, clean = nn.BatchNorm1d(3), X.copy()
    bad = X.copy()
    bad[0, 1] = np.nan
    layer(bad)
    for _ in range(50):
        layer(clean)
    np.testing.assert_array_equal(np.isnan(layer.running_mean), [False, True, False])
    np.testing.assert_array_equal(np.isnan(layer.eval()(clean)).any(axis=0), [False, True, False])
