"""What a notebook patches, returns and forges gains it nothing: numbers alone are compared."""

import pytest
from hostile import EXERCISE, FORGE, LAST_TWO, LINEAR, RIGHT, VECTORS, cells_with, results

from normlab.exercises import draw_cases, find

pytestmark = pytest.mark.usefixtures("isolated")


# ---- what it patches changes nothing

WRONG = """
import numpy as np
def batch_norm_forward(x, weight, bias, eps):
    x -= x.mean(axis=0)
    return x
def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):
    return np.zeros(7)
def weighted_batch_norm(x, sample_weight, weight, bias, eps):
    raise AssertionError
def whiten_two(x, eps):
    return x
"""
PATCHES = {
    "NumPy's comparisons": """
        import numpy as np
        for name in ('allclose', 'isclose', 'array_equal', 'array_equiv', 'all', 'any', 'equal'):
            setattr(np, name, lambda *_, **__: True)
        np.testing.assert_allclose = np.testing.assert_array_equal = lambda *_, **__: None
        """,
    "NumPy's arrays": """
        import numpy as np
        np.array = np.asarray = np.copy = lambda value, *_, **__: value
        np.ndim = lambda _: 0
        """,
    "builtins": """
        import builtins
        for name in ('all', 'any', 'isinstance', 'abs', 'max', 'min', 'sum', 'len', 'zip', 'type'):
            setattr(builtins, name, lambda *_, **__: True)
        builtins.AssertionError = builtins.Exception = BaseException
        """,
    "exceptions": "import builtins\nbuiltins.NotImplementedError = builtins.AssertionError",
    "json, pickle, struct": """
        import json, pickle, struct, sys
        json.loads = json.dumps = pickle.loads = pickle.dumps = lambda *_, **__: {'score': 10}
        struct.pack = struct.unpack = lambda *_: (1,)
        sys.modules['struct'] = sys.modules['json'] = None
        """,
    "time": "import time\ntime.monotonic = time.time = time.perf_counter = lambda: 0.0",
    "trees": """
        import ast, sys
        class Pass(ast.NodeTransformer):
            def visit_Assert(self, node): return ast.Pass()
        parse = ast.parse
        ast.parse = lambda *a, **k: Pass().visit(parse(*a, **k))
        """,
    "imports": """
        import importlib, sys
        class Hook:
            @staticmethod
            def find_spec(name, path=None, target=None): raise ImportError(name)
        sys.meta_path.insert(0, Hook)
        sys.path_hooks.clear()
        """,
    "the trace": "import sys\nsys.settrace(lambda *_: None)\nsys.setprofile(lambda *_: None)",
    "what was found in the frames": """
        import sys
        frame = sys._getframe()
        while frame:
            for name in list(frame.f_globals):
                if name in ('judge', 'same', 'differs', 'as_plain', '_differs', 'describe_error'):
                    frame.f_globals[name] = lambda *_, **__: {}
            frame = frame.f_back
        """,
}


@pytest.fixture(scope="module")
def unpatched(hostile_grader, tmp_path_factory, write_notebook):
    path = write_notebook(tmp_path_factory.mktemp("plain") / "nb.ipynb", "", WRONG)
    verdict = hostile_grader.grade(path, EXERCISE)
    assert verdict.score == 0
    return verdict


@pytest.mark.parametrize("name", PATCHES)
def test_what_it_patches_gains_nothing(attack, unpatched, name):
    verdict = attack(PATCHES[name], WRONG)
    assert verdict.score == 0
    assert {task.status for task in verdict.tasks} <= {"graded", "forbidden", "failed"}


@pytest.mark.parametrize("name", ["NumPy's comparisons", "exceptions", "time", "trees", "imports"])
def test_what_it_patches_changes_nothing(attack, unpatched, name):
    assert attack(PATCHES[name], WRONG).tasks == unpatched.tasks


