"""Reading IDX files, the format MNIST is published in.

An IDX file is a header followed by raw numbers. The header is four bytes (two zeros, a code for
the type of the numbers, the number of axes), then the length of each axis as a big-endian 32-bit
integer. The format is described on the MNIST page of Yann LeCun, Corinna Cortes and Christopher
Burges, http://yann.lecun.com/exdb/mnist/.
"""

import gzip
import hashlib
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

# The third byte of the header. Numbers are stored big-endian.
_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"
_SUMS_FILE = "SHA256SUMS"


class DataFileError(ValueError):
    """A data file is missing or damaged. The message names the file and says what to do."""


def read_idx(path: str | Path) -> np.ndarray:
    """Read one IDX file, gzipped or not.

    Where a file ``SHA256SUMS`` beside it names it, its sum is checked first.

    Parameters
    ----------
    path
        The file. Whether it is gzipped is seen from its first bytes, not from its name.

    Returns
    -------
    numpy.ndarray
        The numbers, in the shape that the header gives; ``(60000, 28, 28)`` bytes for MNIST's
        training images.

    Raises
    ------
    DataFileError
        If the file cannot be read, has the wrong sum, is not an IDX file, or is shorter or longer
        than its header says.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataFileError(f"{path}: cannot be read ({error.strerror}).") from error
    _check_sum(path, raw)
    return _parse(path, _unzip(path, raw))


def _check_sum(path: Path, raw: bytes) -> None:
    expected = _published_sums(path.parent).get(path.name)
    if expected is not None and hashlib.sha256(raw).hexdigest() != expected:
        raise DataFileError(
            f"{path}: its SHA-256 sum is not the one in {_SUMS_FILE} beside it, so the file was "
            "damaged or changed. Fetch it again (in a clone of normlab: git checkout -- "
            f"{path}; an installed package: reinstall it)."
        )


def _published_sums(folder: Path) -> dict[str, str]:
    """Return the sum of each file named in the folder's SHA256SUMS; none without that file."""
    try:
        lines = (folder / _SUMS_FILE).read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {name: sum_ for sum_, name in (line.split() for line in lines if line.strip())}


def _unzip(path: Path, raw: bytes) -> bytes:
    if not raw.startswith(_GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataFileError(
            f"{path}: the gzip data is truncated or damaged ({error}). Fetch the file again."
        ) from error


def _parse(path: Path, content: bytes) -> np.ndarray:
    if len(content) < 4 or content[:2] != b"\x00\x00" or content[2] not in _TYPES:
        start = content[:4].hex(" ") or "nothing"
        raise DataFileError(
            f"{path}: not an IDX file. Such a file starts with 00 00, a type and a number of "
            f"axes; this one starts with {start}. Check that it is the right file."
        )
    dtype, rank = _TYPES[content[2]], content[3]
    header_size = 4 + 4 * rank
    if len(content) < header_size:
        raise DataFileError(f"{path}: truncated in its header. Fetch the file again.")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", rank, offset=4))
    expected, found = math.prod(shape) * dtype.itemsize, len(content) - header_size
    if found != expected:
        what = "truncated" if found < expected else "too long"
        raise DataFileError(
            f"{path}: {what}. Its header promises {expected:,} bytes for the shape {shape}, and "
            f"{found:,} follow. Fetch the file again."
        )
    numbers = np.frombuffer(content, dtype, offset=header_size).reshape(shape)
    return numbers.astype(dtype.newbyteorder("="), copy=False)
