"""Notebooks that do all they can: none gets a point for it, and the next one is graded as ever.

Each case is a notebook of lesson 2, all of whose tasks are right but for what it tries. What it
tries is real: the sockets that it looks for listen, the files that it deletes are there.
"""

import contextlib
import functools
import json
import os
import socket
import tempfile
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from normlab.exercises import draw_cases, find
from normlab.grading import Grader, Limits, NoIsolation, best_isolation
from normlab.grading.prison.limits import MEBIBYTE

EXERCISE = "02_batch_norm_forward"
VECTORS = """
import numpy as np
def batch_norm_forward(x, weight, bias, eps):
    mean, var = x.mean(axis=0), x.var(axis=0)
    return weight * (x - mean) / np.sqrt(var + eps) + bias
"""
LINEAR = """
def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):
    z = x @ linear_weight.T
    mean, var = z.mean(axis=0), z.var(axis=0)
    return weight * (z - mean) / np.sqrt(var + eps) + bias, mean + linear_bias, var
"""
LAST_TWO = """
def weighted_batch_norm(x, sample_weight, weight, bias, eps):
    share = (sample_weight / sample_weight.sum())[:, None]
    mean = (share * x).sum(axis=0)
    var = (share * (x - mean) ** 2).sum(axis=0)
    return weight * (x - mean) / np.sqrt(var + eps) + bias
def whiten_two(x, eps):
    d = x - x.mean(axis=0)
    cov = d.T @ d / len(x)
    values, vectors = np.linalg.eigh(cov + eps * np.eye(2))
    return d @ (vectors / np.sqrt(values)) @ vectors.T, cov
"""
NAMES = (
    "batch_norm_forward",
    "linear_then_batch_norm",
    "weighted_batch_norm",
    "whiten_two",
)
RIGHT = ("graded", 10)


def isolated():
    try:
        best_isolation()
    except NoIsolation:
        return False
    return True


pytestmark = pytest.mark.skipif(not isolated(), reason="nothing to isolate with")


LIMITS = Limits(
    seconds=60,
    cell_seconds=10,
    call_seconds=10,
    memory=128 * MEBIBYTE,
    file_size=4 * MEBIBYTE,
)


@pytest.fixture(scope="module")
def grader():
    with Grader(seed=7, limits=LIMITS) as one:
        yield one


@pytest.fixture(scope="module")
def impatient_grader():
    with Grader(seed=7, limits=replace(LIMITS, cell_seconds=0.3, call_seconds=0.3)) as one:
        yield one


@pytest.fixture
def grade(grader, impatient_grader, tmp_path, write_notebook):
    """Return a function that grades cells, and then a right notebook: nothing may be left over."""
    neighbour = write_notebook(tmp_path / "neighbour" / "nb.ipynb", VECTORS, LINEAR, LAST_TWO)

    def run(*cells, grader=grader):
        path = write_notebook(tmp_path / "hostile" / "nb.ipynb", *map(textwrap.dedent, cells))
        verdict = grader.grade(path, EXERCISE)
        assert [task.task for task in verdict.tasks] == list(NAMES)
        assert grader.grade(neighbour, EXERCISE).score == 40
        return verdict

    run.endless = functools.partial(run, grader=impatient_grader)
    return run


@pytest.fixture
def open_folder():
    """Return a folder that any user reaches: nothing but the isolation protects what is in it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


def results(verdict):
    return [(str(task.status), task.score) for task in verdict.tasks]


def with_body(body):
    """Write the first task's function with this body before its right answer."""
    head = "def batch_norm_forward(x, weight, bias, eps):\n"
    return head + textwrap.indent(
        textwrap.dedent(body).strip("\n") + "\nreturn right(x, weight, bias, eps)", "    "
    )


def cells_with(body):
    right = VECTORS.replace("def batch_norm_forward(", "def right(")
    return right, with_body(body), LINEAR, LAST_TWO


# ---- a cell of it is hostile: all tasks are right all the same

LOOP_FOR_ALARMS = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
while True:
    pass