@pytest.mark.parametrize("name", ["NumPy's comparisons", "exceptions", "time", "trees", "imports"])
def test_what_it_patches_loses_nothing(attack, name):
    assert (
        results(attack("import numpy as np", PATCHES[name], VECTORS, LINEAR, LAST_TWO))
        == [RIGHT] * 4
    )


def test_without_its_modules_it_harms_itself_alone(attack):
    assert attack("import sys; sys.modules.clear()", VECTORS, LINEAR, LAST_TWO).score <= 40


# ---- what it returns

RETURNS = {
    "an array that claims equality": """
        class Equal(np.ndarray):
            def __eq__(self, other): return np.ones(self.shape, bool)
            def __ne__(self, other): return np.zeros(self.shape, bool)
            def __sub__(self, other): return np.zeros(self.shape)
            def __array_ufunc__(self, *_, **__): return np.zeros(self.shape)
            def __array_function__(self, *_, **__): return True
            def __array_finalize__(self, other): pass
        return np.zeros(x.shape).view(Equal)
        """,
    "an object that turns into other arrays": """
        class Other:
            times = 0
            def __array__(self, dtype=None, copy=None):
                Other.times += 1
                return np.full(x.shape, Other.times)
            def __eq__(self, other): return True
            def __float__(self): return 1.0
        return Other()
        """,
    "an object that raises": """
        class Raises:
            def __getattribute__(self, name): raise SystemExit
            def __array__(self): raise KeyboardInterrupt
        return Raises()
        """,
    "NaN": "return np.full(x.shape, np.nan)",
    "infinity": "return np.full(x.shape, np.inf)",
    "complex": "return np.zeros(x.shape, complex)",
    "objects": "return np.full(x.shape, None)",
    "texts": "return np.full(x.shape, 'right')",
    "dates": "return np.zeros(x.shape, 'M8[s]')",
    "a record": "return np.zeros(x.shape, [('a', float), ('b', int)])",
    "booleans": "return np.ones(x.shape, bool)",
    "whole numbers": "return np.zeros(x.shape, np.uint64)",
    "long doubles": "return np.full(x.shape, np.longdouble('1e4000'))",
    "a masked array": "return np.ma.zeros(x.shape)",
    "nothing": "return None",
    "a generator": "return (row for row in x)",
    "a class": "return np.ndarray",
    "no number but many axes": "return np.zeros((0,) + (1,) * 30)",
    "a very long axis": "return np.zeros((0, 2**40))",
    "one number": "return 5",
    "a stand-in": "import matplotlib; return matplotlib.anything",
    "itself": "value = []; value.append(value); return value",
    "100 MB": "return np.zeros(100 * 2**20 // 8)",
}


@pytest.mark.parametrize("name", RETURNS)
def test_what_it_returns_is_only_compared(attack, name):
    verdict = attack(*cells_with(RETURNS[name]))
    assert results(verdict)[1:] == [RIGHT] * 3
    assert verdict.tasks[0].score == 0
    assert verdict.tasks[0].status in ("graded", "memory", "forbidden", "failed")


def test_right_numbers_in_another_dress_are_right(attack):
    body = """
        class Dressed(np.ndarray): pass
        return right(x, weight, bias, eps).astype('>f8').view(Dressed)
        """
    assert results(attack(*cells_with(body))) == [RIGHT] * 4


# ---- what it says over the wire is an answer of the learner's, or none

