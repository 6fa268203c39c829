"""What the tests of the data share."""

import struct

import pytest


@pytest.fixture(scope="session")
def idx_bytes():
    """Return a function that gives the content of an IDX file for an array."""
    return as_idx


def as_idx(array):
    codes = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}
    header = struct.pack(">BBBB", 0, 0, codes[array.dtype.name], array.ndim)
    header += b"".join(struct.pack(">I", size) for size in array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()
