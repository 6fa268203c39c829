"""What goes between the grader and a submission's process: numbers, texts and plain arrays.

No pickle and no JSON: reading a message runs nobody's code, and what is read is one of nine plain
kinds. Both ends use this module. It needs NumPy and the standard library alone.

A value is one letter and what belongs to it, numbers in little endian::

    N  T  F           None, True, False
    i  8 bytes        a whole number
    f  8 bytes        a float
    s  length, UTF-8  a text
    b  length, bytes  bytes
    a  dtype, shape, bytes   an array, in C order
    g  the same       a NumPy scalar
    l  count, values  a list
    d  count, pairs   a dict with texts as keys
"""

import struct
from typing import Any

import numpy as np

#: The dtypes that an array may have.
DTYPES = frozenset(
    [
        "|b1",
        "|i1",
        "|u1",
        "<i2",
        "<i4",
        "<i8",
        "<u2",
        "<u4",
        "<u8",
        "<f2",
        "<f4",
        "<f8",
        "<f12",
        "<f16",
    ]
)
_MOST_AXES = 32
_LONGEST_AXIS = 2**40
_DEEPEST = 6
_LENGTH = struct.Struct("<I")
_WHOLE = struct.Struct("<q")
_FLOAT = struct.Struct("<d")


class WireError(ValueError):
    """The bytes are no message, or more than may be sent."""


# ---- writing


def encode(value: Any) -> bytes:  # noqa: ANN401 - any of the nine kinds
    """Write a value as bytes.

    Raises
    ------
    WireError
        It is of none of the nine kinds.
    """
    parts: list[bytes] = []
    _write(value, parts)
    return b"".join(parts)


def _write(value: Any, parts: list[bytes]) -> None:  # noqa: ANN401
    if value is None or value is True or value is False:
        parts.append({None: b"N", True: b"T", False: b"F"}[value])
    elif type(value) is int and -(2**63) <= value < 2**63:
        parts.append(b"i" + _WHOLE.pack(value))
    elif type(value) is float:
        parts.append(b"f" + _FLOAT.pack(value))
    elif type(value) is str:
        # A learner's text may hold half of a surrogate pair.
        _write_bytes(b"s", value.encode("utf-8", "replace"), parts)
    elif type(value) is bytes:
        _write_bytes(b"b", value, parts)
    elif type(value) is np.ndarray:
        _write_array(b"a", value, parts)
    elif isinstance(value, np.generic):
        _write_array(b"g", np.asarray(value), parts)
    elif type(value) in (list, tuple):
        parts.append(b"l" + _LENGTH.pack(len(value)))
        for one in value:
            _write(one, parts)
    elif type(value) is dict:
        parts.append(b"d" + _LENGTH.pack(len(value)))
        for key, one in value.items():
            _write_bytes(b"", key.encode("utf-8", "replace"), parts)
            _write(one, parts)
    else:
        raise WireError(f"a {type(value).__name__} cannot be sent")


def _write_bytes(letter: bytes, data: bytes, parts: list[bytes]) -> None:
    parts += (letter, _LENGTH.pack(len(data)), data)


def _write_array(letter: bytes, array: np.ndarray, parts: list[bytes]) -> None:
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    name = little.dtype.str.replace(">", "<")
    if name not in DTYPES:
        raise WireError(f"an array of {array.dtype} cannot be sent")
    head = [len(name), *name.encode(), array.ndim]
    parts += (letter, bytes(head), struct.pack(f"<{array.ndim}Q", *array.shape), little.tobytes())


# ---- reading


def decode(data: bytes) -> Any:  # noqa: ANN401 - any of the nine kinds
    """Read a value that `encode` wrote, or that somebody claims it did.

    Raises
    ------
    WireError
        The bytes are no value, or something is left over.
    """
    reader = _Reader(data)
    try:
        value = reader.value(0)
    except (struct.error, UnicodeDecodeError, MemoryError, OverflowError) as problem:
        raise WireError(f"not a message: {problem}") from None
    if reader.at != len(data):
        raise WireError("something follows the message")
    return value


class _Reader:
    """Reads values from bytes, one behind the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        end = self.at + size
        if end > len(self.data):
            raise WireError("the message ends too soon")
        piece, self.at = self.data[self.at : end], end
        return piece

    def block(self) -> bytes:
        """Return the next bytes, whose length stands before them."""
        return self.take(*_LENGTH.unpack(self.take(4)))

    def count(self) -> int:
        """Return how many values follow, or are said to."""
        return _LENGTH.unpack(self.take(4))[0]

    def value(self, depth: int) -> Any:  # noqa: ANN401
        """Return the next value."""
        if depth > _DEEPEST:
            raise WireError("values are nested too deep")
        letter = self.take(1)
        if letter in _CONSTANTS:
            return _CONSTANTS[letter]
        if letter == b"i":
            return _WHOLE.unpack(self.take(8))[0]
        if letter == b"f":
            return _FLOAT.unpack(self.take(8))[0]
        if letter == b"s":
            return self.block().decode()
        if letter == b"b":
            return self.block()
        if letter in b"ag":
            array = self.array()
            return array if letter == b"a" else array[()]
        if letter == b"l":
            return [self.value(depth + 1) for _ in range(self.count())]
        if letter == b"d":
            return {self.block().decode(): self.value(depth + 1) for _ in range(self.count())}
        raise WireError(f"no value begins with {letter!r}")

    def array(self) -> np.ndarray:
        """Return the next array, in memory of its own."""
        name = self.take(self.take(1)[0]).decode()
        axes = self.take(1)[0]
        if name not in DTYPES or axes > _MOST_AXES:
            raise WireError(f"no array of {name!r} with {axes} axes")
        dtype = np.dtype(name)
        shape = struct.unpack(f"<{axes}Q", self.take(8 * axes))
        if any(length > _LONGEST_AXIS for length in shape):
            raise WireError("an axis is too long")
        size = dtype.itemsize
        for length in shape:
            size *= length  # in Python's whole numbers, which do not overflow
        try:
            return np.frombuffer(self.take(size), dtype).reshape(shape).copy()
        except ValueError as problem:
            raise WireError(f"not an array: {problem}") from None


_CONSTANTS = {b"N": None, b"T": True, b"F": False}
