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
from collections.abc import Callable
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
_MOST_VALUES = 20_000
_LENGTH = struct.Struct("<I")
_WHOLE = struct.Struct("<q")
_FLOAT = struct.Struct("<d")


class WireError(ValueError):
    """The bytes are no message, or more than may be sent."""


class _Message(bytes):
    """A message, with how many values may still be read from it: each costs more than its bytes."""

    left = _MOST_VALUES


# ---- writing


def encode(value: Any) -> bytes:  # noqa: ANN401 - any of the nine kinds
    """Write a value as bytes.

    Raises
    ------
    WireError
        It is of none of the nine kinds.
    """
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
        text = value.encode("utf-8", "replace")
        data += b"s" + _LENGTH.pack(len(text)) + text
    elif value is None or value is True or value is False:
        data += {None: b"N", True: b"T", False: b"F"}[value]
    elif kind is int and -(2**63) <= value < 2**63:
        data += b"i" + _WHOLE.pack(value)
    elif kind is float:
        data += b"f" + _FLOAT.pack(value)
    elif kind is Encoded:
        data += value.data
    elif kind is dict:
        data += b"d" + _LENGTH.pack(len(value))
        for key, one in value.items():
            name = key.encode("utf-8", "replace")
            data += _LENGTH.pack(len(name)) + name
            _write(one, data)
    elif kind in (list, tuple):
        data += b"l" + _LENGTH.pack(len(value))
        for one in value:
            _write(one, data)
    elif kind is np.ndarray:
        _write_array(b"a", value, data)
    elif isinstance(value, np.generic):
        _write_array(b"g", np.asarray(value), data)
    elif kind is bytes:
        data += b"b" + _LENGTH.pack(len(value)) + value
    else:
        raise WireError(f"a {kind.__name__} cannot be sent")


def _write_array(letter: bytes, array: np.ndarray, data: bytearray) -> None:
    if array.dtype.str not in DTYPES:
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    name = array.dtype.str
    if name not in DTYPES:
        raise WireError(f"an array of {array.dtype} cannot be sent")
    head = bytes([len(name), *name.encode(), array.ndim])
    data += letter + head + struct.pack(f"<{array.ndim}Q", *array.shape) + array.tobytes()


# ---- reading


def decode(data: bytes) -> Any:  # noqa: ANN401 - any of the nine kinds
    """Read a value that `encode` wrote, or that somebody claims it did.

    Raises
    ------
    WireError
        The bytes are no value, or something is left over.
    """
    try:
        value, end = _read(_Message(data), 0, 0)
    except (struct.error, UnicodeDecodeError, OverflowError) as problem:
        raise WireError(f"not a message: {problem}") from None
    if end != len(data):
        raise WireError("something follows the message")
    return value


# Each of these returns what it has read and where that ends.


def _read(data: _Message, at: int, depth: int) -> tuple[Any, int]:
    if depth > _DEEPEST:
        raise WireError("values are nested too deep")
    data.left -= 1
    if data.left < 0:
        raise WireError("there are too many values")
    letter = data[at : at + 1]
    if letter not in _READERS:
        raise WireError(
            f"no value begins with {letter!r}" if letter else "the message ends too soon"
        )
    return _READERS[letter](data, at + 1, depth)


def _read_text(data: _Message, at: int, _: int) -> tuple[str, int]:
    text, end = _read_block(data, at)
    return text.decode(), end


def _read_block(data: _Message, at: int, _: int = 0) -> tuple[bytes, int]:
    """Read bytes whose length stands before them."""
    at += 4
    end = at + _LENGTH.unpack_from(data, at - 4)[0]
    if end > len(data):
        raise WireError("the message ends too soon")
    return data[at:end], end


def _read_dict(data: _Message, at: int, depth: int) -> tuple[dict[str, Any], int]:
    (count,), at = _LENGTH.unpack_from(data, at), at + 4
    values = {}
    for _ in range(count):
        name, at = _read_block(data, at)
        values[name.decode()], at = _read(data, at, depth + 1)
    return values, at


def _read_list(data: _Message, at: int, depth: int) -> tuple[list[Any], int]:
    (count,), at = _LENGTH.unpack_from(data, at), at + 4
    values = []
    for _ in range(count):
        one, at = _read(data, at, depth + 1)
        values.append(one)
    return values, at


def _read_array(data: _Message, at: int, _: int) -> tuple[np.ndarray, int]:
    """Read an array into memory of its own."""
    (length,), at = struct.unpack_from("B", data, at), at + 1
    name, at = data[at : at + length].decode(), at + length
    (axes,), at = struct.unpack_from("B", data, at), at + 1
    if name not in DTYPES or axes > _MOST_AXES:
        raise WireError(f"no array of {name!r} with {axes} axes")
    dtype = np.dtype(name)
    shape, at = struct.unpack_from(f"<{axes}Q", data, at), at + 8 * axes
    if any(length > _LONGEST_AXIS for length in shape):
        raise WireError("an axis is too long")
    end = at + dtype.itemsize * math.prod(shape)  # whole numbers of Python do not overflow
    if end > len(data):
        raise WireError("the message ends too soon")
    try:
        return np.ndarray(shape, dtype, data, at).copy(), end
    except (ValueError, TypeError) as problem:
        raise WireError(f"not an array: {problem}") from None


def _read_scalar(data: _Message, at: int, _: int) -> tuple[Any, int]:
    array, end = _read_array(data, at, 0)
    return array[()], end


_READERS: dict[bytes, Callable[[_Message, int, int], tuple[Any, int]]] = {
    b"N": lambda _, at, __: (None, at),
    b"T": lambda _, at, __: (True, at),
    b"F": lambda _, at, __: (False, at),
    b"i": lambda data, at, _: (_WHOLE.unpack_from(data, at)[0], at + 8),
    b"f": lambda data, at, _: (_FLOAT.unpack_from(data, at)[0], at + 8),
    b"s": _read_text,
    b"b": _read_block,
    b"a": _read_array,
    b"g": _read_scalar,
    b"l": _read_list,
    b"d": _read_dict,
}