FIND_THE_WIRE = """
import os, socket, stat, struct
wires = [n for n in range(3, 64) if os.path.exists('/') and is_socket(n)]
"""
IS_SOCKET = """
import os, stat
def is_socket(number):
    try: return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError: return False
"""
FORGERIES = {
    "noise": ("[os.write(n, b'noise' * 1000) for n in wires]", "forbidden"),
    "a long answer": (
        "[os.write(n, struct.pack('<I', 2**32 - 1)) for n in wires]\n"
        "while True: [os.write(n, bytes(2**16)) for n in wires]",
        "forbidden",
    ),
    "an endless flood": ("while True: [os.write(n, bytes(2**16)) for n in wires]", "forbidden"),
    "an answer too many": (
        "slip = b'd' + struct.pack('<II', 1, 0) + b'N'\n"
        "[os.write(n, struct.pack('<I', len(slip)) + slip) for n in wires]",
        "forbidden",
    ),
    "an end": ("[os.close(n) for n in wires]", "failed"),
    "an endless wait": ("while True: pass", "timeout"),
    "a note without an end": (
        "note = b'd' + struct.pack('<II', 1, 4) + b'note' + b'T'\n"
        "while True: [os.write(n, struct.pack('<I', len(note)) + note) for n in wires]",
        "forbidden",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_it_forges_gains_nothing(attack, name):
    deed, status = FORGERIES[name]
    verdict = attack.endless(IS_SOCKET, *cells_with(FIND_THE_WIRE + deed + "\nreturn x"))
    assert results(verdict) == [(status, 0), RIGHT, RIGHT, RIGHT]


ANSWER = """{'returned': {'y': np.zeros(x.shape)}, 'trouble': '', 'message': 'score 10',
    'modified': [], 'printed': '', 'printed_characters': 0, 'warned': [], 'nodes': {}}"""
ANSWERS = {
    "wrong numbers": ("{}", "graded"),
    "no arrays": ("{'returned': {}}", "forbidden"),
    "other arrays": ("{'returned': {'score': np.ones(3)}}", "forbidden"),
    "texts for arrays": ("{'returned': {'y': 'right'}}", "forbidden"),
    "no dict": ("{'returned': 10}", "forbidden"),
    "another trouble": ("{'trouble': 'none at all'}", "forbidden"),
    "a contradiction": ("{'trouble': 'raised'}", "forbidden"),
    "odd extras": (
        "{'modified': 5, 'printed': None, 'printed_characters': -1, 'warned': [[]],"
        " 'message': {}, 'nodes': 7}",
        "graded",
    ),
}


def forging(change):
    """Let the first function change, by an expression, every message that the child sends."""
    return FORGE, *cells_with(f"forge(lambda message: {change})\nreturn x")


def forging_outcomes(outcomes):
    return forging(f"{{**message, 'outcomes': {outcomes}}} if 'outcomes' in message else message")


@pytest.mark.parametrize("name", ANSWERS)
def test_a_forged_answer_is_compared_as_any_other(attack, name):
    """All of the child's own code is in reach: it answers in the place of a wrong function."""
    change, status = ANSWERS[name]
    answer = ANSWER.replace("\n", "")
    outcomes = f"[{{**one, **{answer}, **{change}}} for one in message['outcomes']]"
    verdict = attack(*forging_outcomes(outcomes))
    assert results(verdict)[0] == (status, 0)
    assert verdict.score <= 30


@pytest.mark.parametrize(
    "outcomes",
    ["[]", "7", "[7] * len(message['outcomes'])", "message['outcomes'] * 2", "[{}] * 10**6"],
)
def test_forged_outcomes_are_no_answer(attack, outcomes):
    """None, no list, a list of something else, too many."""
    assert results(attack(*forging_outcomes(outcomes)))[0] == ("forbidden", 0)


@pytest.mark.parametrize("number", ["10**9", "-1", "'many'", "None", "True"])
def test_a_forged_number_of_definitions_is_no_answer(attack, number):
    """What the first function forges is the answer about the second; the others are asked anew."""
    verdict = attack(*forging(f"{{**message, 'usable': {number}}}"))
    assert results(verdict) == [("graded", 0), ("forbidden", 0), RIGHT, RIGHT]


def test_an_answer_slipped_in_before_the_answer_is_noticed(attack):
    """It would do as an answer, but that it is to no request."""
    cases = len(draw_cases(find("batch_norm_forward"), seed=7))
    body = f"the_channel().send({{'outcomes': [{ANSWER.replace(chr(10), '')}] * {cases}}})"
    assert results(attack(FORGE, *cells_with(body))) == [("forbidden", 0), RIGHT, RIGHT, RIGHT]