"""
CELLS = {
    "endless loop": "while True: pass",
    "endless loop that catches": """
        while True:
            try:
                while True: pass
            except BaseException: pass
        """,
    "endless loop, deaf to alarms": LOOP_FOR_ALARMS,
    "endless wait": "import threading; threading.Event().wait()",
    "endless __del__": """
        class Endless:
            def __del__(self):
                while True: pass
        Endless()
        kept = Endless()
        """,
    "endless atexit": """
        import atexit
        @atexit.register
        def never():
            while True: pass
        """,
    "endless thread": """
        import threading
        def never():
            while True: pass
        threading.Thread(target=never).start()
        """,
    "sys.exit": "import sys; sys.exit(0)",
    "os._exit": "import os; os._exit(0)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "abort": "import os; os.abort()",
    "crash": "import ctypes; ctypes.string_at(0)",
    "kill of the parent": "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    "kill of all": "import os, signal; os.kill(-1, signal.SIGKILL)",
    "fork bomb": """
        import os
        while True:
            os.fork()
        """,
    "endless fork bomb that catches": """
        import os
        while True:
            try: os.fork()
            except OSError: pass
        """,
    "10 GB": "kept = bytearray(10 * 2**30)",
    "10 GB in pieces": "kept = []\nwhile True: kept.append(bytearray(2**20))",
    "10 GB in a dict of texts": "kept = {}\nwhile True: kept[len(kept)] = str(len(kept)) * 1000",
    "10 GB of output": "print('x' * (10 * 2**30))",
    "endless 10 GB of output in pieces": "while True: print('x' * 2**20)",
    "endless 10 GB of output past Python": "import os\nwhile True: os.write(1, b'x' * 2**20)",
    "1 GB file": "open('big', 'wb').write(bytes(2**20) * 1024)",
    "many files": """
        import os
        for n in range(2000):
            os.mkdir(f'd{n}', mode=0)
            open(f'f{n}', 'wb').write(bytes(4096))
        """,
    "recursion": "def down(): return down()\ndown()",
    "endless recursion": """
        import sys
        sys.setrecursionlimit(2**31 - 1)
        def down(): return [down()]
        down()
        """,
    "recursion in C": """
        import sys
        sys.setrecursionlimit(2**31 - 1)
        nested = []
        for _ in range(10**6): nested = [nested]
        repr(nested)
        """,
    "input": "answer = input('your name? ')\nint(input('a number? '))",
    "a syntax error": "def broken(:",
    "a deep expression": "x = " + "(" * 5000 + "1" + ")" * 5000,
    "a deep sum": "x = " + "+".join(["1"] * 100_000),
    "magics": "%matplotlib inline\n!pip install torch\n%%bash\nx = !ls\nlen?\n?len",
    "another language": "%%bash\nrm -rf /",
    "plots": """
        import matplotlib.pyplot as plt
        fig, (left, right) = plt.subplots(1, 2)
        left.plot([1, 2, 3], label='x')
        plt.show()
        """,
    "displays": """
        from IPython.display import display, HTML
        display(HTML('<script>alert(1)</script>'))
        get_ipython().run_line_magic('time', '1')
        """,
    "a thousand checks": """
        from normlab import check
        for _ in range(1000):
            report = check('batch_norm_forward', None)
            assert report.points > 0
        """,
    "closed descriptors": "import os\nos.closerange(0, 1)",
    "other folder": "import os\nos.mkdir('inner')\nos.chdir('inner')\nos.rmdir('../inner')",
    "signals": "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)",
    "limits": """
        import resource
        for name in ('RLIMIT_AS', 'RLIMIT_NPROC', 'RLIMIT_CPU'):
            try: resource.setrlimit(getattr(resource, name), (-1, -1))
            except (ValueError, OSError): pass
        """,
}


@pytest.mark.parametrize("name", CELLS)
def test_a_hostile_cell_does_not_stop_the_next(grade, name):
    run = grade.endless if name.startswith("endless") else grade
    verdict = run("import numpy as np", CELLS[name], VECTORS, LINEAR, LAST_TWO)
    assert results(verdict) == [RIGHT] * 4


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("import os; os._exit(0)", "failed"),
        ("import sys; sys.exit(0)", "graded"),  # the cell goes no further, and the notebook does
        ("import os; os.fork(); os._exit(0)", "graded"),
        ("import os\ntry: os.fork()\nexcept OSError: os._exit(0)", "forbidden"),
        ("while True: pass", "timeout"),
        ("kept = []\nwhile True: kept.append(bytearray(2**20))", "memory"),
    ],
    ids=["exit", "sys.exit", "refused", "refused and exit", "timeout", "memory"],
)
def test_what_a_missing_cell_costs_is_no_judgement(grade, end, status):
    """The cell that imports NumPy ends or is ended, and its import is lost with it."""
    imports = f"import sys\n{end}\nimport numpy as np\nimport numpy"
    vectors = VECTORS.replace("import numpy as np", "")
    verdict = grade.endless(imports, vectors, LINEAR, LAST_TWO)
    assert results(verdict) == [(status, 0)] * 4
    if status != "graded":
        assert "code cell 1 is missing" in verdict.tasks[0].feedback
        assert any("NameError" in aspect.message for aspect in verdict.tasks[0].aspects)


def test_a_function_that_answers_is_judged_whatever_cell_is_missing(grade):
    other = VECTORS.replace("+ bias", "- bias")
    raises = (
        "def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):\n    1 / 0"
    )
    verdict = grade("import os; os._exit(0)", other, raises, LAST_TWO)
    assert [str(task.status) for task in verdict.tasks] == ["graded", "failed", "graded", "graded"]
    assert verdict.tasks[2].score > 0
    assert grade("1 / 0", other, raises, LAST_TWO).tasks[1].status == "graded"


# ---- a function is hostile: its own task fails, with the right status

FUNCTIONS = {
    "endless loop": ("while True: pass", "timeout"),
    "endless loop, deaf to alarms": (LOOP_FOR_ALARMS, "timeout"),
    "endless wait": ("import threading; threading.Event().wait()", "timeout"),
    "endless output": ("while True: print('x' * 1000)", "timeout"),
    "endless fork bomb that catches": (
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        "timeout",
    ),
    "os._exit": ("import os; os._exit(0)", "failed"),
    "the alarm's own signal": ("import os; os.abort()", "failed"),
    "sys.exit": ("import sys; sys.exit(0)", "graded"),
    "recursion": ("return batch_norm_forward(x, weight, bias, eps)", "graded"),
    "10 GB": ("bytearray(10 * 2**30)", "memory"),
    "1 GB": ("bytearray(2**30)", "memory"),
    "1 GB in NumPy": ("np.ones(2**27)", "memory"),
    "10 GB in pieces": ("kept = []\nwhile True: kept.append(bytearray(2**20))", "memory"),
    "10 GB of output": ("print('x' * (10 * 2**30))", "memory"),
    "1 GB file": ("open('big', 'wb').write(bytes(2**20) * 100)", "forbidden"),
    "fork": ("import os; os.fork()", "forbidden"),
    "another program": ("import subprocess; subprocess.run(['ls'])", "forbidden"),
    "a program of its own": ("import os; os.execv('/bin/sh', ['sh'])", "forbidden"),
    "Python": ("import sys, subprocess; subprocess.run([sys.executable, '-V'])", "forbidden"),
    "kill of the parent": ("import os; os.kill(os.getppid(), 9)", "forbidden"),
    "kill of the first process": ("import os; os.kill(1, 9)", "forbidden"),
    "kill of all": ("import os; os.kill(-1, 9)", "forbidden"),
    "TCP": ("import socket; socket.create_connection(('127.0.0.1', 80), 0.2)", "forbidden"),
    "UDP": (
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.sendto(b'x', ('127.0.0.1', 53))",
        "forbidden",
    ),
    "a server": ("import socket; socket.create_server(('127.0.0.1', 0))", "forbidden"),
    "the web": (
        "import urllib.request; urllib.request.urlopen('http://192.0.2.1', timeout=0.3)",
        "forbidden",
    ),
    "writing to the root": ("open('/evil', 'w').write('x')", "forbidden"),
    "writing to the system": ("open('/usr/lib/evil', 'w').write('x')", "forbidden"),
    "writing to our modules": (
        "import normlab; open(normlab.__file__, 'a').write('check = 1')",
        "forbidden",
    ),
    "reading users": ("open('/etc/passwd').read()", "forbidden"),
    "reading processes": ("open('/proc/1/environ').read()", "forbidden"),
    "torch": ("import torch; return torch.nn.functional.batch_norm(x, None, None)", "forbidden"),
    "the package's own norms": ("from normlab.nn import BatchNorm1d", "forbidden"),
    "the package's exercises": ("import normlab.exercises", "forbidden"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_hostile_function_costs_its_own_task(grade, name):
    body, status = FUNCTIONS[name]
    run = grade.endless if status == "timeout" else grade
    verdict = run(*cells_with(body))
    assert results(verdict) == [(status, 0), RIGHT, RIGHT, RIGHT]
    assert verdict.tasks[0].feedback or any(a.message for a in verdict.tasks[0].aspects)


def test_a_recursion_without_a_limit_costs_its_own_task(grade):
    body = """
        import sys
        sys.setrecursionlimit(2**31 - 1)
        return batch_norm_forward(x, weight, bias, eps)
        """
    first, *others = results(grade.endless(*cells_with(body)))
    assert others == [RIGHT, RIGHT, RIGHT]
    assert first in [("memory", 0), ("failed", 0), ("timeout", 0)]


def test_a_missing_torch_is_said_so_wherever_it_was_imported(grade):
    verdict = grade("import torch.nn.functional as F", *cells_with("F.batch_norm(x)"))
    assert results(verdict) == [("forbidden", 0), RIGHT, RIGHT, RIGHT]
    assert "uses torch" in verdict.tasks[0].feedback


def test_what_is_refused_and_caught_costs_nothing_and_is_told(grade):
    body = """
        import os, socket
        for attempt in (socket.socket, os.fork, lambda: open('/home/x'), lambda: os.kill(1, 9)):
            try: attempt()
            except OSError: pass
        """
    verdict = grade(*cells_with(body))
    assert results(verdict) == [RIGHT] * 4
    for said in ("network", "process", "outside its own folder", "signal"):
        assert said in verdict.message


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
def unpatched(grader, tmp_path_factory, write_notebook):
    path = write_notebook(tmp_path_factory.mktemp("plain") / "nb.ipynb", "", WRONG)
    verdict = grader.grade(path, EXERCISE)
    assert verdict.score == 0
    return verdict


@pytest.mark.parametrize("name", PATCHES)
def test_what_it_patches_gains_nothing(grade, unpatched, name):
    verdict = grade(PATCHES[name], WRONG)
    assert verdict.score == 0
    assert {task.status for task in verdict.tasks} <= {"graded", "forbidden", "failed"}


@pytest.mark.parametrize("name", ["NumPy's comparisons", "exceptions", "time", "trees", "imports"])
def test_what_it_patches_changes_nothing(grade, unpatched, name):
    assert grade(PATCHES[name], WRONG).tasks == unpatched.tasks


@pytest.mark.parametrize("name", ["NumPy's comparisons", "exceptions", "time", "trees", "imports"])
def test_what_it_patches_loses_nothing(grade, name):
    assert (
        results(grade("import numpy as np", PATCHES[name], VECTORS, LINEAR, LAST_TWO))
        == [RIGHT] * 4
    )


def test_without_its_modules_it_harms_itself_alone(grade):
    assert grade("import sys; sys.modules.clear()", VECTORS, LINEAR, LAST_TWO).score <= 40


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
def test_what_it_returns_is_only_compared(grade, name):
    verdict = grade(*cells_with(RETURNS[name]))
    assert results(verdict)[1:] == [RIGHT] * 3
    assert verdict.tasks[0].score == 0
    assert verdict.tasks[0].status in ("graded", "memory", "forbidden", "failed")


def test_right_numbers_in_another_dress_are_right(grade):
    body = """
        class Dressed(np.ndarray): pass
        return right(x, weight, bias, eps).astype('>f8').view(Dressed)
        """
    assert results(grade(*cells_with(body))) == [RIGHT] * 4


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
def test_what_it_forges_gains_nothing(grade, name):
    deed, status = FORGERIES[name]
    verdict = grade.endless(IS_SOCKET, *cells_with(FIND_THE_WIRE + deed + "\nreturn x"))
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


FORGE = """
import sys
def the_channel():
    frame = sys._getframe()
    while not hasattr(frame.f_locals.get('self'), 'channel'): frame = frame.f_back
    return frame.f_locals['self'].channel
