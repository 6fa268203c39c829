"""The check never crashes on what it is given, and says what is the matter."""

import functools
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
import types
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import normlab.exercises
from normlab import check
from normlab.exercises.arrays import cut, expected_and_got
from normlab.exercises.calling import TimeIsUp, Unusable, as_plain, stop_after

NAME = "batch_norm_forward"


def right(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + bias


def said(report):
    """Return the report's text in one line, having made the HTML as well."""
    assert report._repr_html_().startswith("<div")
    return " ".join(str(report).split())


def returning(value):
    return lambda x, weight, bias, eps: value


def raising(error):
    def answer(x, weight, bias, eps):
        raise error

    return answer


# ---- what is not a function


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("batch_norm_forward", "This is not a function but a str."),
        (None, "This is not a function but None."),
        (3, "This is not a function but an int."),
        (np.zeros((2, 3)), "This is not a function but an array: the result of a call."),
        ([right], "This is not a function but a list."),
        (np, "This is not a function but a module."),
        (NotImplemented, "This is not a function but a NotImplementedType."),
        (dict, "This is a class (dict), and the task asks for a function."),
        (lambda x: x, "Your function is called as <lambda>(x), and the task's as"),
        (lambda *, x, weight, bias, eps: x, "Your function is called as <lambda>(*, x,"),
        (lambda a, b, c, d, e: a, "Your function is called as <lambda>(a, b, c, d, e), and"),
    ],
    # Not the answer's repr: it may hold an address, and then every process has other names.
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_be_called_gets_no_points_and_advice(answer, message):
    report = check(NAME, answer)
    assert message in said(report)
    assert "Next: " in said(report)
    assert report.points == 0
    assert report.max_points == 10


class Layer:
    def __call__(self, x, weight, bias, eps):
        return right(x, weight, bias, eps)

    def forward(self, x, weight, bias, eps):
        return right(x, weight, bias, eps)


@pytest.mark.parametrize(
    "answer",
    [
        Layer(),
        Layer().forward,
        functools.partial(lambda power, *args: right(*args), 2),
        lambda a, b, c, d: right(a, b, c, d),
        lambda *args: right(*args),
        lambda x, weight, bias, eps, axis=0: right(x, weight, bias, eps),
        functools.lru_cache(lambda x, weight, bias, eps: x),
    ],
    ids=["object", "method", "partial", "other names", "star", "default", "cached"],
)
def test_whatever_can_be_called_is_called(answer):
    report = check(NAME, answer)
    cannot_hash = "unhashable" in said(report)
    assert report.passed or cannot_hash


def test_functions_without_a_signature_are_called():
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(max)
    assert "It raised ValueError" in said(check(NAME, max))
    assert check(NAME, np.add).points == 0


class Resistant:
    """Refuses to be looked at, and to be called."""

    def __getattribute__(self, name):
        raise RuntimeError("no")

    def __call__(self, *args):
        raise RuntimeError("no")


class Liar:
    """Claims to be a function of other things."""

    __signature__ = "not a signature"
    __name__ = 3

    def __call__(self, *args):
        return right(*args)


class Keys(dict):
    """Has its keys as attributes, and another error than Python's where one is missing."""

    __getattr__ = dict.__getitem__


class Unnamed(type):
    """Makes classes that do not tell their names."""

    @property
    def __name__(cls):
        raise RuntimeError("no")


def test_objects_that_resist():
    assert check(NAME, Resistant()).points == 0
    assert check(NAME, Liar()).passed
    assert "This is not a function but a Keys." in said(check(NAME, Keys()))
    assert "This is a class (Unnamed), and" in said(check(NAME, Unnamed("Any", (), {})))
    other = type("Other", (Liar,), {"__signature__": inspect.signature(lambda x: x)})
    assert "Your function is called as Other(x), and" in said(check(NAME, other()))


def test_names_that_are_none():
    assert 'There is no exercise called "batchnorm".' in said(check("batchnorm", right))
    assert "not a function" in said(check(right))
    assert "not a NoneType" in said(check(None, None))
    assert "not a list" in said(check([], right))
    assert check("x" * 10_000, right).points == 0
    assert len(str(check("x" * 10_000, right))) < len(str(check("x", right))) + 100


# ---- what comes back


class Raises(np.ndarray):
    """An array that claims to equal everything."""

    def __eq__(self, other):
        return True

    def __array_ufunc__(self, *args, **kwargs):
        return True


class NoArray:
    def __array__(self, *args, **kwargs):
        raise OSError("no array")


