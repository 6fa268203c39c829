"""A class with attackers among it, from the command line: whoever else is there has their points.

Twice: what the first run writes down the second does not change, and nobody is graded again.
"""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from normlab.grading import NoIsolation, best_isolation

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "cases"
NAME = "02_batch_norm_forward.ipynb"
ANSWERS = json.loads((ROOT / "solutions" / NAME).read_text(encoding="utf-8"))
#: A cell each, in front of right answers.
ATTACKS = {
    "address space of the parent": """
        import os, resource
        for pid in (os.getppid(), 1, 2, 3):
            for what in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NPROC,
                         resource.RLIMIT_DATA, resource.RLIMIT_STACK):
                try: resource.prlimit(pid, what, (0, 0))
                except OSError: pass
        """,
    "idle parent": """
        import ctypes
        libc = ctypes.CDLL(None)
        attributes = (ctypes.c_uint32 * 12)(48, 5)
        for pid in (0, 1, 2, 3):
            libc.syscall(314, pid, attributes, 0)  # sched_setattr
            libc.syscall(251, 1, pid, 3 << 13)  # ioprio_set
        """,
    "a signal by a file": """
        import fcntl, os, signal
        r, w = os.pipe()
        for pid in (1, 2, os.getppid() or 3):
            try:
                fcntl.fcntl(r, fcntl.F_SETOWN, pid)
                fcntl.fcntl(r, fcntl.F_SETSIG, signal.SIGKILL)
                fcntl.fcntl(r, fcntl.F_SETFL, fcntl.FASYNC)
                os.write(w, b'x')
            except OSError: pass
        """,
    "a full folder": """
        try:
            for n in range(10**6): open(f'f{n}', 'wb').write(bytes(2**20))
        except OSError: pass
        """,
    "many files": """
        try:
            for n in range(10**6): open(f'f{n}', 'w').close()
        except OSError: pass
        """,
    "many threads": """
        import threading, time
        try:
            for n in range(10**4): threading.Thread(target=time.sleep, args=(100,)).start()
        except RuntimeError: pass
        """,
    "deep locked folders": """
        import os
        for n in range(2000):
            os.mkdir('d'); os.chdir('d')
        os.mkdir('locked', mode=0)
        """,
    "kept memory": "kept = bytearray(900 * 2**20)",
    "an end": "import os; os._exit(0)",
}


def with_cell(source):
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": source, "id": "deed"}
    first, *others = ANSWERS["cells"]
    return json.dumps({**ANSWERS, "cells": [first, cell, *others]})


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Grade attackers and a neighbour behind each of them, in one process, twice."""
    try:
        best_isolation()
    except NoIsolation as refusal:
        pytest.skip(str(refusal))
    folder = tmp_path_factory.mktemp("class")
    attacks = {name: with_cell(source_of(deed)) for name, deed in ATTACKS.items()}
    attacks |= {path.stem: path.read_text() for path in CASES.glob("grading_*.ipynb")}
    for number, (name, content) in enumerate(attacks.items()):
        submit(folder, f"{number:02d} a {name}", content)
        submit(folder, f"{number:02d} b neighbour", json.dumps(ANSWERS))
    runs = []
    for _ in range(2):
        command = [sys.executable, "-m", "normlab", "grade", folder / "all", "-o", folder / "out"]
        run = subprocess.run(
            [*map(str, command), "--jobs", "1", "--seed", "3"], capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        with (folder / "out" / "grades.csv").open(newline="") as file:
            runs.append((run.stdout, list(csv.DictReader(file))))
    return runs


def source_of(deed):
    import textwrap

    return textwrap.dedent(deed).strip()


def submit(folder, student, content):
    (folder / "all" / student).mkdir(parents=True)
    (folder / "all" / student / NAME).write_text(content)


def test_every_neighbour_has_their_points(graded):
    (said, rows), _ = graded
    students = 2 * (len(ATTACKS) + 2)
    assert f"{students} graded now, 0 unchanged" in said
    neighbours = [row for row in rows if row["student"].endswith("neighbour")]
    assert len(neighbours) == 4 * students // 2
    assert {(row["status"], row["score"]) for row in neighbours} == {("graded", "10")}


def test_no_attack_gains_anything(graded):
    """The answers are right, so that they may have their points, or lose them."""
    (_, rows), _ = graded
    # Whoever has no parent in sight lowers the limits of their own process, and may end it.
    allowed = {"graded", "memory", "forbidden", "timeout", "failed"}
    assert {row["status"] for row in rows} <= allowed


def test_a_second_run_changes_nothing(graded):
    (_, first), (said, second) = graded
    assert f"0 graded now, {2 * (len(ATTACKS) + 2)} unchanged" in said
    assert second == first