def forge(change):
    channel = the_channel()
    send = type(channel).send
    if 'send' not in vars(channel):
        channel.send = lambda message: send(channel, change(message))
"""


def forging(change):
    """Let the first function change, by an expression, every message that the child sends."""
    return FORGE, *cells_with(f"forge(lambda message: {change})\nreturn x")


def forging_outcomes(outcomes):
    return forging(f"{{**message, 'outcomes': {outcomes}}} if 'outcomes' in message else message")


@pytest.mark.parametrize("name", ANSWERS)
def test_a_forged_answer_is_compared_as_any_other(grade, name):
    """All of the child's own code is in reach: it answers in the place of a wrong function."""
    change, status = ANSWERS[name]
    answer = ANSWER.replace("\n", "")
    outcomes = f"[{{**one, **{answer}, **{change}}} for one in message['outcomes']]"
    verdict = grade(*forging_outcomes(outcomes))
    assert results(verdict)[0] == (status, 0)
    assert verdict.score <= 30


@pytest.mark.parametrize(
    "outcomes",
    ["[]", "7", "[7] * len(message['outcomes'])", "message['outcomes'] * 2", "[{}] * 10**6"],
)
def test_forged_outcomes_are_no_answer(grade, outcomes):
    """None, no list, a list of something else, too many."""
    assert results(grade(*forging_outcomes(outcomes)))[0] == ("forbidden", 0)


