"""The messages between grader and child: what is written is read back, and nothing else is."""

import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from normlab.grading.prison import wire

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.binary(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.text("abc", max_size=5), inside, max_size=4)
    ),
    max_leaves=10,
)


@given(PLAIN)
@settings(max_examples=50, deadline=None)
def test_plain_values_come_back(value):
    if _depth(value) <= 6:
        back = wire.decode(wire.encode(value))
        assert back == value
        assert type(back) is type(value)


def _depth(value):
    inside = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_depth, inside), default=0) if isinstance(value, list | dict) else 0


DTYPES = hnp.integer_dtypes() | hnp.unsigned_integer_dtypes() | hnp.floating_dtypes()


@given(hnp.arrays(DTYPES | hnp.boolean_dtypes(), hnp.array_shapes(min_dims=0, min_side=0)))
@settings(max_examples=50, deadline=None)
def test_arrays_come_back(array):
    back = wire.decode(wire.encode({"x": array}))["x"]
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.flags.owndata
    assert np.array_equal(back, array, equal_nan=array.dtype.kind == "f")


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3).T, np.arange(9)[::-2], np.eye(3)])
def test_an_array_in_any_order_of_memory_comes_back(array):
    assert np.array_equal(wire.decode(wire.encode(array)), array)


def test_what_is_written_already_is_sent_as_it_is():
    value = {"x": np.eye(2), "names": ["a", None], "n": 3}
    message = wire.encode({"number": 1, "asked": wire.Encoded(value)})
    assert message == wire.encode({"number": 1, "asked": value})


def test_scalars_and_long_doubles_come_back():
    for value in (np.float32(1.5), np.int64(3), np.longdouble("1e400")):
        back = wire.decode(wire.encode(value))
        assert back == value
        assert type(back) is type(value)


def test_half_a_surrogate_pair_does_not_stop_a_message():
    assert wire.decode(wire.encode("a\ud800b")) == "a?b"


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, 2**63, 1j, np.array([None]), np.array(["a"]), np.zeros(2, "M8[s]"), len],
)
def test_anything_else_cannot_be_sent(value):
    with pytest.raises(wire.WireError):
        wire.encode(value)


@given(st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
@example(b"l" + b"\xff" * 4)
@example(b"d" + b"\xff" * 4)
@example(b"s\xff\xff\xff\xff")
@example(b"l\x01\x00\x00\x00" * 8)
@example(b"a\x03<f8\x01" + struct.pack("<Q", 2**61))
@example(b"a\x03<f8\x02" + struct.pack("<2Q", 2**62, 2**62))
@example(b"a\x03<f8\x02" + struct.pack("<2Q", 0, 2**63))
@example(b"a\x03<f8\x28" + bytes(8 * 40))
@example(b"a\x02|O\x01" + struct.pack("<Q", 1) + bytes(8))
@example(b"a\x03<U4\x00" + bytes(16))
@example(b"s\x01\x00\x00\x00\xff")
@example(b"N" * 2)
@example(b"a\x02\xff\xfe\x00")
def test_noise_is_read_or_refused_and_nothing_else(data):
    try:
        value = wire.decode(data)
    except wire.WireError:
        return
    assert wire.decode(wire.encode(value)) is not NotImplemented


@given(PLAIN | hnp.arrays(np.float64, (2, 3)).map(lambda x: {"x": x}), st.data())
@settings(max_examples=50, deadline=None)
def test_a_message_cut_short_or_prolonged_is_refused(value, data):
    if not isinstance(value, dict | list) or _depth_of_any(value) <= 6:
        message = wire.encode(value)
        cut = data.draw(st.integers(0, len(message) - 1))
        for broken in (message[:cut], message + b"N"):
            with pytest.raises(wire.WireError):
                wire.decode(broken)


def _depth_of_any(value):
    return _depth(value) if not any(isinstance(v, np.ndarray) for v in _values(value)) else 1


def _values(value):
    return value.values() if isinstance(value, dict) else value


def test_a_small_message_does_not_make_a_large_list():
    with pytest.raises(wire.WireError):
        wire.decode(b"l" + struct.pack("<I", 2**31))


def test_a_deep_nest_is_refused():
    with pytest.raises(wire.WireError, match="too deep"):
        wire.decode(b"l\x01\x00\x00\x00" * 100_000)


def test_many_small_values_are_more_than_may_be_read():
    """Each of them would cost a hundred times its bytes."""
    one = np.zeros(0)
    crowd = [one] * 30_000
    for message in (crowd, [crowd[:150]] * 200, {str(n): None for n in range(30_000)}):
        with pytest.raises(wire.WireError, match="too many values"):
            wire.decode(wire.encode(message))
    assert len(wire.decode(wire.encode(crowd[:10_000]))) == 10_000
