"""MNIST, from the package itself, or any dataset in the same format from a folder of yours."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from normlab.data.idx import DataFileError, read_idx

BUNDLED = Path(__file__).parent / "mnist"
_VARIABLE = "NORMLAB_DATA"

# What the names of the four files hold, for MNIST and for datasets published in its form:
# Fashion-MNIST uses MNIST's names; EMNIST puts a prefix in front and says "test" for "t10k".
_PARTS = {
    "train_images": ("train-images",),
    "train_labels": ("train-labels",),
    "test_images": ("t10k-images", "test-images"),
    "test_labels": ("t10k-labels", "test-labels"),
}


@dataclass(frozen=True)
class ImageDataset:
    """Images and labels, split into a training set and a test set.

    Attributes
    ----------
    train_images, test_images
        Grey levels 0 to 255, one byte each, shape ``(N, H, W)``; for MNIST ``(60000, 28, 28)``
        and ``(10000, 28, 28)``.
    train_labels, test_labels
        The class of each image, int64, shape ``(N,)``.
    files
        For each of the four the file that it was read from, where it was.

    NumPy arrays are read-only, since every caller gets the same cached ones; ``array.copy()``
    gives one to write on.
    """

    train_images: Any
    train_labels: Any
    test_images: Any
    test_labels: Any
    files: Mapping[str, Path] = field(default_factory=dict, compare=False)

    @property
    def classes(self) -> int:
        """How many classes there are: one more than the highest label."""
        return 1 + max(int(self.train_labels.max()), int(self.test_labels.max()))

    @property
    def image_size(self) -> tuple[int, ...]:
        """Height and width of an image."""
        return tuple(self.train_images.shape[1:])

    def map(self, function: Callable[[Any], Any]) -> "ImageDataset":
        """Return the dataset with ``function`` applied to each of its four arrays."""
        mapped = {name: function(getattr(self, name)) for name in _PARTS}
        return ImageDataset(**mapped, files=self.files)

    def first(self, train: int, test: int | None = None) -> "ImageDataset":
        """Return the dataset with the first so many images to train on, and to test on.

        Parameters
        ----------
        train, test
            How many of each; without ``test`` the test set stays whole.
        """
        return ImageDataset(
            self.train_images[:train],
            self.train_labels[:train],
            self.test_images[:test],
            self.test_labels[:test],
            self.files,
        )


def load_mnist(*, data_dir: str | Path | None = None, tensors: bool = False) -> ImageDataset:
    """Load MNIST, or another dataset in the same files.

    Nothing is downloaded: MNIST travels inside the package. The decoded arrays are kept, so that
    a second call costs nothing while the files stay as they are.

    Parameters
    ----------
    data_dir
        A folder with four IDX files, gzipped or not, named as MNIST's, Fashion-MNIST's or
        EMNIST's are. Without it the folder named by the environment variable ``NORMLAB_DATA``
        is read, and without that the package's own MNIST.
    tensors
        Give torch tensors instead of NumPy arrays.

    Returns
    -------
    ImageDataset
        ``train_images``, ``train_labels``, ``test_images``, ``test_labels``.

    Raises
    ------
    DataFileError
        If a file is missing, damaged, or does not fit the others; the message names it.

    Notes
    -----
    EMNIST stores its images transposed. Files whose names begin with ``emnist`` are turned
    upright.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition",
    Proceedings of the IEEE 86(11), 1998.
    """
    try:
        folder = Path(data_dir or os.environ.get(_VARIABLE) or BUNDLED).expanduser().resolve()
        arrays = _load_folder(folder, _state(folder))
    except (OSError, RuntimeError) as error:  # RuntimeError: no such home, or links in a circle
        raise DataFileError(
            f"{data_dir or os.environ.get(_VARIABLE)}: cannot be read "
            f"({getattr(error, 'strerror', None) or error}). Give data_dir= (or {_VARIABLE}) a "
            "folder that you may read."
        ) from error
    if not tensors:
        return arrays
    import torch  # here and not above: NumPy users need not wait for it

    # A tensor cannot be read-only, so each caller gets a copy to own.
    return arrays.map(lambda array: torch.from_numpy(array.copy()))


def _state(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a file in the folder does."""
    if not folder.is_dir():
        return ()
    states = ((path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file())
    return tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)


