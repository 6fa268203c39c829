"""IDX files: every way in which one can be wrong is told, with its name."""

import gzip
import hashlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from normlab.data import DataFileError, read_idx


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=st.sampled_from(["uint8", "int8", "int16", "int32", "float32", "float64"]).flatmap(
        lambda name: hnp.arrays(name, hnp.array_shapes(max_dims=4))
    ),
    zipped=st.booleans(),
)
def test_reads_what_was_written(idx_bytes, tmp_path_factory, array, zipped):
    path = tmp_path_factory.mktemp("idx") / "numbers"
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content) if zipped else content)
    found = read_idx(path)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_whether_it_is_gzipped_is_seen_from_the_content(idx_bytes, tmp_path, images):
    path = tmp_path / "not-zipped.gz"
    path.write_bytes(idx_bytes(images))
    np.testing.assert_array_equal(read_idx(path), images)


def damage(content, kind):
    return {
        "truncated": content[:-7],
        "too long": content + b"abc",
        "truncated in its header": content[:9],
        "not an IDX file": b"\x01\x02" + content[2:],
        "unknown type": content[:2] + b"\x07" + content[3:],
        "empty": b"",
        "gzip data is truncated": gzip.compress(content)[:-20],
        "gzip data is damaged": gzip.compress(content)[:12] + b"\xff" * 40,
        "an HTML page instead": b"<html>404 Not Found</html>",
    }[kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "truncated. Its header promises 60 bytes"),
        ("too long", "too long. Its header promises 60 bytes"),
        ("truncated in its header", "truncated in its header"),
        ("not an IDX file", "not an IDX file"),
        ("unknown type", "not an IDX file"),
        ("empty", "not an IDX file"),
        ("gzip data is truncated", "the gzip data is truncated or damaged"),
        ("gzip data is damaged", "the gzip data is truncated or damaged"),
        ("an HTML page instead", "not an IDX file"),
    ],
)
def test_a_damaged_file_is_named(idx_bytes, tmp_path, images, kind, message):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(damage(idx_bytes(images), kind))
    with pytest.raises(DataFileError) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataFileError, match=r"nothing-here: cannot be read \(No such file"):
        read_idx(tmp_path / "nothing-here")


def test_a_sum_that_does_not_fit_is_told(idx_bytes, tmp_path, images):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(idx_bytes(images))
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    read_idx(path)
    changed = idx_bytes(images ^ 1)  # a valid file, with other pixels
    path.write_bytes(changed)
    with pytest.raises(DataFileError, match="its SHA-256 sum is not the one in SHA256SUMS"):
        read_idx(path)
