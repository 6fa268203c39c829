"""The data of the course, bundled with the package: MNIST, and batches of it; a text.

``load_mnist``
    The images and labels, as NumPy arrays or torch tensors; or any other dataset in the same
    file format, from a folder of yours.
``load_help_text``
    A text to train a language model on.
``shuffled_batches``
    The order in which one pass over the data visits it.
``read_idx``
    One IDX file, checked.
"""

from normlab.data.batches import shuffled_batches
from normlab.data.datasets import ImageDataset, load_mnist
from normlab.data.idx import DataFileError, read_idx
from normlab.data.text import load_help_text

__all__ = [
    "DataFileError",
    "ImageDataset",
    "load_help_text",
    "load_mnist",
    "read_idx",
    "shuffled_batches",
]
