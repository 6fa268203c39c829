"""Notebooks that do all they can: none gets a point for it, and the next one is graded as ever.

Each case is a notebook of lesson 2, all of whose tasks are right but for what it tries.
"""

import textwrap

import pytest
from hostile import EXERCISE, LAST_TWO, LINEAR, LOOP_FOR_ALARMS, RIGHT, VECTORS, cells_with, results

from normlab.grading import Grader, Limits

pytestmark = pytest.mark.usefixtures("isolated")


# ---- a cell of it is hostile: all tasks are right all the same

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
def test_a_hostile_cell_does_not_stop_the_next(attack, name):
    run = attack.endless if name.startswith("endless") else attack
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
def test_what_a_missing_cell_costs_is_no_judgement(attack, end, status):
    """The cell that imports NumPy ends or is ended, and its import is lost with it."""
    imports = f"import sys\n{end}\nimport numpy as np\nimport numpy"
    vectors = VECTORS.replace("import numpy as np", "")
    verdict = attack.endless(imports, vectors, LINEAR, LAST_TWO)
    assert results(verdict) == [(status, 0)] * 4
    if status != "graded":
        assert "code cell 1 is missing" in verdict.tasks[0].feedback
        assert any("NameError" in aspect.message for aspect in verdict.tasks[0].aspects)


def test_a_function_that_answers_is_judged_whatever_cell_is_missing(attack):
    other = VECTORS.replace("+ bias", "- bias")
    raises = (
        "def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):\n    1 / 0"
    )
    verdict = attack("import os; os._exit(0)", other, raises, LAST_TWO)
    assert [str(task.status) for task in verdict.tasks] == ["graded", "failed", "graded", "graded"]
    assert verdict.tasks[2].score > 0
    assert attack("1 / 0", other, raises, LAST_TWO).tasks[1].status == "graded"


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
def test_a_hostile_function_costs_its_own_task(attack, name):
    body, status = FUNCTIONS[name]
    run = attack.endless if status == "timeout" else attack
    verdict = run(*cells_with(body))
    assert results(verdict) == [(status, 0), RIGHT, RIGHT, RIGHT]
    assert verdict.tasks[0].feedback or any(a.message for a in verdict.tasks[0].aspects)


def test_a_recursion_without_a_limit_costs_its_own_task(attack):
    body = """
        import sys
        sys.setrecursionlimit(2**31 - 1)
        return batch_norm_forward(x, weight, bias, eps)
        """
    first, *others = results(attack.endless(*cells_with(body)))
    assert others == [RIGHT, RIGHT, RIGHT]
    assert first in [("memory", 0), ("failed", 0), ("timeout", 0)]


def test_a_missing_torch_is_said_so_wherever_it_was_imported(attack):
    verdict = attack("import torch.nn.functional as F", *cells_with("F.batch_norm(x)"))
    assert results(verdict) == [("forbidden", 0), RIGHT, RIGHT, RIGHT]
    assert "uses torch" in verdict.tasks[0].feedback


def test_what_is_refused_and_caught_costs_nothing_and_is_told(attack):
    body = """
        import os, socket
        for attempt in (socket.socket, os.fork, lambda: open('/home/x'), lambda: os.kill(1, 9)):
            try: attempt()
            except OSError: pass
        """
    verdict = attack(*cells_with(body))
    assert results(verdict) == [RIGHT] * 4
    for said in ("network", "process", "outside its own folder", "signal"):
        assert said in verdict.message


# ---- many at once: each is ended for itself


def test_two_hostile_tasks_and_a_hostile_cell_leave_the_others(attack):
    loop = "def batch_norm_forward(x, weight, bias, eps):\n    " + "import os; os._exit(0)"
    gone = (
        "def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):\n"
        + textwrap.indent(LOOP_FOR_ALARMS, "    ")
    )
    verdict = attack.endless("import numpy as np", CELLS["os._exit"], loop, gone, LAST_TWO)
    assert results(verdict) == [("failed", 0), ("timeout", 0), RIGHT, RIGHT]


def test_a_notebook_that_always_ends_comes_to_an_end(attack):
    verdict = attack(*["import os; os._exit(0)"] * 30, VECTORS, LINEAR, LAST_TWO)
    assert {task.score for task in verdict.tasks} == {0}
    assert {task.status for task in verdict.tasks} <= {"failed", "timeout"}


def test_the_time_for_the_whole_notebook_is_kept(attack, tmp_path, write_notebook):
    limits = Limits(seconds=1.5, cell_seconds=0.4, call_seconds=0.4)
    path = write_notebook(tmp_path / "slow.ipynb", *["while True: pass"] * 50, VECTORS)
    with Grader(seed=7, limits=limits) as impatient:
        verdict = impatient.grade(path, EXERCISE)
    assert {str(task.status) for task in verdict.tasks} == {"timeout"}
    assert verdict.wall_seconds < 10


def test_control_codes_do_not_come_through(attack):
    verdict = attack(*cells_with("raise ValueError('\\x1b[2J\\u202eevil\\x00<script>')"))
    said = verdict.to_json()
    assert "<script>" in said  # as it is: whoever shows it escapes it
    assert "\\u001b" not in said
    assert "\u202e" not in said
    assert "\\u0000" not in said