class Tensor:
    """Stands for torch's, which NumPy can read."""

    __module__ = "torch"

    def __array__(self, *args, **kwargs):
        return np.zeros((3, 2))


def generator():
    yield 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "It returned None. Is there a `return` on every way out?"),
        ("text", "What it returned is not an array of real numbers: str of <U4."),
        (b"bytes", "What it returned is not an array of real numbers"),
        ({"y": 1}, "What it returned is not an array of real numbers: dict of object."),
        (generator(), "not an array of real numbers: generator of object."),
        (Layer, "not an array of real numbers: type of object."),
        ((np.zeros((3, 2)),), "It returned a tuple of one (is there a comma too many?), where"),
        ((1, 2, 3), "It returned a tuple of 3, where one array is asked for."),
        ([[1.0], [1.0, 2.0]], "What it returned cannot be read as an array of numbers: list."),
        (np.zeros((3, 2), complex), "numpy.ndarray of complex128."),
        (np.zeros((3, 2), bool), "numpy.ndarray of bool."),
        (np.zeros((3, 2), object), "numpy.ndarray of object."),
        (np.zeros((3, 2), "datetime64[s]"), "numpy.ndarray of datetime64[s]."),
        (np.zeros((3, 2), [("a", int)]), "not an array of real numbers"),
        (NoArray(), "cannot be read as an array of numbers"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_array_is_named(value, message):
    report = check(NAME, returning(value))
    assert message in said(report)
    assert report.points == 0


def test_a_tensor_is_no_array():
    with pytest.raises(Unusable, match=r"a torch\.Tensor, where a NumPy array is asked for"):
        as_plain(Tensor(), ("y",), forbidden=("torch",))
    assert as_plain(Tensor(), ("y",))["y"].shape == (3, 2)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.0, "y should have the shape (3, 2); yours is (): 0 axes where 2 are asked."),
        (np.zeros(2), "yours is (2,): 1 axis where 2 are asked."),
        (np.zeros((2, 3)), "yours is (2, 3): the axes are in another order."),
        (np.zeros((3, 5)), "yours is (3, 5): axis 1 has 5 where 2 is asked."),
        (np.zeros((7, 2)), "yours is (7, 2): axis 0 has 7 where 3 is asked."),
        (np.zeros((1, 3, 2)), "yours is (1, 3, 2): 3 axes where 2 are asked."),
        (np.zeros(0), "yours is (0,)"),
        (np.zeros((3, 2)).view(Raises), "expected 1.29777, got 0."),
        (np.full((3, 2), np.nan), "expected 1.29777, got nan."),
        (np.full((3, 2), -np.inf), "expected 1.29777, got -inf."),
        (np.zeros((3, 2), np.int8), "Your numbers are whole (int8)"),
    ],
    ids=str,
)
def test_wrong_arrays_are_shown(value, message):
    report = check(NAME, returning(value))
    assert message in said(report)
    assert report.points == 0
    assert "Not counted: nothing came back that was computed" in said(report)


def test_a_difference_between_the_corners_of_a_large_array_is_shown():
    def shifts_a_matrix(state, to):
        step = 1 if to == "w" else -1
        shifted = ("norm.weight", "self_attn.q_proj.weight")
        return {
            name: np.float32(one)
            + np.float32(step * (name.endswith(shifted) and ".linear_attn." not in name))
            for name, one in state.items()
        }

    assert "expected rest[" in said(check("convert_norms", shifts_a_matrix))
    expected = np.arange(90.0).reshape(9, 10)
    for wrong in (0.0, np.nan, np.inf):
        got = expected.copy()
        got[4, 5] = wrong
        one, other = expected_and_got("y", expected, got)
        assert one.startswith("expected y[3:6, 4:7] =")
        assert f"{wrong:g}" in other
    assert len(cut(expected_and_got("y", np.zeros((9, 9)), np.zeros((8, 9))), 4)) == 2


@pytest.mark.parametrize("first", range(3, 7))
def test_an_answer_that_is_empty_in_some_cases_is_told_its_shape(first):
    report = check(NAME, lambda x, weight, bias, eps: x[first:])
    assert report.points <= 1
    assert "yours is (0, 2): axis 0 has 0 where 3 is asked" in said(report)
    assert "All your numbers are 0" not in said(report)


def test_lists_and_subclasses_count_by_their_values():
    assert check(NAME, lambda *args: right(*args).tolist()).passed
    assert check(NAME, lambda *args: np.asmatrix(right(*args))).passed
    assert check(NAME, lambda *args: np.ma.masked_less(right(*args), 0)).passed
    assert not check(NAME, lambda *args: (2 * right(*args)).view(Raises)).passed