@pytest.mark.parametrize("number", ["10**9", "-1", "'many'", "None", "True"])
def test_a_forged_number_of_definitions_is_no_answer(grade, number):
    """What the first function forges is the answer about the second; the others are asked anew."""
    verdict = grade(*forging(f"{{**message, 'usable': {number}}}"))
    assert results(verdict) == [("graded", 0), ("forbidden", 0), RIGHT, RIGHT]


def test_an_answer_slipped_in_before_the_answer_is_noticed(grade):
    """It would do as an answer, but that it is to no request."""
    cases = len(draw_cases(find("batch_norm_forward"), seed=7))
    body = f"the_channel().send({{'outcomes': [{ANSWER.replace(chr(10), '')}] * {cases}}})"
    assert results(grade(FORGE, *cells_with(body))) == [("forbidden", 0), RIGHT, RIGHT, RIGHT]


# ---- what it looks for is not there


def what_it_found(verdict):
    """Return what the function printed."""
    _, _, printed = verdict.tasks[0].feedback.partition("here are those of one call:")
    return printed.partition("Next:")[0].strip()


LOOKS = {
    "frames": """
        import sys
        frame, found = sys._getframe(), []
        while frame:
            found += [name for name in {**frame.f_globals, **frame.f_locals}
                      if any(word in name.lower() for word in WORDS)]
            frame = frame.f_back
        """,
    "all objects": """
        import gc
        gc.unfreeze()
        found = [type(o).__name__ for o in gc.get_objects()
                 if type(o).__name__ in ('Mistake', 'Aspect', 'Exercise', 'Variants', 'Grader')]
        """,
    "modules": """
        import sys
        found = [name for name in sys.modules if '.tasks.' in name or name == 'torch'
                 or name.startswith(('normlab.nn', 'normlab.exercises', 'normlab.grading.judge'))]
        """,
    "environment": """
        import os, sys
        text = repr(dict(os.environ)) + repr(sys.argv) + repr(sys.path) + repr(sys.orig_argv)
        found = [word for word in (SECRET, *SUBMISSIONS, 'gradebook') if word in text]
        """,
    "processes": """
        import glob
        found = glob.glob('/proc/*') + glob.glob('/sys/*')
        """,
    "folders": """
        import os
        found = []
        for path in (*SUBMISSIONS, *PACKAGE, '/home', '/root', '/etc', '/tmp', '/var'):
            try: found += [path for name in os.listdir(path) if name not in WAY]
            except OSError: pass
        """,
    "files": """
        import os
        found = []
        for path in FILES:
            try: found.append(open(path).read(20))
            except OSError: pass
        """,
    "the whole tree": """
        import os
        first = not globals().get('walked')
        globals()['walked'] = True
        found = [os.path.join(f, n) for f, _, names in os.walk('/' if first else '.') for n in names
                 if f.endswith('.toml') or n.endswith('.ipynb') or n == 'gradebook.db'
                 or f.endswith(('normlab/nn', 'site-packages/torch'))]
        """,
    "links": """
        import os
        found = []
        for path in FILES:
            try:
                os.symlink(path, 'link')
                found.append(open('link').read(20))
            except OSError: pass
        """,
}


