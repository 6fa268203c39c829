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

import math
import struct
from typing import Any

import numpy as np

#: The dtypes that an array may have.
DTYPES = frozenset(
    [
        *("|b1", "|i1", "|u1", "<i2", "<i4", "<i8", "<u2", "<u4", "<u8"),
        *("<f2", "<f4", "<f8", "<f12", "<f16"),
    ]
)
#: What a child's limits are made of: memory, seconds, file size, threads, files.
LIMITS = struct.Struct("<QdQQQ")
#: What the end of a child is told with: its status, its seconds, those of the warm process.
USED = struct.Struct("<idd")
_MOST_AXES = 32
_LONGEST_AXIS = 2**40
_DEEPEST = 6
_MOST_VALUES = 20_000
LENGTH = struct.Struct("<I")
_WHOLE = struct.Struct("<q")
_FLOAT = struct.Struct("<d")
_CONSTANTS = {None: b"N", True: b"T", False: b"F"}


class WireError(ValueError):
    """The bytes are no message, or more than may be sent."""


# ---- writing


def encode(value: Any) -> bytes:  # noqa: ANN401 - any of the nine kinds
    """Write a value as bytes; a `WireError` where it is of none of the nine kinds."""
    data = bytearray()
    _write(value, data)
    return bytes(data)


class Encoded:
    """A value that is written already: what is sent again and again is written once."""

    def __init__(self, value: Any) -> None:  # noqa: ANN401 - any of the nine kinds
        self.data = encode(value)


def _write(value: Any, data: bytearray) -> None:  # noqa: ANN401
    kind = type(value)
    if kind is str:
        # A learner's text may hold half of a surrogate pair.
        data += b"s" + _block(value.encode("utf-8", "replace"))
    elif value is None or value is True or value is False:
        data += _CONSTANTS[value]
    elif kind is int and -(2**63) <= value < 2**63:
        data += b"i" + _WHOLE.pack(value)
    elif kind is float:
        data += b"f" + _FLOAT.pack(value)
    elif kind is Encoded:
        data += value.data
    elif kind is dict:
        data += b"d" + LENGTH.pack(len(value))
        for key, one in value.items():
            data += _block(key.encode("utf-8", "replace"))
            _write(one, data)
    elif kind in (list, tuple):
        data += b"l" + LENGTH.pack(len(value))
        for one in value:
            _write(one, data)
    elif kind is np.ndarray:
        _write_array(b"a", value, data)
    elif isinstance(value, np.generic):
        _write_array(b"g", np.asarray(value), data)
    elif kind is bytes:
        data += b"b" + _block(value)
    else:
        raise WireError(f"a {kind.__name__} cannot be sent")


def _block(content: bytes) -> bytes:
    return LENGTH.pack(len(content)) + content


def _write_array(letter: bytes, array: np.ndarray, data: bytearray) -> None:
    if array.dtype.str not in DTYPES:
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    name = array.dtype.str
    if name not in DTYPES:
        raise WireError(f"an array of {array.dtype} cannot be sent")
    head = bytes([len(name), *name.encode(), array.ndim])
    data += letter + head + struct.pack(f"<{array.ndim}Q", *array.shape) + array.tobytes()


def framed(message: Any) -> bytes:  # noqa: ANN401 - any of the nine kinds
    """Write a message, with its length before it."""
    return _block(encode(message))


# ---- reading


def decode(data: bytes) -> Any:  # noqa: ANN401 - any of the nine kinds
    """Read a value that `encode` wrote, or that somebody claims it did: then a `WireError`."""
    reader = _Reader(data)
    try:
        value = reader.value(0)
    except (struct.error, UnicodeDecodeError, OverflowError) as problem:
        raise WireError(f"not a message: {problem}") from None
    if reader.at != len(data):
        raise WireError("something follows the message")
    return value


class _Reader:
    """A message that is read: each of its values costs more than its bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.left = data, 0, _MOST_VALUES

    def value(self, depth: int) -> Any:  # noqa: ANN401
        self.left -= 1
        if depth > _DEEPEST:
            raise WireError("values are nested too deep")
        if self.left < 0:
            raise WireError("there are too many values")
        match self.take(1):
            case b"N":
                return None
            case b"T":
                return True
            case b"F":
                return False
            case b"i":
                return self.number(_WHOLE)
            case b"f":
                return self.number(_FLOAT)
            case b"s":
                return self.block().decode()
            case b"b":
                return self.block()
            case b"a":
                return self.array()
            case b"g":
                return self.array()[()]
            case b"l":
                return [self.value(depth + 1) for _ in range(self.number(LENGTH))]
            case b"d":
                count = range(self.number(LENGTH))
                return {self.block().decode(): self.value(depth + 1) for _ in count}
            case letter:
                raise WireError(f"no value begins with {letter!r}")

    def take(self, size: int) -> bytes:
        start, self.at = self.at, self.at + size
        if self.at > len(self.data):
            raise WireError("the message ends too soon")
        return self.data[start : self.at]

    def number(self, form: struct.Struct) -> Any:  # noqa: ANN401 - whole or not
        return form.unpack(self.take(form.size))[0]

    def block(self) -> bytes:
        """Read bytes whose length stands before them."""
        return self.take(self.number(LENGTH))

    def array(self) -> np.ndarray:
        """Read an array into memory of its own."""
        name = self.take(self.take(1)[0]).decode()
        axes = self.take(1)[0]
        if name not in DTYPES or axes > _MOST_AXES:
            raise WireError(f"no array of {name!r} with {axes} axes")
        shape = struct.unpack(f"<{axes}Q", self.take(8 * axes))
        if any(length > _LONGEST_AXIS for length in shape):
            raise WireError("an axis is too long")
        try:
            dtype = np.dtype(name)
            # Whole numbers of Python do not overflow.
            content = self.take(dtype.itemsize * math.prod(shape))
            return np.ndarray(shape, dtype, content).copy()
        except (ValueError, TypeError) as problem:
            raise WireError(f"not an array: {problem}") from None
