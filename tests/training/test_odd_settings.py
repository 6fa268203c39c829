"""Numbers and data that cannot be are told in one sentence, before anything is trained."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from normlab.data import ImageDataset, shuffled_batches
from normlab.training import article_net, evaluate, fit, fit_many, small_cnn

NAN, INF = float("nan"), float("inf")


def dataset(train=60, test=20, size=(28, 28), classes=10, **changed):
    rng = np.random.default_rng(0)
    parts = {
        "train_images": rng.integers(0, 256, (train, *size), dtype=np.uint8),
        "train_labels": np.arange(train) % classes,
        "test_images": rng.integers(0, 256, (test, *size), dtype=np.uint8),
        "test_labels": np.arange(test) % classes,
    }
    return ImageDataset(**parts | changed)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def refuses(message, model, data, **options):
    before = weights(model)
    with pytest.raises(ValueError, match=message) as caught:
        fit(model, data, progress=False, **options)
    assert "\n" not in str(caught.value)
    for name, value in model.state_dict().items():
        if "running" not in name and "batches" not in name:
            assert torch.equal(value, before[name]), f"{name} was trained"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": NAN}, "lr must be a finite number, at least 0, got nan"),
        ({"lr": INF}, "lr must be a finite number, at least 0, got inf"),
        ({"lr": -0.1}, "lr must be a finite number, at least 0, got -0.1"),
        ({"measure_every": 2.5}, "measure_every must be a whole number, got 2.5"),
        ({"measure_every": 0}, "measure_every must be at least 1, got 0"),
        ({"epochs": 1.5}, "epochs must be a whole number, got 1.5"),
        ({"epochs": NAN}, "epochs must be a whole number, got nan"),
        ({"epochs": "3"}, "epochs must be a whole number, got '3'"),
        ({"epochs": True}, "epochs must be a whole number, got True"),
        ({"batch_size": 64.0}, "batch_size must be a whole number, got 64.0"),
        ({"batch_size": -1}, "batch_size must be at least 1, got -1"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"seed": 0.5}, "seed must be a whole number, got 0.5"),
        (
            {"batch_size": 100, "drop_last": True},
            "batch_size=100 is more than the 60 samples, and with drop_last no batch is left",
        ),
    ],
)
def test_an_impossible_number_is_refused(options, message):
    refuses(message, article_net("none"), dataset(), **options)


def test_whole_numbers_of_numpy_are_whole_numbers():
    options = {"epochs": np.int64(1), "batch_size": np.int32(20), "measure_every": np.uint8(2)}
    assert len(fit(article_net("none"), dataset(), progress=False, **options).points) == 2


def test_batches_of_half_a_sample_are_refused():
    with pytest.raises(ValueError, match="batch_size must be a whole number, got 2.5"):
        list(shuffled_batches(10, 2.5, torch.Generator()))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_labels": np.full(60, 2.7)}, "train_labels: holds the label 2.7, and labels are"),
        ({"train_labels": np.full(60, NAN)}, "train_labels: holds the label nan"),
        ({"train_labels": np.full(60, -100)}, "train_labels: holds the label -100"),
        ({"test_labels": np.full(20, -1)}, "test_labels: holds the label -1"),
        ({"test_labels": torch.full((20,), 0.5)}, "test_labels: holds the label 0.5"),
        ({"train_labels": np.zeros(61, int)}, r"train_labels: .* shape \(61,\) for 60 images"),
        ({"train_labels": np.zeros(59, int)}, r"train_labels: .* shape \(59,\) for 60 images"),
        ({"train_labels": np.eye(60, 10)}, r"train_labels: .* shape \(60, 10\) for 60 images"),
        ({"test_labels": np.zeros((20, 1), int)}, r"test_labels: .* shape \(20, 1\) for 20"),
        ({"train": 0}, "train_labels: there are no images. Give at least one"),
        ({"test": 0}, "test_labels: there are no images. Give at least one"),
        ({"classes": 11}, "there are labels up to 10, and the network has 10 outputs. Give it 11"),
        ({"test_labels": np.full(20, 46)}, "there are labels up to 46, and the network has 10"),
        ({"size": (20, 30)}, r"takes 784 numbers a sample, and a batch of shape \(32, 20, 30\)"),
        ({"size": (28, 28, 3)}, "takes 784 numbers a sample, .* has 2352"),
    ],
)
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_data_that_are_not_what_they_say_are_refused(changed, message, norm):
    refuses(message, article_net(norm), dataset(**changed), batch_size=32)


def test_the_sentence_of_another_image_size_is_not_taken_for_a_batch_of_one():
    refuses("takes 784 numbers a sample", article_net("batch"), dataset(size=(9, 9)), batch_size=59)


def test_labels_of_any_whole_type_are_labels():
    for kind in (np.uint8, np.float32, np.int16, bool):
        labels = (np.arange(60) % 2).astype(kind)
        data = dataset(train_labels=labels, test_labels=labels[:20])
        assert fit(article_net("none"), data, epochs=1, progress=False).final.test_loss > 0


def test_a_network_that_gives_no_logits_is_refused():
    refuses(r"gives a tensor \(60, 28, 28\)", nn.Conv1d(28, 28, 1), dataset(), batch_size=60)


def test_a_cnn_says_which_images_it_takes():
    refuses("takes images of 28 × 28", small_cnn(), dataset(size=(32, 32)))


def test_many_runs_say_it_as_well():
    nets = {"net": partial(article_net, "none")}
    with pytest.raises(ValueError, match="labels up to 46, and the network has 10 outputs"):
        fit_many(nets, range(2), dataset(classes=47), jobs=1, progress=False)


@pytest.mark.parametrize(("size", "classes"), [((28, 28), 27), ((28, 28), 47), ((20, 30), 3)])
def test_the_articles_network_takes_its_sizes_from_the_data_where_asked(size, classes):
    data = dataset(size=size, classes=classes)
    network = article_net("batch", dataset=data)
    assert network.fc1.in_features == size[0] * size[1]
    assert network.fc3.out_features == min(classes, 60)
    assert fit(network, data, epochs=1, batch_size=20, progress=False).final.test_loss > 0


def test_for_mnists_sizes_it_is_the_same_network():
    ours, asked = article_net(seed=3), article_net(seed=3, dataset=dataset())
    for name, value in ours.state_dict().items():
        assert torch.equal(value, asked.state_dict()[name])


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (0, {}, "samples must be at least 1, got 0"),
        (3, {"batch_size": 0}, "batch_size must be at least 1, got 0"),
        (3, {"batch_size": 1.5}, "batch_size must be a whole number, got 1.5"),
    ],
)
def test_an_evaluation_of_nothing_is_refused(samples, options, message):
    images, labels = torch.rand(samples, 28, 28), torch.zeros(samples, dtype=torch.int64)
    with pytest.raises(ValueError, match=message):
        evaluate(article_net(), images, labels, **options)