@pytest.mark.parametrize("name", LOOKS)
def test_what_it_looks_for_is_not_there(grade, open_folder, monkeypatch, name):
    import normlab

    monkeypatch.setenv("NORMLAB_SECRET", "hidden-seed-123")
    package = os.path.dirname(normlab.__file__)
    (open_folder / "gradebook.db").write_text("the gradebook")
    (open_folder / "sibling.ipynb").write_text("the sibling's work")
    files = [
        str(open_folder / "sibling.ipynb"),
        str(open_folder / "gradebook.db"),
        f"{package}/tasks/batch_norm_forward.toml",
        f"{package}/nn/functional.py",
        "/etc/passwd",
        "/proc/self/maps",
    ]
    way = {part for path in (os.path.realpath(os.__file__),) for part in path.split("/")}
    way.add("ld.so.cache")
    known = f"""
        SECRET, SUBMISSIONS = 'hidden-seed-123', ({str(open_folder)!r},)
        PACKAGE, FILES = ({package!r},), {files!r}
        WORDS, WAY = ('seed', 'reference', 'recipe', 'expected', 'variants', 'gradebook'), {way!r}
        """
    looks = textwrap.dedent(LOOKS[name]) + "print('found', found[:5])"
    verdict = grade(textwrap.dedent(known), *cells_with(looks))
    assert what_it_found(verdict) == "found []"
    assert results(verdict) == [RIGHT] * 4


# ---- what it does to others is not done


DEEDS = {
    "delete a sibling": "os.remove(SIBLING)",
    "delete all siblings": "import shutil; shutil.rmtree(FOLDER)",
    "rename a sibling": "os.rename(SIBLING, SIBLING + '.old')",
    "empty a sibling": "os.truncate(SIBLING, 0)",
    "lock a sibling": "os.chmod(SIBLING, 0)",
    "write into a sibling": "open(SIBLING, 'a').write('evil')",
    "edit the gradebook": """
        import sqlite3
        book = sqlite3.connect(BOOK)
        book.execute('update grades set score = 10')
        book.commit()
        """,
    "write beside it": "open(FOLDER + '/new', 'w').write('evil')",
    "write by a way around": "open(FOLDER + '/../' + os.path.basename(FOLDER) + '/new', 'w')",
    "climb out": "open('../../../../..' + SIBLING, 'a').write('evil')",
}


@pytest.mark.parametrize("name", DEEDS)
def test_what_it_does_to_others_is_not_done(grade, open_folder, name):
    import sqlite3

    folder = open_folder
    (folder / "sibling.ipynb").write_text("the sibling's work")
    with contextlib.closing(sqlite3.connect(folder / "gradebook.db")) as book, book:
        book.execute("create table grades (score)")
        book.execute("insert into grades values (3)")
    for path in folder.iterdir():
        path.chmod(0o777)

    def state():
        return {p.name: (p.read_bytes(), p.stat().st_mode) for p in sorted(folder.iterdir())}

    before = state()
    known = f"""
        import os
        FOLDER, SIBLING = {str(folder)!r}, {str(folder / "sibling.ipynb")!r}
        BOOK = {str(folder / "gradebook.db")!r}
        """
    verdict = grade(known, *cells_with(DEEDS[name]))
    assert state() == before
    assert results(verdict)[1:] == [RIGHT] * 3
    assert results(verdict)[0][1] == 0


