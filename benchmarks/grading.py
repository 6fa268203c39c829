"""Time the grading of the same submissions by normlab, isolated, and by nbgrader's autograde.

    python benchmarks/grading.py [--many 500] [--jobs 2] [--skip-nbgrader]

(a) nbgrader   `nbgrader autograde`, and `generate_feedback`, on a course made from solutions/
(b) normlab    `normlab grade --jobs 1`, with the best isolation that this machine has; the pages
               with the feedback are among what it writes

Both get the same 20 submissions of exercise 02, ten right and ten wrong, and one process at a time;
then three right ones of exercise 13, which needs torch. Each command runs three times, and the best
counts; once more for one student alone. What a further submission costs is the difference.
Processor time counts every process that was started for it. Then 500 submissions, all of them
different: the rate, and the memory of all processes together over the run. The ratios are of runs
after each other on one machine; the seconds are that machine's.

Seen on two cores that a dozen other processes shared, CPU seconds:

    exercise 02                one alone   20 together   each further
    normlab grade                  0.559         0.055          0.028
    nbgrader autograde             3.379         0.977          0.851
    nbgrader generate_feedback     3.140         0.265          0.114

    exercise 13                one alone    3 together   each further
    normlab grade                  5.863         2.012          0.087
    nbgrader autograde             6.493         4.554          3.585
    nbgrader generate_feedback     3.146         1.259          0.316

So a further submission costs 30 times less than with autograde alone (41 times with torch), and 34
times less with what students get to read (45); among 20 in one command it is 18 and 23 times less,
since half a second of normlab's one is its start: Python and NumPy twice, the catalogue, a sandbox.
500 submissions take 0.030 each, in 134 to 138 MB.
"""

