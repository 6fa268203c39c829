"""MNIST in the package, and other datasets in the same files."""

import hashlib

import numpy as np
import pytest
import torch

from normlab import load_mnist
from normlab.data import DataFileError
from normlab.data.datasets import BUNDLED

# The sums that MNIST's users publish, of the unpacked files.
PUBLISHED_MD5 = {
    "train_images": "6bbc9ace898e44ae57da46a324031adb",
    "train_labels": "a25bea736e30d166cdddb491f175f624",
    "test_images": "2646ac647ad5339dbf082846283269ea",
    "test_labels": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture
def small_dataset(tmp_path, idx_bytes):
    rng = np.random.default_rng(0)
    for split, size in {"train": 5, "t10k": 3}.items():
        images = rng.integers(0, 256, (size, 4, 6), dtype=np.uint8)
        labels = rng.integers(0, 10, size, dtype=np.uint8)
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    return tmp_path


def test_it_is_the_official_mnist(idx_bytes):
    mnist = load_mnist()
    for part, md5 in PUBLISHED_MD5.items():
        array = getattr(mnist, part)
        header = idx_bytes(array[:0].astype(np.uint8))[:4]
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        content = header + sizes + array.astype(np.uint8).tobytes()
        assert hashlib.md5(content).hexdigest() == md5


def test_shapes_and_types():
    mnist = load_mnist()
    assert mnist.train_images.shape == (60_000, 28, 28)
    assert mnist.test_images.shape == (10_000, 28, 28)
    assert mnist.train_images.dtype == np.uint8
    assert mnist.train_labels.dtype == np.int64
    assert set(mnist.test_labels) == set(range(10))


def test_the_second_call_gives_the_same_arrays_and_nobody_can_spoil_them():
    mnist = load_mnist()
    assert load_mnist().train_images is mnist.train_images
    with pytest.raises(ValueError, match="read-only"):
        mnist.train_images[0] = 0


def test_tensors_are_the_callers_own():
    tensors = load_mnist(tensors=True)
    assert tensors.train_images.dtype == torch.uint8
    tensors.test_images.zero_()
    assert load_mnist().test_images.any()
    assert load_mnist(tensors=True).test_images.any()


def test_the_first_images_keep_their_labels():
    mnist = load_mnist()
    few = mnist.first(5)
    assert [len(few.train_images), len(few.train_labels), len(few.test_images)] == [5, 5, 10_000]
    assert (few.train_labels == mnist.train_labels[:5]).all()
    assert [len(mnist.first(5, test=3).test_images), len(mnist.first(5, test=3).test_labels)] == [
        3,
        3,
    ]


def test_a_folder_of_ones_own(small_dataset, monkeypatch):
    assert load_mnist(data_dir=small_dataset).train_images.shape == (5, 4, 6)
    monkeypatch.setenv("NORMLAB_DATA", str(small_dataset))
    assert load_mnist().test_images.shape == (3, 4, 6)
    assert load_mnist(data_dir=BUNDLED).test_images.shape == (10_000, 28, 28)


def test_emnist_is_turned_upright(small_dataset):
    plain = load_mnist(data_dir=small_dataset)
    folder = small_dataset / "emnist"
    folder.mkdir()
    for path in list(small_dataset.glob("*ubyte")):
        path.rename(folder / f"emnist-digits-{path.name.replace('t10k', 'test')}")
    turned = load_mnist(data_dir=folder)
    np.testing.assert_array_equal(turned.train_images, plain.train_images.swapaxes(1, 2))
    np.testing.assert_array_equal(turned.test_labels, plain.test_labels)


def test_no_such_folder(tmp_path):
    with pytest.raises(DataFileError, match="nowhere: no such folder. Give data_dir="):
        load_mnist(data_dir=tmp_path / "nowhere")


def test_a_missing_file_is_named(small_dataset):
    (small_dataset / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataFileError, match=r"t10k-labels-idx\*-ubyte: missing"):
        load_mnist(data_dir=small_dataset)


def test_two_datasets_in_one_folder_are_not_guessed_at(small_dataset):
    name = "train-images-idx3-ubyte"
    (small_dataset / f"emnist-{name}").write_bytes((small_dataset / name).read_bytes())
    with pytest.raises(DataFileError, match="several files could be the train-images"):
        load_mnist(data_dir=small_dataset)


def test_images_and_labels_must_belong_together(small_dataset, idx_bytes):
    labels = np.zeros(4, dtype=np.uint8)
    (small_dataset / "train-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    with pytest.raises(DataFileError, match="train-labels.*holds labels of shape .4,. for the 5"):
        load_mnist(data_dir=small_dataset)


def test_swapped_files_are_noticed(small_dataset):
    images, labels = (
        small_dataset / f"train-{part}-ubyte" for part in ("images-idx3", "labels-idx1")
    )
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(content)
    with pytest.raises(DataFileError, match="Check that images and labels were not swapped"):
        load_mnist(data_dir=small_dataset)