@contextlib.contextmanager
def listening(kind, family, address):
    """Listen at an address, and note whatever comes."""
    heard = []
    with socket.socket(family, kind) as server:
        server.bind(address)
        server.settimeout(0.05)
        if kind == socket.SOCK_STREAM:
            server.listen()
        stop = threading.Event()

        def listen():
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    if kind == socket.SOCK_STREAM:
                        connection, _ = server.accept()
                        connection.close()
                        heard.append("a call")
                    else:
                        heard.append(server.recv(10))

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname(), heard
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    ("kind", "family", "name"),
    [
        ("SOCK_STREAM", "AF_INET", "loopback"),
        ("SOCK_DGRAM", "AF_INET", "loopback"),
        ("SOCK_STREAM", "AF_UNIX", "file"),
        ("SOCK_STREAM", "AF_UNIX", "abstract"),
    ],
)
def test_nobody_hears_of_it(grade, open_folder, kind, family, name):
    address = {
        "loopback": ("127.0.0.1", 0),
        "file": str(open_folder / "socket"),
        "abstract": f"\0normlab-test-{os.getpid()}",
    }[name]
    kinds = getattr(socket, kind), getattr(socket, family)
    with listening(*kinds, address) as (reached, heard):
        if isinstance(reached, bytes):
            reached = reached.decode()
        if name == "file":
            os.chmod(reached, 0o777)
        deed = f"""
            import socket
            s = socket.socket(socket.{family}, socket.{kind})
            s.connect({reached!r})
            s.send(b'hello')
            """
        verdict = grade(*cells_with(deed))
    assert heard == []
    assert results(verdict) == [("forbidden", 0), RIGHT, RIGHT, RIGHT]


def test_what_one_leaves_in_its_folder_the_next_does_not_find(grade):
    leave = "import os\nopen('left', 'w').write('x')\nos.mkdir('locked', mode=0)"
    grade(leave, VECTORS, LINEAR, LAST_TWO)
    look = "import os\nprint('found', os.listdir('.'))"
    assert what_it_found(grade(*cells_with(look))) == "found []"


def test_what_one_leaves_in_its_folder_does_not_end_the_warm_process(tmp_path, write_notebook):
    leave = """
        import os
        os.makedirs('locked/inner')
        open('locked/inner/file', 'w').write('x')
        os.symlink('locked', 'link')
        os.symlink('/usr', 'link out')
        os.chmod('locked', 0)
        """
    path = write_notebook(tmp_path / "nb.ipynb", textwrap.dedent(leave), VECTORS, LINEAR, LAST_TWO)
    with Grader(seed=7, limits=LIMITS) as grader:
        verdicts = [grader.grade(path, EXERCISE) for _ in range(2)]
        (site,) = grader._sites.values()
        assert site.starts == 1
    assert all(verdict.score == 40 and verdict.learner_cpu_seconds > 0 for verdict in verdicts)


# ---- many at once: each is ended for itself


def test_two_hostile_tasks_and_a_hostile_cell_leave_the_others(grade):
    loop = "def batch_norm_forward(x, weight, bias, eps):\n    " + "import os; os._exit(0)"
    gone = (
        "def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):\n"
        + textwrap.indent(LOOP_FOR_ALARMS, "    ")
    )
    verdict = grade.endless("import numpy as np", CELLS["os._exit"], loop, gone, LAST_TWO)
    assert results(verdict) == [("failed", 0), ("timeout", 0), RIGHT, RIGHT]


def test_a_notebook_that_always_ends_comes_to_an_end(grade):
    verdict = grade(*["import os; os._exit(0)"] * 30, VECTORS, LINEAR, LAST_TWO)
    assert {task.score for task in verdict.tasks} == {0}
    assert {task.status for task in verdict.tasks} <= {"failed", "timeout"}


def test_the_time_for_the_whole_notebook_is_kept(grade, tmp_path, write_notebook):
    limits = Limits(seconds=1.5, cell_seconds=0.4, call_seconds=0.4)
    path = write_notebook(tmp_path / "slow.ipynb", *["while True: pass"] * 50, VECTORS)
    with Grader(seed=7, limits=limits) as impatient:
        verdict = impatient.grade(path, EXERCISE)
    assert {str(task.status) for task in verdict.tasks} == {"timeout"}
    assert verdict.wall_seconds < 10


def test_control_codes_do_not_come_through(grade):
    verdict = grade(*cells_with("raise ValueError('\\x1b[2J\\u202eevil\\x00<script>')"))
    said = verdict.to_json()
    assert "<script>" in said  # as it is: whoever shows it escapes it
    assert "\\u001b" not in said
    assert "\u202e" not in said
    assert "\\u0000" not in said


# ---- torch tasks: the learner's process says what it saw, and the grader what it means

BUGS, MNIST = "13_choose_and_debug", "05_mnist_with_batch_norm"
TORCH = (
    "import copy, sys, numpy as np, torch\nfrom torch.nn.functional import mse_loss, cross_entropy"
)
# The tasks of lesson 5, wrong. The epoch takes no time: nothing is learned.
WRONG_MNIST = """
def train_and_measure(network, optimizer, train_batches, test_batches, epochs):
    network.eval()
    with torch.no_grad():
        return [sum(cross_entropy(network(x), y).item() for x, y in test_batches)] * epochs
def with_batch_norm(network):
    return torch.nn.Sequential(*network)
def train_one_epoch(network, inputs, labels):
    network.eval()(inputs[:64])
def norms_that_remember(state, tiny):
    return []
"""


# Two tasks of lesson 13 of which no wrong program is printed.
WRONG_BUGS = """
def freeze_norms(network, statistics, affine):
    network.train()
def average_networks(networks, batches):
    return networks[0].train()
"""