import argparse
import contextlib
import csv
import ctypes
import itertools
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
EXERCISE, TORCH = "02_batch_norm_forward", "13_choose_and_debug"
ASSIGNMENT = "exercises"
NBGRADER = (sys.executable, "-m", "nbgrader")
ONE = "student000"
HALF, FEW = 10, 3
MEGABYTE = 1e6
REPEATS = 3
SAMPLE_SECONDS = 0.25
PR_SET_CHILD_SUBREAPER = 36  # of Linux's prctl
QUARTERS = ("first", "second", "third", "last")
# What people write for BatchNorm's forward pass; "" leaves the task undone.
WRONG = (
    ("x.var(axis=0)", "x.var(axis=0, ddof=1)"),
    ("np.sqrt(var + eps)", "(np.sqrt(var) + eps)"),
    ("np.sqrt(var + eps)", "(var + eps)"),
    ("mean(axis=0)", "mean(axis=1)"),
    ("x.mean(axis=(0, 2, 3), keepdims=True)", "x.mean(axis=(2, 3), keepdims=True)"),
    ("weight * x_hat + bias", "x_hat"),
    ("mean + linear_bias, var", "mean, var"),
    ("x - mean", "x - x.mean()"),
    ("return weight * x_hat", "return bias * x_hat"),
    ("x_hat = (x - mean)", "x_hat = (x - average)"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--many", type=int, default=500, help="submissions of the long run")
    parser.add_argument("--jobs", type=int, default=2, help="processes of the long run")
    parser.add_argument("--skip-nbgrader", action="store_true")
    options = parser.parse_args()
    adopt_orphans()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        texts = [notebook(number < HALF, number) for number in range(2 * HALF)]
        compare(folder / "numpy", EXERCISE, texts, options.skip_nbgrader)
        answers = (ROOT / "solutions" / f"{TORCH}.ipynb").read_text(encoding="utf-8")
        compare(folder / "torch", TORCH, [answers] * FEW, options.skip_nbgrader)
        if options.many:
            run_many(folder, options.many, options.jobs)


# ---- the same submissions, twice


@dataclass(frozen=True)
class Cost:
    """What a command cost, all its processes together: seconds of the processor and the clock."""

    cpu: float
    wall: float


#: What a command cost for one submission alone, and for all.
Pair = tuple[Cost, Cost]


def compare(folder: Path, stem: str, texts: Sequence[str], skip_nbgrader: bool) -> None:
    """Grade submissions of an exercise with both, and print the ratio."""
    submissions = write_submissions(folder / "few", stem, texts)
    grade(submissions, folder / "first graded", "--only", ONE)  # it writes the bytecode
    few = folder / "few graded"
    costs = {
        "normlab grade": (
            best(lambda: grade(submissions, folder / "one graded", "--only", ONE, "--regrade")),
            best(lambda: grade(submissions, few, "--regrade")),
        )
    }
    right = HALF if stem == EXERCISE else len(texts)
    check_scores(few, right)
    if not skip_nbgrader:
        costs |= nbgrader(folder / "course", stem, texts)
    print(f"\n{len(texts)} submissions of {stem}, {right} right and {len(texts) - right} wrong")
    print_table("CPU", costs, len(texts))
    print_table("wall", costs, len(texts))
    print_shares(few, grade(submissions, few, "--regrade"), len(texts))


def best(measure: Callable[[], Cost]) -> Cost:
    """Measure a few times, and return the time when the machine disturbed least."""
    return min((measure() for _ in range(REPEATS)), key=lambda cost: cost.cpu)


def print_table(what: str, costs: Mapping[str, Pair], submissions: int) -> None:
    """Print the seconds of each command, and how many times more nbgrader takes."""
    rows = {name: seconds_each(what, *pair, submissions) for name, pair in costs.items()}
    print(f"\n{what + ' s a submission':28}   one alone   {submissions} together   each further")
    for name, row in rows.items():
        print(f"{name:28}" + "".join(f"{seconds:12.3f}" for seconds in row))
    ours, *theirs = rows.values()
    for number in range(1, len(theirs) + 1):
        name = " and ".join(list(costs)[1 : number + 1])
        sums = [sum(column) for column in zip(*theirs[:number], strict=True)]
        ratios = [most / least for most, least in zip(sums, ours, strict=True)]
        print(f"{name}: {', '.join(f'{one:.1f}' for one in ratios)} times as much")


def seconds_each(what: str, one: Cost, all_of_them: Cost, submissions: int) -> list[float]:
    """Return the seconds for one alone, for one of all, and for one more."""
    alone, together = getattr(one, what.lower()), getattr(all_of_them, what.lower())
    return [alone, together / submissions, (together - alone) / (submissions - 1)]


def print_shares(out: Path, cost: Cost, submissions: int) -> None:
    """Print how much of the processor's time was the learners' own code, and how much the start."""
    graded, learners = columns(out, "$.cpu_seconds", "$.learner_cpu_seconds")
    print(f"\nof normlab's {cost.cpu / submissions:.3f} CPU s a submission")
    for what, seconds in (
        ("the learner's process", sum(learners)),
        ("judging, naming the mistake", sum(graded) - sum(learners)),
        ("starting, finding, reports", cost.cpu - sum(graded)),
    ):
        print(f"  {what:30}{seconds / submissions:7.3f}  {seconds / cost.cpu:4.0%}")


def check_scores(out: Path, right: int) -> None:
    """See that the right ones have all points, and that of the wrong ones none has."""
    with (out / "grades.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    full = {row["student"] for row in rows} - {
        row["student"] for row in rows if row["score"] != row["max_score"]
    }
    assert full == set(map(name_of, range(right))), full
    assert {row["status"] for row in rows} == {"graded"}


def columns(out: Path, *paths: str) -> list[list[float]]:
    """Return values out of each verdict in a gradebook."""
    db = sqlite3.connect(out / "gradebook.db")
    chosen = ", ".join(f"json_extract(verdict, '{path}')" for path in paths)
    rows = db.execute(f"SELECT {chosen} FROM verdicts")
    return [list(column) for column in zip(*rows, strict=True)]


def notebook(right: bool, number: int) -> str:
    """Return a submission's text; those of other numbers differ from it."""
    text = (ROOT / "solutions" / f"{EXERCISE}.ipynb").read_text(encoding="utf-8")
    if not right:
        before, after = WRONG[number % len(WRONG)]
        assert before in text, before
        text = text.replace(before, after)
    return text.replace("return weight", f'# {number}\\n",\n    "    return weight')


def name_of(number: int) -> str:
    return f"student{number:03d}"


def write_submissions(folder: Path, stem: str, texts: Sequence[str]) -> Path:
    for number, text in enumerate(texts):
        student = folder / name_of(number)
        student.mkdir(parents=True)
        (student / f"{stem}.ipynb").write_text(text, encoding="utf-8")
    return folder


def grade(submissions: Path, out: Path, *options: str, jobs: int = 1) -> Cost:
    """Run `normlab grade`."""
    command = [sys.executable, "-m", "normlab", "grade", str(submissions), "-o", str(out)]
    return run([*command, "--jobs", str(jobs), "--seed", "1", *options])


def nbgrader(course: Path, stem: str, texts: Sequence[str]) -> dict[str, Pair]:
    """Run `nbgrader autograde` and `generate_feedback` in a course of its own."""
    source = course / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / f"{stem}.ipynb", source)
    options = [ASSIGNMENT, "--course-dir", str(course)]
    run([*NBGRADER, "generate_assignment", *options])
    for number, text in enumerate(texts):
        submitted = course / "submitted" / name_of(number) / ASSIGNMENT
        submitted.mkdir(parents=True)
        (submitted / f"{stem}.ipynb").write_text(text, encoding="utf-8")
    costs = {}
    for command in ("autograde", "generate_feedback"):
        again = [*NBGRADER, command, *options, "--force"]
        costs[f"nbgrader {command}"] = (
            best(lambda again=again: run([*again, "--student", ONE])),
            best(lambda again=again: run(again)),
        )
    return costs


def run(command: Sequence[str]) -> Cost:
    """Run a command and return what it and all that it started have cost."""
    # nbgrader looks for its helper `alembic` on the PATH. One thread, as everywhere here. And
    # bytecode is kept: an installed nbgrader has it from the start, a checkout of normlab not.
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "NORMLAB_PROGRESS": "",
        "PYTHONDONTWRITEBYTECODE": "",
    }
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    wall = time.perf_counter() - start
    wait_for_orphans()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, wall)