def test_whole_numbers_are_named():
    def answer(x, weight, bias, eps):
        y = np.zeros(x.shape, dtype=int)
        y[:] = right(x, weight, bias, eps)
        return y

    assert "whole (int64): what came after the point is cut off." in said(check(NAME, answer))


def test_what_wrong_numbers_have_in_common_is_said():
    def of(answer):
        return said(check(NAME, answer))

    assert "the expected ones times -1, everywhere" in of(lambda *args: -right(*args))
    assert "the expected ones plus 3, everywhere" in of(lambda *args: right(*args) + 3)
    assert "What came back is x, as it was given." in of(lambda x, w, b, e: x)
    square = [[1.0, 2.0], [4.0, 3.0]]
    pattern = normlab.exercises.report.describe_pattern
    assert "rows and columns exchanged" in pattern(np.array(square).T, np.array(square), {})
    assert pattern(np.array(square), np.array(square) ** 2, {}) == ""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros(3), "It returned one numpy.ndarray, where 3 values (y, mean, var) are asked"),
        ((1, 2), "It returned a tuple of 2, where 3 values (y, mean, var) are asked for."),
        ((np.zeros(3), None, None), "`mean` is not an array of real numbers: NoneType of object"),
        ({"y": 1, "mean": 2, "var": 3}, "It returned one dict, where 3 values"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_several_values(value, message):
    report = check("linear_then_batch_norm", lambda x, lw, lb, w, b, e: value)
    assert message in said(report)
    assert report.points == 0


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.sets(st.integers()),
        max_leaves=6,
    )
)
def test_no_value_crashes_the_reading(value):
    try:
        outputs = as_plain(value, ("y",))
    except Unusable:
        return
    assert outputs["y"].dtype.kind in "fiu"


# ---- what it raises


class MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("shapes do not\nmatch"), "It raised ValueError: shapes do not match"),
        (SystemExit(0), "It raised SystemExit: 0"),
        (GeneratorExit(), "It raised GeneratorExit"),
        (RecursionError("deep"), "It raised RecursionError: deep"),
        (MemoryError(), "It raised MemoryError"),
        (StopIteration(), "It raised StopIteration"),
        (AssertionError("x" * 5000), "It raised AssertionError: xxx"),
        (MuteError(), "It raised MuteError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_are_shown_with_their_line(error, message):
    report = check(NAME, raising(error))
    assert message in said(report)
    assert "at the line raise error" in said(report)
    assert said(report).count("the same again") == 3
    assert "Next: fix what raises the error" in said(report)
    assert report.points == 0
    assert len(str(report)) < 2500


class EndlessError(Exception):
    def __str__(self):
        while True:
            pass


def test_an_error_that_never_says_what_it_is_is_shown_without(monkeypatch):
    monkeypatch.setattr(normlab.exercises.calling, "_SECONDS_TO_SPEAK", 0.02)
    assert "It raised EndlessError" in said(check(NAME, raising(EndlessError())))


def test_half_a_character_can_be_shown():
    def answer(x, weight, bias, eps):
        print("half \ud800")
        warnings.warn("of \udfff", stacklevel=1)
        raise ValueError("a \ud83d character")

    report = check(NAME, answer)
    for text in (str(report), report._repr_html_()):
        text.encode()  # as Jupyter does
        assert "a ? character" in " ".join(text.split())
        assert "half ?" in text


def test_the_line_is_the_learners_and_not_numpys():
    def answer(x, weight, bias, eps):
        total = np.concatenate([x, weight])  # two axes and one
        return total + bias

    assert "at the line total = np.concatenate([x, weight])" in said(check(NAME, answer))


def test_an_error_in_some_cases_only():
    def answer(x, weight, bias, eps):
        if x.dtype == np.float32:
            raise KeyError("float32")
        return right(x, weight, bias, eps)

    report = check(NAME, answer)
    assert report.points == 9
    assert "On (50, 50) in float32, far from zero: It raised KeyError: 'float32'" in said(report)


def test_bottomless_recursion():
    def answer(x, weight, bias, eps):
        return answer(x, weight, bias, eps)

    assert "It raised RecursionError" in said(check(NAME, answer))


def test_the_learners_own_interrupt_is_not_caught():
    with pytest.raises(KeyboardInterrupt):
        check(NAME, raising(KeyboardInterrupt()))
    assert sys.stdout is not None
    print("still here")


def test_an_answer_that_is_not_begun():
    report = check(NAME, raising(NotImplementedError()))
    assert report.points == 0
    assert "Not begun yet" in said(report)
    assert "Next: take the mean of each channel" in said(report)


def test_an_answer_that_is_half_begun():
    def answer(x, weight, bias, eps):
        if weight.min() == 1:
            return right(x, weight, bias, eps)
        raise NotImplementedError

    report = check(NAME, answer)
    assert report.points == 7
    assert "Next: write the part that still raises NotImplementedError" in said(report)


# ---- time


alarm = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no alarm on this platform")


def loops_bare(x, weight, bias, eps):
    while True:
        pass


def loops_and_catches(x, weight, bias, eps):
    while True:
        try:
            x.sum()
        except Exception:
            continue


def loops_and_catches_all(x, weight, bias, eps):
    while True:
        try:
            x.sum()
        except:  # noqa: E722 - as a learner may write it
            continue


def sleeps(x, weight, bias, eps):
    time.sleep(1000)


@alarm
@pytest.mark.parametrize(
    "answer",
    [loops_bare, loops_and_catches, loops_and_catches_all, sleeps],
    ids=lambda f: f.__name__,
)
def test_a_loop_without_end_is_ended(answer, monkeypatch):
    monkeypatch.setattr(normlab.exercises, "_SECONDS", 0.2)
    report = check(NAME, answer)
    assert "It had not come to an end when the time was up." in said(report)
    assert said(report).count("not called any more") == 3
    assert "Next: find the loop that never ends" in said(report)
    assert report.points == 0


@alarm
def test_a_loop_without_end_in_one_case_does_not_take_the_other_points(monkeypatch):
    monkeypatch.setattr(normlab.exercises, "_SECONDS", 0.5)

    def answer(x, weight, bias, eps):
        while x.dtype == np.float32:
            pass
        return right(x, weight, bias, eps)

    assert check(NAME, answer).points == 9


@alarm
def test_the_alarm_is_given_back():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        check(NAME, right)
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        assert 20 < left < 30
        with pytest.raises(TimeIsUp), stop_after(0.05):
            time.sleep(5)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        os.kill(os.getpid(), signal.SIGALRM)
        assert rung == [True]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_outside_the_main_thread_there_is_no_alarm_and_no_trouble():
    reports = []
    thread = threading.Thread(target=lambda: reports.append(check(NAME, right)))
    thread.start()
    thread.join()
    assert reports[0].passed


# ---- what it prints and warns


def test_a_megabyte_is_cut(capsys):
    def answer(x, weight, bias, eps):
        print("<b>" + "a" * 1_000_000)
        return right(x, weight, bias, eps)

    report = check(NAME, answer)
    assert report.passed
    assert "printed 12,000,048 characters; here are the first 300:" in said(report)
    assert len(str(report)) < 1500
    assert "&lt;b&gt;aaa" in report._repr_html_()
    assert capsys.readouterr() == ("", "")


def test_what_is_printed_is_shown_once(capsys):
    def answer(x, weight, bias, eps):
        print("mean", x.mean(0).shape)
        print("loud", file=sys.stderr)
        return right(x, weight, bias, eps)

    report = check(NAME, answer)
    assert "here are those of one call: mean (2,) loud" in said(report)
    assert str(report).count("mean (") == 1
    assert capsys.readouterr() == ("", "")


def test_an_answer_that_breaks_its_standard_output():
    def answer(x, weight, bias, eps):
        sys.stdout.close()
        sys.stdout = None
        return right(x, weight, bias, eps)

    before = sys.stdout
    assert check(NAME, answer).passed
    assert sys.stdout is before


def test_numpys_warnings_are_quoted_where_something_is_wrong(capsys):
    def answer(x, weight, bias, eps):
        warnings.warn("mine", stacklevel=1)
        return weight * (x - x.mean(0)) / np.sqrt(x.var(0)) + bias

    report = check(NAME, answer)
    assert "NumPy warned: invalid value encountered in divide; mine." in said(report)
    assert capsys.readouterr() == ("", "")


def test_numpys_warnings_are_not_quoted_where_all_is_well():
    def answer(x, weight, bias, eps):
        warnings.warn("mine", stacklevel=1)
        return right(x, weight, bias, eps)

    assert "warned" not in said(check(NAME, answer))


# ---- what it does to others


def changes_x(x, weight, bias, eps):
    x -= x.mean(0)
    x /= np.sqrt(x.var(0) + eps)
    return weight * x + bias


def changes_weight(x, weight, bias, eps):
    y = right(x, weight, bias, eps)
    weight[:] = 0
    return y


def reshapes_x(x, weight, bias, eps):
    y = right(x, weight, bias, eps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x.shape = (-1,)
    return y


def puts_nan_into_x(x, weight, bias, eps):
    y = right(x, weight, bias, eps)
    x[0, 0] = np.nan
    return y


@pytest.mark.parametrize(
    ("answer", "changed"),
    [
        (changes_x, "x"),
        (changes_weight, "weight"),
        (reshapes_x, "x"),
        (puts_nan_into_x, "x"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_changed_argument_costs_its_own_aspect(answer, changed):
    report = check(NAME, answer)
    assert report.points == 9
    assert f"Your function changed {changed}, which belongs to the caller." in said(report)
    assert "Next: work on a copy" in said(report)
    assert check(NAME, answer, seed=3).points == 9


def test_a_changed_argument_beside_a_named_mistake():
    def answer(x, weight, bias, eps):
        x -= x.mean(0)
        return weight * x / np.sqrt(x.var(0, ddof=1) + eps) + bias

    report = check(NAME, answer)
    assert report.mistakes == ("unbiased variance",)
    assert "Your function changed x" in said(report)
    assert report.points == 6


def test_global_settings_of_numpy_do_no_harm():
    np.random.seed(3)
    expected = np.random.RandomState(3).rand()
    with np.errstate(all="raise"), np.printoptions(precision=1, threshold=1):
        named = check(NAME, lambda x, w, b, e: w * (x - x.mean(0)) / (x.std(0) + e) + b)
        unnamed = check(NAME, lambda x, w, b, e: w * x + 2 * b)
    assert named.mistakes == ("eps outside the root",)
    assert str(unnamed) == str(check(NAME, lambda x, w, b, e: w * x + 2 * b))
    assert np.random.rand() == expected


# ---- on whose shoulders it stands

torch = types.ModuleType("torch")
torch.var = lambda x: x.var(0)


def uses_torch(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / np.sqrt(torch.var(x) + eps) + bias


def imports_torch(x, weight, bias, eps):
    import torch.nn.functional as nn

    return nn.batch_norm(x, None, None, weight, bias, True, eps=eps)


def helper(x):
    return torch.var(x)


def asks_a_helper(x, weight, bias, eps):
    return weight * (x - x.mean(0)) / np.sqrt(helper(x) + eps) + bias


def hides_it_inside(x, weight, bias, eps):
    return (lambda: torch.var(x))()


def uses_the_course(x, weight, bias, eps):
    return functional.batch_norm(x, None, None, weight, bias, True, eps=eps)


from normlab.nn import functional  # noqa: E402 - as in a cell further down


@pytest.mark.parametrize(
    ("answer", "package"),
    [
        (uses_torch, "torch"),
        (imports_torch, "torch"),
        (asks_a_helper, "torch"),
        (hides_it_inside, "torch"),
        (functools.partial(uses_torch), "torch"),
        (uses_the_course, "normlab"),
    ],
    ids=["global", "import", "helper", "lambda", "partial", "normlab.nn"],
)
def test_the_work_of_a_library_gets_no_points(answer, package):
    report = check(NAME, answer)
    assert f"Your function uses {package}." in said(report)
    assert report.points == 0


def test_a_word_is_no_use_of_a_library():
    def answer(x, weight, bias, eps):
        """Not torch."""
        torch = x.mean(0)
        return weight * (x - torch) / np.sqrt(x.var(0) + eps) + bias

    assert check(NAME, answer).passed


def test_checking_does_not_import_torch():
    script = (
        "import sys, numpy as np; from normlab import check\n"
        "print(check('batch_norm_forward', lambda x, weight, bias, eps: x))\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "0 of 10 points" in done.stdout


@alarm
def test_an_alarm_never_outlives_its_block():
    """It rings on until the block is left, and must not ring while it is taken back."""
    end, stopped = time.monotonic() + 2, 0
    while time.monotonic() < end:
        try:
            with stop_after(1e-4 * (1 + stopped % 17)):
                for _ in range(stopped % 200):
                    sum(range(100))
        except TimeIsUp:
            pass
        stopped += 1
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@alarm
def test_an_answer_may_have_the_alarms_own_name():
    def alarm():
        while True:
            pass

    with pytest.raises(TimeIsUp), stop_after(0.1):
        alarm()