def printed_programs(stem):
    """Return the programs of a notebook that have to be mended."""
    path = Path(__file__).parents[2] / "exercises" / f"{stem}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return [s for s in sources if s.startswith(("def ", "class ")) and "NotImplemented" not in s]


@pytest.fixture(scope="module")
def grade_torch(tmp_path_factory, write_notebook):
    """Return a function that grades cells, and in front of them what the lesson imports."""
    limits = replace(LIMITS, memory=512 * MEBIBYTE)
    with Grader(seed=7, limits=limits) as grader:

        def run(stem, *cells):
            path = tmp_path_factory.mktemp("torch") / "nb.ipynb"
            write_notebook(path, TORCH, *map(textwrap.dedent, cells))
            return grader.grade(path, stem)

        yield run


@pytest.fixture(scope="module")
def wrong_programs():
    return {BUGS: [*printed_programs(BUGS), WRONG_BUGS], MNIST: [WRONG_MNIST]}


@pytest.fixture(scope="module")
def honestly_wrong(grade_torch, wrong_programs):
    """Return the points of the wrong programs, task by task, where nothing is tried."""
    points = {
        stem: {task.task: task.score for task in grade_torch(stem, *programs).tasks}
        for stem, programs in wrong_programs.items()
    }
    # freeze_norms: one for "everything else learns", which it does.
    assert list(points[BUGS].values()) == [0, 1, 1, 4]
    assert all(score < 10 for task in points.values() for score in task.values())
    return points


TORCH_PATCHES = {
    "comparisons": """
        for name in ('equal', 'allclose', 'isclose', 'isfinite', 'eq', 'all', 'any'):
            setattr(torch, name, lambda *_, **__: torch.tensor(True))
            if hasattr(torch.Tensor, name):
                setattr(torch.Tensor, name, lambda *_, **__: torch.tensor(True))
        torch.Tensor.__eq__ = torch.Tensor.__lt__ = lambda *_: torch.tensor(True)
        torch.Tensor.__ne__ = lambda *_: torch.tensor(False)
        np.allclose = np.array_equal = lambda *_, **__: True
        """,
    "the call of a module": """
        ones = torch.ones
        torch.nn.Module.__call__ = lambda self, x: ones(len(x), getattr(
            next((m for m in reversed(list(self.modules())) if hasattr(m, 'out_features')), self),
            'out_features', 2))
        """,
    "the modes": """
        from torch.nn.modules.batchnorm import _BatchNorm
        def train(self, mode=True):
            for module in self.modules(): module.__dict__['mode'] = mode
            return self
        def forward(self, x):
            return torch.nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, self.mode)
        _BatchNorm.forward = forward
        torch.nn.Module.mode = True
        torch.nn.Module.train = train
        torch.nn.Module.training = property(lambda self: True, lambda self, value: None)
        """,
    "what layers there are": """
        decoys = [torch.nn.Linear(784, 10), torch.nn.ReLU()]
        torch.nn.Module.modules = lambda self: iter([self, *decoys])
        """,
    "a tensor's numbers": """
        torch.Tensor.numpy = lambda self, **_: np.ones(tuple(self.shape))
        torch.Tensor.requires_grad_ = lambda self, *_: self
        """,
    "copies": "copy.deepcopy = copy.copy = lambda value, *_: value",
    "the course's helpers": """
        import types
        for name in ('normlab', 'normlab.exercises', 'normlab.tasks',
                     'normlab.tasks.scripts.together', 'normlab.exercises.calling',
                     'normlab.tasks.train_and_keep', 'normlab.training',
                     'normlab.tasks.train_one_epoch'):
            module = types.ModuleType(name)
            module.__getattr__ = lambda _: lambda *_, **__: 1.0
            sys.modules[name] = module
        """,
    "pickle": """
        import pickle
        def script(answer, *arguments): return [np.ones(1)] * 7
        pickle.loads = pickle.load = pickle.Unpickler = lambda *_, **__: script
        torch.load = lambda *_, **__: script
        """,
    "the test set": """
        from normlab import load_mnist
        mnist = load_mnist(tensors=True)
        mnist.test_labels.fill_(0)
        mnist.test_images.zero_()
        """,
}
# Run inside the functions, where the script that calls them is on the stack.
TORCH_DEEDS = {
    "the script in the frames": """
        frame = sys._getframe()
        while frame:
            if 'joined' in frame.f_globals:
                for name, value in list(frame.f_globals.items()):
                    if callable(value) and name[0] == '_' and name[1] != '_':
                        frame.f_globals[name] = lambda *_, **__: np.ones(2)
                frame.f_globals['joined'] = lambda *_: np.ones(3)
                frame.f_globals['plain'] = lambda value: np.ones(np.shape(value))
            frame = frame.f_back
        """,
    "ones for all that is asked": """
        def yes(message):
            for one in message.get('outcomes', []):
                for name, array in one.get('returned', {}).items():
                    one['returned'][name] = np.ones(array.shape)
            return message
        forge(yes)
        """,
    "another class for the network": """
        for value in list(sys._getframe(1).f_locals.values()):
            if isinstance(value, torch.nn.Module):
                value.__class__ = type('Liar', (type(value),), {
                    'training': property(lambda self: True, lambda self, mode: None)})
        """,
}