def adopt_orphans() -> None:
    """Become the parent of every process below this one that its own parent has left, on Linux.

    What a parent did not wait for before it ended is waited for here: nobody would count its time.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for_orphans() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


class Watch:
    """Looks at the memory of all processes below this one, children of children too.

    Memory that several processes share is counted once, where the system tells (Linux).
    """

    def __enter__(self) -> "Watch":
        self.memory: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            memory = 0.0
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error, OSError):
                    full = process.memory_full_info()
                    memory += getattr(full, "pss", full.uss)
            self.memory.append(memory)


# ---- many of them


def run_many(folder: Path, submissions: int, jobs: int) -> None:
    """Grade many different submissions; print the rate and the memory over the run."""
    texts = [notebook(number % 2 == 0, number) for number in range(submissions)]
    write_submissions(folder / "many", EXERCISE, texts)
    with Watch() as watch:
        cost = grade(folder / "many", folder / "many graded", jobs=jobs)
    print(f"\n{submissions} submissions, all different, --jobs {jobs}\n")
    print(f"CPU       {cost.cpu / submissions:10.3f} s a submission")
    print(f"rate      {submissions / cost.wall:10.1f} submissions a second")
    ends = [len(watch.memory) * part // 4 for part in range(5)]
    for name, (a, b) in zip(QUARTERS, itertools.pairwise(ends), strict=True):
        most = max(watch.memory[a:b], default=0.0) / MEGABYTE
        print(f"memory    {most:10.0f} MB at most in the {name} quarter of the run")


if __name__ == "__main__":
    main()
