"""Reading IDX files, the format MNIST is published in.

An IDX file is a header followed by raw numbers. The header is four bytes (two zeros, a code for
the type of the numbers, the number of axes), then the length of each axis as a big-endian 32-bit
integer. The format is described on the MNIST page of Yann LeCun, Corinna Cortes and Christopher
Burges, http://yann.lecun.com/exdb/mnist/.
"""

import codecs
import gzip
import hashlib
import math
import posixpath
import re
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

# The third byte of the header. Numbers are stored big-endian.
_TYPES = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 2**20  # bytes to read at a time
_SUMS_FILE = "SHA256SUMS"
_SUM = re.compile(
    r"\\?(?P<sum>[0-9a-fA-F]{64}) [ *]?(?P<name>.+)"
    r"|SHA256 \((?P<bsd_name>.+)\) = (?P<bsd_sum>[0-9a-fA-F]{64})"
)


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
        with path.open("rb") as file:
            _check_sum(path, file)
            file.seek(0)
            zipped = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            return _parse(path, gzip.GzipFile(fileobj=file) if zipped else file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataFileError(
            f"{path}: the gzip data is truncated or damaged ({error}). Fetch the file again."
        ) from error
    except OSError as error:
        raise DataFileError(f"{path}: cannot be read ({error.strerror}).") from error


def _check_sum(path: Path, file: BinaryIO) -> None:
    expected = _published_sum(path)
    if expected is not None and hashlib.file_digest(file, "sha256").hexdigest() != expected:
        raise DataFileError(
            f"{path}: its SHA-256 sum is not the one in {_SUMS_FILE} beside it, so the file was "
            "damaged or changed. Fetch it again (in a clone of normlab: git checkout -- "
            f"{path}; an installed package: reinstall it)."
        )


def _published_sum(path: Path) -> str | None:
    """Return the sum of a file in the SHA256SUMS beside it; None where there is none.

    Lines in the two ways of sha256sum, with and without a star, and in that of BSD. Others are
    passed over, unless they speak of this file.
    """
    sums = path.with_name(_SUMS_FILE)
    try:
        raw = sums.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataFileError(
            f"{sums}: cannot be read ({error.strerror}), so {path.name} cannot be checked. Mend or "
            "remove it."
        ) from error
    encoding = "utf-16" if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    for line in raw.decode(encoding, errors="surrogateescape").splitlines():
        found = _SUM.fullmatch(line.strip())
        if found and posixpath.normpath(found["name"] or found["bsd_name"]) == path.name:
            return (found["sum"] or found["bsd_sum"]).lower()
        if not found and path.name in re.split(r"[\s*():/]", line.partition("#")[0]):
            raise DataFileError(
                f"{sums}: its line about {path.name} holds no SHA-256 sum, so the file cannot be "
                "checked. Mend or remove the line."
            )
    return None


def _parse(path: Path, file: BinaryIO) -> np.ndarray:
    """Read the header, and no more of what follows than it promises."""
    begin = _at_most(file, _PIECE)
    head = begin[:4]
    if len(head) < 4 or head[:2] != b"\x00\x00" or head[2] not in _TYPES:
        start = head.hex(" ") or "nothing"
        raise DataFileError(
            f"{path}: not an IDX file. Such a file starts with 00 00, a type and a number of "
            f"axes; this one starts with {start}. Check that it is the right file."
        )
    dtype, rank = _TYPES[head[2]], head[3]
    sizes, content = begin[4 : 4 + 4 * rank], begin[4 + 4 * rank :]
    if len(sizes) < 4 * rank:
        raise DataFileError(f"{path}: truncated in its header. Fetch the file again.")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    expected = math.prod(shape) * dtype.itemsize
    content += _at_most(file, expected + 1 - len(content))
    if len(content) != expected:
        what, found = ("truncated", f"{len(content):,} follow")
        if len(content) > expected:
            what, found = "too long", "more follow"
        raise DataFileError(
            f"{path}: {what}. Its header promises {expected:,} bytes for the shape {shape}, and "
            f"{found}. Fetch the file again."
        )
    try:
        numbers = np.frombuffer(content, dtype).reshape(shape)
    except ValueError as error:
        raise DataFileError(
            f"{path}: its header promises an array that cannot be ({rank} axes: {error}). Check "
            "that it is the right file."
        ) from error
    return numbers.astype(dtype.newbyteorder("="), copy=False)


def _at_most(file: BinaryIO, size: int) -> bytes:
    """Read so many bytes, or as many as there are; memory is taken as they come."""
    content = bytearray()
    while piece := file.read(max(0, min(_PIECE, size - len(content)))):
        content += piece
    return bytes(content)