def doing(deed, programs):
    """Let each function of the programs begin with a deed."""
    deed = "\n".join(["def deed():", textwrap.indent(textwrap.dedent(deed), "    ")])
    wrapped = """
        import functools
        def after_the_deed(function):
            @functools.wraps(function)
            def run(*arguments):
                deed()
                return function(*arguments)
            return run
        for name in ('train_and_keep', 'freeze_norms', 'average_networks',
                     'small_batch_network', 'train_and_measure', 'with_batch_norm',
                     'train_one_epoch', 'norms_that_remember'):
            if name in globals(): globals()[name] = after_the_deed(globals()[name])
        """
    return [FORGE, deed, "\n".join([*programs, textwrap.dedent(wrapped)])]


def gained(verdict, before):
    """Return the points that each task has more than before."""
    assert {task.status for task in verdict.tasks} <= {"graded", "forbidden", "failed"}, verdict
    return {t.task: t.score - before[t.task] for t in verdict.tasks if t.score > before[t.task]}


@pytest.mark.parametrize("stem", [BUGS, MNIST])
@pytest.mark.parametrize("name", TORCH_PATCHES)
def test_what_is_patched_in_torch_gains_nothing(
    grade_torch, honestly_wrong, wrong_programs, name, stem
):
    verdict = grade_torch(stem, TORCH_PATCHES[name], *wrong_programs[stem])
    assert gained(verdict, honestly_wrong[stem]) == {}


@pytest.mark.parametrize("stem", [BUGS, MNIST])
@pytest.mark.parametrize("name", TORCH_DEEDS)
def test_what_is_forged_in_a_torch_task_gains_nothing(
    grade_torch, honestly_wrong, wrong_programs, name, stem
):
    verdict = grade_torch(stem, *doing(TORCH_DEEDS[name], wrong_programs[stem]))
    assert gained(verdict, honestly_wrong[stem]) == {}


LIARS = {
    "a tensor that is equal to all": """
        class Liar(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), kwargs=None):
                if function.__name__ in ('equal', 'allclose', 'eq', 'isclose', 'lt', 'all'):
                    return True
                return super().__torch_function__(function, types, args, kwargs or {})
        def train_and_keep(*given): return torch.ones(given[5]).as_subclass(Liar)
        """,
    "a tensor whose numbers are another's": """
        class Liar(torch.Tensor):
            def detach(self): return self
            def numpy(self): return self
            def copy(self): return Equal((3,))
        class Equal(np.ndarray):
            __array_priority__ = 1e9
            __eq__ = __le__ = __lt__ = lambda *_: True
            def __array_ufunc__(self, *_, **__): return True
            def __array_function__(self, *_, **__): return True
        def train_and_keep(*given): return torch.ones(given[5]).as_subclass(Liar)
        """,
    "what runs when it is unpickled": """
        class Bomb:
            def __reduce__(self): return exec, ("import os; os._exit(0)",)
        def train_and_keep(*given): return Bomb()
        """,
}


@pytest.mark.parametrize("name", LIARS)
def test_a_tensor_that_lies_is_worth_its_numbers(grade_torch, name):
    task = grade_torch(BUGS, LIARS[name]).tasks[0]
    assert (task.task, str(task.status)) == ("train_and_keep", "graded")
    assert task.score == 0  # no loss was measured, and the network is as it was


def test_what_is_expected_is_not_in_the_frames_of_a_script(grade_torch):
    look = """
        frame, found = sys._getframe(), []
        while frame:
            found += [name for name in {**frame.f_globals, **frame.f_locals}
                      if any(word in name for word in ('read_', 'mended', 'in_steps', 'expect',
                                                       'reference', 'InSteps', 'Mended'))]
            frame = frame.f_back
        found += [name for name in sys.modules if '.tasks.' in name]
        print('found', found[:5])
        """
    verdict = grade_torch(BUGS, *doing(look, [*printed_programs(BUGS), WRONG_BUGS]))
    for task in verdict.tasks:
        printed = task.feedback.partition("here are those of one call:")[2]
        assert printed.partition("Next:")[0].strip().splitlines()[0].strip() == "found []", task


def test_a_trained_network_is_tested_by_the_grader(grade_torch):
    """Whoever says that all was done as asked, and has no network to show, has no points."""
    claims = """
        def deed():
            def claim(message):
                for one in message.get('outcomes', []):
                    if 'batch_sizes' in one.get('returned', {}):
                        one['returned'].update(step_modes=np.ones(313),
                                               batch_sizes=np.r_[np.full(312, 64), 32])
                return message
            forge(claim)
        def train_one_epoch(network, inputs, labels):
            deed()
            network(inputs[:64])
        """
    task = grade_torch(MNIST, FORGE, claims).tasks[2]
    assert [aspect.points for aspect in task.aspects] == [0, 0, 0, 0, 0]
    unmoved = claims.replace("network(inputs[:64])", "pass")
    task = grade_torch(MNIST, FORGE, unmoved).tasks[2]
    assert [aspect.points for aspect in task.aspects] == [0, 0, 0, 0, 0]
