"""The data of the course: MNIST, bundled with the package, and batches of it.

``load_mnist``
    The images and labels, as NumPy arrays or torch tensors; or any other dataset in the same
    file format, from a folder of yours.
``shuffled_batches``
    The order in which one pass over the data visits it.
``read_idx``
    One IDX file, checked.
"""

from normlab.data.batches import shuffled_batches
from normlab.data.datasets import ImageDataset, load_mnist
from normlab.data.idx import DataFileError, read_idx

__all__ = ["DataFileError", "ImageDataset", "load_mnist", "read_idx", "shuffled_batches"]