@lru_cache(maxsize=4)
def _load_folder(folder: Path, state: tuple[tuple[str, int, int], ...]) -> ImageDataset:
    """Read the four files. `state` is there for the cache: other files, other data."""
    files = {part: _find(folder, stems) for part, stems in _PARTS.items()}
    parts = {part: read_idx(path) for part, path in files.items()}
    for split in ("train", "test"):
        images, labels = parts[f"{split}_images"], parts[f"{split}_labels"]
        _check_pair(files[f"{split}_images"], images, files[f"{split}_labels"], labels)
        if files[f"{split}_images"].name.startswith("emnist"):
            parts[f"{split}_images"] = np.ascontiguousarray(images.swapaxes(1, 2))
        parts[f"{split}_labels"] = labels.astype(np.int64)
    sizes = [" × ".join(map(str, parts[f"{one}_images"].shape[1:])) for one in ("train", "test")]
    if sizes[0] != sizes[1]:
        raise DataFileError(
            f"{files['test_images']}: its images are {sizes[1]}, and those of "
            f"{files['train_images'].name} are {sizes[0]}. Put the four files of one dataset into "
            "a folder of their own."
        )
    dataset = ImageDataset(**parts, files=files)
    dataset.map(lambda array: array.setflags(write=False))
    return dataset


def _find(folder: Path, stems: tuple[str, ...]) -> Path:
    """Return the one file in the folder whose name holds one of the stems."""
    if not folder.is_dir():
        raise DataFileError(
            f"{folder}: no such folder. Give data_dir= (or {_VARIABLE}) a folder that holds the "
            "four IDX files, or neither for the MNIST that comes with normlab."
        )
    found = sorted(
        path
        for path in folder.iterdir()
        if any(stem in path.name for stem in stems) and "ubyte" in path.name and path.is_file()
    )
    if not found:
        raise DataFileError(
            f"{folder / (stems[0] + '-idx*-ubyte')}: missing, gzipped or not. The folder must hold "
            "four IDX files: images and labels, for training and for testing."
        )
    unzipped_names = {path.name.removesuffix(".gz") for path in found}
    if len(unzipped_names) > 1:
        names = ", ".join(path.name for path in found)
        raise DataFileError(
            f"{folder}: several files could be the {stems[0]}: {names}. Put the four files of one "
            "dataset into a folder of their own."
        )
    for other in found[1:]:
        if not np.array_equal(read_idx(found[0]), read_idx(other)):
            raise DataFileError(
                f"{found[0]}: beside it lies {other.name} with other content. Remove the one that "
                "you do not mean."
            )
    return found[0]


def _check_pair(image_file: Path, images: np.ndarray, label_file: Path, labels: np.ndarray) -> None:
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataFileError(
            f"{image_file}: holds {images.dtype} numbers of shape {images.shape}, not images of "
            "bytes, (N, H, W). Check that images and labels were not swapped."
        )
    if labels.ndim != 1 or len(labels) != len(images):
        raise DataFileError(
            f"{label_file}: holds labels of shape {labels.shape} for the {len(images):,} images of "
            f"{image_file.name}. Check that both files belong to the same dataset."
        )
    if not images.size:
        raise DataFileError(
            f"{image_file}: holds no images, its shape is {images.shape}. Fetch the file again, or "
            "give another folder."
        )
    if trouble := trouble_with_labels(labels):
        raise DataFileError(f"{label_file}: {trouble}. Check that it is the right file.")


def trouble_with_labels(labels: np.ndarray) -> str:
    """Say what is wrong with numbers that are to be classes; "" where nothing is."""
    odd = labels[~((labels >= 0) & (labels % 1 == 0))]  # nan is odd as well
    if odd.size:
        return f"holds the label {odd[0]:g}, and labels are whole numbers from 0 up"
    return ""
