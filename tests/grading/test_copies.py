"""Copies of a process: they do what they are told, keep nothing of it open, and end."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies are for Linux")

PROGRAM = """
import json, os, subprocess, sys, tempfile, threading, time
from normlab.grading.copies import Copy, can_copy

complaints = tempfile.TemporaryFile()
kept = open("/dev/null")

def said():
    complaints.seek(0)
    return complaints.read().decode()

def tell(**found):
    print(json.dumps(found), flush=True)

"""


def told(program):
    """Run a program, of one thread as the command is, and return what it found out."""
    program = PROGRAM + textwrap.dedent(program)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return json.loads(run.stdout)


def test_it_answers_over_its_standard_input_and_output():
    found = told("""
        def double():
            for line in sys.stdin:
                os.write(1, (2 * line.strip() + "\\n").encode())

        copy = Copy(double, complaints.fileno())
        copy.stdin.write("é\\n")
        copy.stdin.flush()
        answer, running = copy.stdout.readline(), copy.poll()
        copy.stdin.close()
        tell(answer=answer, running=running, end=copy.wait(10), again=copy.poll(), said=said())
        """)
    assert found == {"answer": "éé\n", "running": None, "end": 0, "again": 0, "said": ""}


def test_it_holds_nothing_open_and_is_out_of_the_terminals_reach():
    found = told("""
        import sqlite3
        db = sqlite3.connect(tempfile.mkdtemp() + "/a.db")
        other = Copy(sys.stdin.read, complaints.fileno())

        def look():
            numbers = [int(name) for name in os.listdir("/proc/self/fd")]
            open_ones = [n for n in numbers if n > 2 and os.path.exists(f"/proc/self/fd/{n}")]
            os.write(1, json.dumps([open_ones, os.getsid(0) == os.getpid()]).encode() + b"\\n")

        copy = Copy(look, complaints.fileno())
        open_ones, alone = json.loads(copy.stdout.readline())
        copy.wait(10)
        other.stdin.close()  # the second copy holds no end of the first one's input
        tell(open_ones=open_ones, alone=alone, end=other.wait(10))
        """)
    assert found == {"open_ones": [], "alone": True, "end": 0}


def test_what_it_raises_is_its_last_words():
    found = told("""
        def fail():
            raise ValueError("of all things")

        copy = Copy(fail, complaints.fileno())
        tell(end=copy.wait(10), said=said(), answer=copy.stdout.readline())
        """)
    assert found["end"] == 1
    assert found["said"].endswith("ValueError: of all things\n")
    assert found["answer"] == ""


def test_it_can_be_waited_for_and_killed():
    found = told("""
        copy = Copy(lambda: time.sleep(100), complaints.fileno())
        try:
            copy.wait(0.05)
            late = False
        except subprocess.TimeoutExpired:
            late = True
        copy.kill()
        end = copy.wait(10)
        copy.kill()  # nobody else may have this number by now
        tell(late=late, end=end)
        """)
    assert found == {"late": True, "end": -9}


def test_what_its_maker_was_about_to_do_it_does_not(tmp_path):
    """It ends where it began: nothing is flushed, no `finally` on the way out is run."""
    path = str(tmp_path / "done")
    found = told(f"""
        try:
            copy = Copy(lambda: None, complaints.fileno())
        finally:
            with open({path!r}, "a") as file: file.write("done ")
        copy.wait(10)
        with open({path!r}) as file: tell(done=file.read())
        """)
    assert found == {"done": "done "}


def test_beside_other_threads_there_are_no_copies():
    found = told("""
        before = can_copy()
        end = threading.Event()
        thread = threading.Thread(target=end.wait)
        thread.start()
        beside = can_copy()
        end.set()
        thread.join()
        tell(before=before, beside=beside, after=can_copy())
        """)
    assert found == {"before": True, "beside": False, "after": True}


GRADE = """
import subprocess
from normlab.cli.main import main
from normlab.grading import batch

class NoOther(subprocess.Popen):
    def __init__(self, command, *arguments, **options):
        assert tuple(command) != batch.COMMAND, "a new process, where a copy would do"
        super().__init__(command, *arguments, **options)

batch.subprocess.Popen = NoOther
main()
"""


def test_the_command_grades_in_copies_of_its_process(tmp_path, a_class):
    folder, out = a_class(tmp_path / "all", students=3), tmp_path / "out"
    command = [sys.executable, "-c", GRADE, "grade", folder, "-o", out, "--jobs", "2"]
    run = subprocess.run(
        [str(part) for part in [*command, "--no-isolation"]],
        capture_output=True,
        text=True,
        env={**os.environ, "NORMLAB_PROGRESS": ""},
    )
    assert run.returncode == 0, run.stderr
    assert "5 graded now" in run.stdout


def test_a_copy_that_dies_is_replaced(tmp_path, a_class):
    """By a new process, since there are threads by then."""
    folder, out = a_class(tmp_path / "all", students=3), tmp_path / "out"
    program = (
        "import os\n"
        "from normlab.cli.main import main\n"
        "from normlab.grading import grader\n"
        "grader.Grader.grade = lambda *_: os._exit(3)\n"
        "main()\n"
    )
    command = [sys.executable, "-c", program, "grade", folder, "-o", out, "--jobs", "1"]
    run = subprocess.run(
        [str(part) for part in [*command, "--no-isolation"]], capture_output=True, text=True
    )
    # The first is given to the copy, which dies of it, and then to a process that does not.
    assert run.returncode == 0, run.stderr
    assert "5 graded now" in run.stdout
    assert "failed" not in run.stdout
