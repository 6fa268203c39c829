"""Graded work: right, wrong, begun, untidy; and the verdict agrees with the learner's own check."""

import contextlib
import json
import os
import re
import resource
import signal
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from normlab.exercises import all_exercises, check, tasks_of
from normlab.exercises.calling import Outcome
from normlab.exercises.exercise import Exercise
from normlab.grading import Grader, Limits, Status, Verdict
from normlab.grading.judge.attempts import Attempt, Drawn, judge_outcomes
from normlab.grading.judge.grader import GraderFailed
from normlab.grading.prison.isolation import Site, no_isolation
from normlab.grading.prison.processes import Warm

ROOT = Path(__file__).parents[2]
NUMPY = sorted(path.stem for path in (ROOT / "solutions").glob("*.ipynb"))
TORCH = [stem for stem in NUMPY if stem[:2] in ("05", "13")]
NUMPY = [stem for stem in NUMPY if stem not in TORCH]
EXERCISE = "02_batch_norm_forward"


def cells_of(folder, stem=EXERCISE):
    cells = json.loads((ROOT / folder / f"{stem}.ipynb").read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


# ---- right, and not begun


@pytest.mark.parametrize("stem", NUMPY)
def test_a_solution_gets_all_points(grader, stem):
    verdict = grader.grade(ROOT / "solutions" / f"{stem}.ipynb", stem)
    assert verdict.score == verdict.max_score > 0
    assert {task.status for task in verdict.tasks} == {Status.GRADED}
    assert [task.task for task in verdict.tasks] == [task.name for task in tasks_of(stem)]


@pytest.mark.parametrize("stem", [*NUMPY, TORCH[-1]])
def test_what_is_not_begun_gets_none_and_says_so(grader, stem):
    verdict = grader.grade(ROOT / "exercises" / f"{stem}.ipynb", stem)
    assert verdict.score == 0
    # In torch tasks a program to be mended has the task's name, and is no answer.
    assert not any(aspect.points for task in verdict.tasks for aspect in task.aspects)
    assert {task.status for task in verdict.tasks} == {Status.MISSING}
    assert all("Not begun yet" in task.feedback for task in verdict.tasks)


def test_a_solution_in_torch_gets_all_points(grader):
    verdict = grader.grade(ROOT / "solutions" / f"{TORCH[-1]}.ipynb", TORCH[-1])
    assert verdict.score == verdict.max_score > 0


# ---- wrong: the verdict is that of the learner's own check

MISTAKES = {
    "eps outside the root": "return weight * (x - x.mean(0)) / (x.std(0) + eps) + bias",
    "unbiased variance": "return weight * (x - x.mean(0)) / np.sqrt(x.var(0, ddof=1) + eps) + bias",
    "changes x": "x -= x.mean(0); return weight * x / np.sqrt(x.var(0) + eps) + bias",
    "nothing known": "return weight * x ** 3 + 17",
    "prints": "print('here', x.shape); return x",
    "raises": "return x + undefined",
    "returns none": "x.mean()",
    "divides by zero": "return x / (x - x)",
    "another shape": "return x.T",
    "a tuple": "return x, weight",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_verdict_is_the_check_with_other_numbers(grade, name):
    source = "import numpy as np\ndef batch_norm_forward(x, weight, bias, eps):\n    "
    source += MISTAKES[name]
    task = grade(source).tasks[0]
    names = {}
    exec(source, names)
    report = check("batch_norm_forward", names["batch_norm_forward"])
    assert (task.score, task.max_score) == (report.points, report.max_points)
    assert task.mistake == " + ".join(report.mistakes)
    assert [a.points for a in task.aspects] == [line.points for line in report.lines]
    assert [a.name for a in task.aspects] == [line.title for line in report.lines]
    assert task.status == Status.GRADED
    for aspect in task.aspects:
        assert aspect.passed == (aspect.points == aspect.max_points)


def test_a_named_mistake_comes_with_its_hint_and_no_seed(grade):
    task = grade(
        "import numpy as np\ndef batch_norm_forward(x, weight, bias, eps):\n    "
        + MISTAKES["eps outside the root"]
    ).tasks[0]
    assert task.mistake == "eps outside the root"
    said = " ".join([task.feedback, *(aspect.message for aspect in task.aspects)])
    assert "Hint: " in said
    assert "Lesson 2" in task.feedback
    assert not re.search(r"\bseed\b", said)


def test_other_seeds_ask_other_numbers(tmp_path, write_notebook, grader):
    prints = "def batch_norm_forward(x, weight, bias, eps):\n    print(x.tolist())\n    return x"
    path = write_notebook(tmp_path / "nb.ipynb", prints)
    with Grader(seed=8, isolation=grader.isolation) as other:
        said = [one.grade(path, EXERCISE).tasks[0].feedback for one in (grader, grader, other)]
    assert said[0] == said[1] != said[2]


def test_what_is_right_is_computed_once_and_changed_by_nobody(monkeypatch):
    exercise = all_exercises()["linear_then_batch_norm"]
    drawn = Drawn(exercise, 7)
    assert len(drawn.cases) > 1
    for case in drawn.cases:
        kept = drawn.variants.right[case.name]
        for name, right in exercise.reference(**case.arguments).items():
            np.testing.assert_array_equal(kept[name], right)
            with pytest.raises(ValueError, match="read-only"):
                kept[name][...] = 0
    right = [Outcome(drawn.variants.right[case.name]) for case in drawn.cases]
    monkeypatch.setattr(Exercise, "variant", None)  # nothing is computed any more
    verdict = judge_outcomes(Attempt(drawn), right, {})
    assert verdict.score == exercise.max_points


#: A teacher's own task that names the steps of its model; none that the course grades does.
GRAPH = """
# %%
import numpy as np


# %%
def scaled_back(dy, x):
    ### BEGIN SOLUTION
    dsquare = -dy  # (N,)
    dx = 2 * dsquare * x  # (N,)
    return dx
    ### END SOLUTION


# %% tags=["teacher"]
def cases(rng):
    for n in (3, 4):
        yield case(f"{n} numbers", "dx", dy=rng.normal(size=n), x=rng.normal(size=n))


WORDS = '''
title = "back through minus the square"
returns = ["dx"]
nodes = ["dsquare"]
first_step = "go back through the minus."

[aspects]
dx = {title = "dx", points = 10}

[mistakes.dx."half"]
change = {"2 * dsquare" = "dsquare"}
what = "the 2 is missing."
symptom = "half of it."
hint = "what is the slope of a square?"
next = "the square"
'''
"""


def test_the_nodes_of_a_graph_are_compared(grader, tmp_path, write_notebook, monkeypatch):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "graph.py").write_text(GRAPH, encoding="utf-8")
    monkeypatch.setenv("NORMLAB_TASKS", str(tmp_path / "tasks"))
    wrong = "def scaled_back(dy, x): return 2 * dy * x, {'dsquare': dy}"
    task = grader.grade(write_notebook(tmp_path / "nb.ipynb", wrong), "graph").tasks[0]
    assert "Your nodes: the first that differs is dsquare" in task.feedback


# ---- untidy

RIGHT = cells_of("solutions")


def graded(verdict):
    return [(str(task.status), task.score) for task in verdict.tasks]


ALL = [("graded", 10)] * 4


def test_cells_may_be_in_another_order(grade):
    first, *others = RIGHT
    assert graded(grade(first, *reversed(others))) == ALL


def test_a_stub_that_was_copied_behind_the_answer_does_not_hide_it(grade):
    assert graded(grade(*RIGHT, *cells_of("exercises"))) == ALL


def test_the_last_of_two_answers_counts(grade):
    other = "def batch_norm_forward(x, weight, bias, eps):\n    return x"
    assert grade(*RIGHT, other).tasks[0].score < 10
    assert graded(grade(other, *RIGHT)) == ALL


def test_a_result_that_took_the_name_does_not_hide_the_function(grade):
    assert graded(grade(*RIGHT, "batch_norm_forward = 5")) == ALL


def test_a_cell_that_raises_does_not_stop_the_next(grade):
    assert graded(grade("1 / 0", RIGHT[0], "undefined", *RIGHT[1:])) == ALL


def test_an_import_that_fails_does_not_stop_its_cell(grade):
    first = "import pandas as pd, torch\nfrom normlab import nn\nimport numpy as np"
    assert graded(grade(first, *RIGHT[1:])) == ALL


def test_a_plot_does_not_stop_its_cell(grade):
    plots = """
        import matplotlib.pyplot as plt
        from matplotlib import cm
        fig, axes = plt.subplots(1, 2, figsize=(8, 3))
        fig, (left, right) = plt.subplots(1, 2)
        with plt.style.context("ggplot"):
            for ax in axes:
                ax.plot([1, 2])
        left.set_title(f"{cm.viridis(0.5)}")
        axes[0].legend(); axes[1] = None; len(axes)
        plt.show()
        """
    assert graded(grade(RIGHT[0], *(textwrap.dedent(plots) + cell for cell in RIGHT[1:]))) == ALL


def test_a_stand_in_is_nothing_to_compute_with(grade):
    source = "import matplotlib\ndef batch_norm_forward(x, weight, bias, eps):\n    return "
    assert grade(source + "matplotlib.y").tasks[0].score == 0
    assert grade(source + "x * matplotlib.y").tasks[0].score == 0


def test_a_missing_task_costs_its_own_points(grade):
    verdict = grade(*(c for c in RIGHT if "def linear_then_batch_norm" not in c))
    assert graded(verdict) == [ALL[0], ("missing", 0), *ALL[2:]]
    assert "is called linear_then_batch_norm" in verdict.tasks[1].feedback


def test_a_task_whose_cell_does_not_run_says_so(grade):
    broken = "def batch_norm_forward(x, weight, bias, eps):\n    return (x"
    verdict = grade(broken, *(c for c in RIGHT if "def batch_norm_forward(" not in c))
    assert graded(verdict)[0] == ("failed", 0)
    assert "SyntaxError" in verdict.tasks[0].feedback


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("batch_norm_forward = 5", "not a function but an int"),
        ("class batch_norm_forward: pass", "This is a class"),
        ("def batch_norm_forward(x): return x", "(x, weight, bias, eps)"),
    ],
)
def test_what_cannot_be_called_fails_and_says_why(grade, answer, said):
    task = grade(answer).tasks[0]
    assert (task.status, task.score) == (Status.FAILED, 0)
    assert said in task.feedback


def test_a_function_that_was_found_elsewhere_is_as_good(grade):
    aliases = "import functools\n_f = batch_norm_forward\ndel batch_norm_forward\n"
    aliases += "batch_norm_forward = functools.partial(_f)"
    assert graded(grade(*RIGHT, aliases)) == ALL


def test_a_learners_globals_classes_and_main_guard_work(grade):
    clever = """
        from dataclasses import dataclass
        import pickle
        AXIS = 0
        @dataclass
        class Moments:
            mean: object
            var: object
        def moments(x): return Moments(x.mean(AXIS), x.var(AXIS))
        if __name__ == "__main__":
            def batch_norm_forward(x, weight, bias, eps):
                found = pickle.loads(pickle.dumps(moments(x)))
                return weight * (x - found.mean) / np.sqrt(found.var + eps) + bias
        """
    assert graded(grade(*RIGHT, clever)) == ALL


# ---- files


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", "unreadable"),
        (b"not a notebook", "unreadable"),
        (b"\xff\xfe\x00\x01\x02", "unreadable"),
        (b'{"cells": [{"cell_type": "code", "source": "a', "unreadable"),
        (b"[" * 100_000, "unreadable"),
        (b'{"cells": []}', "missing"),
    ],
)
def test_a_file_that_is_no_notebook_has_its_status(grader, tmp_path, content, status):
    path = tmp_path / "nb.ipynb"
    path.write_bytes(content)
    verdict = grader.grade(path, EXERCISE)
    assert {str(task.status) for task in verdict.tasks} == {status}
    assert all(task.feedback for task in verdict.tasks)


def test_nothing_handed_in_is_missing(grader, tmp_path):
    verdict = grader.grade(tmp_path / "none.ipynb", EXERCISE)
    assert {task.status for task in verdict.tasks} == {Status.MISSING}


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "dangling link", "a folder above"])
def test_what_is_no_file_is_not_read(grader, tmp_path, kind):
    path = tmp_path / "nb.ipynb"
    other = ROOT / "solutions" / f"{EXERCISE}.ipynb"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "a folder above":
        path = tmp_path / ".."
    else:
        path.symlink_to(other if kind == "link" else tmp_path / "none")
    verdict = grader.grade(path, EXERCISE)
    assert {task.status for task in verdict.tasks} == {Status.UNREADABLE}
    assert verdict.score == 0


def test_a_large_notebook_is_read_and_a_larger_one_says_so(grader, tmp_path):
    path = tmp_path / "nb.ipynb"
    cells = [{"cell_type": "code", "source": source} for source in RIGHT]
    cells[0]["outputs"] = [{"data": {"image/png": "A" * (50 * 2**20)}}]
    path.write_text(json.dumps({"cells": cells}))
    assert graded(grader.grade(path, EXERCISE)) == ALL
    with Grader(7, Limits(notebook_size=2**20), grader.isolation) as strict:
        verdict = strict.grade(path, EXERCISE)
    assert {task.status for task in verdict.tasks} == {Status.UNREADABLE}
    assert "50 MiB" in verdict.message


def test_what_was_cut_off_at_the_limit_is_said_to_be_more(grader):
    """As a submission is read: no more than one byte above it."""
    with Grader(7, Limits(notebook_size=2**20), grader.isolation) as strict:
        verdict = strict.grade_content(bytes(2**20 + 1), EXERCISE)
    assert {task.status for task in verdict.tasks} == {Status.UNREADABLE}
    assert "The file has more than 1 MiB, and no more than 1 are read." in verdict.message


def test_ten_thousand_cells_are_run(grade):
    verdict = grade(*["x = 1"] * 10_000, *RIGHT)
    assert graded(verdict) == ALL


def test_a_bomb_of_json_is_the_childs_trouble(grader, tmp_path):
    path = tmp_path / "nb.ipynb"
    path.write_bytes(b'{"cells": [' + b"{}," * 12_000_000 + b"{}]}")
    with Grader(7, Limits(memory=300 * 2**20), grader.isolation) as strict:
        verdict = strict.grade(path, EXERCISE)
    assert {task.status for task in verdict.tasks} == {Status.UNREADABLE}


# ---- the verdict itself


def test_a_verdict_survives_json(grade):
    verdict = grade("import numpy as np", "def batch_norm_forward(x, weight, bias, eps): return x")
    assert Verdict.from_json(verdict.to_json()) == verdict


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tasks": []}', '{"exercise": 1, "other": 2}'])
def test_another_json_is_no_verdict(text):
    with pytest.raises(ValueError, match=r"verdict|Expecting"):
        Verdict.from_json(text)


def test_the_learners_time_is_told_apart(grade):
    busy = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    idle, verdict = grade(*RIGHT), grade(busy, *RIGHT)
    assert verdict.learner_cpu_seconds > idle.learner_cpu_seconds + 0.25
    assert verdict.cpu_seconds > verdict.learner_cpu_seconds
    assert verdict.cpu_seconds - verdict.learner_cpu_seconds < 0.2


def test_an_unknown_notebook_is_the_callers_mistake(grader):
    with pytest.raises(LookupError, match="77_none"):
        grader.grade("x", "77_none")


def test_a_failure_of_the_grader_itself_is_nobodys_verdict(grader, monkeypatch):
    """It is tried once more, and then said so."""
    tries = []

    def fail(*_):
        tries.append(1)
        raise RuntimeError("no such thing")

    monkeypatch.setattr("normlab.grading.judge.grader.Run", fail)
    with pytest.raises(GraderFailed, match="no such thing"):
        grader.grade(ROOT / "solutions" / f"{EXERCISE}.ipynb", EXERCISE)
    assert len(tries) == 2


def test_want_of_memory_in_the_grader_is_nobodys_verdict(grader, monkeypatch):
    """An answer may ask for more than there is: that is no judgement of it."""

    def large(*_):
        raise MemoryError

    monkeypatch.setattr("normlab.grading.judge.attempts.judge", large)
    with pytest.raises(GraderFailed, match="MemoryError"):
        grader.grade(ROOT / "solutions" / f"{EXERCISE}.ipynb", EXERCISE)


def test_a_sandbox_that_dies_before_it_has_read_is_tried_again(grader, monkeypatch):
    """Once it is the grader's secret; twice it is the grader's failure, and never the file's."""
    if grader.isolation.name == "none":
        pytest.skip("there is no sandbox")
    solution = ROOT / "solutions" / f"{EXERCISE}.ipynb"
    begin, left = Site.begin, [1]

    def begin_dead(site):
        talk = begin(site)
        if left:
            left.pop()
            os.kill(child_of(site.warm.process.pid), signal.SIGKILL)
        return talk

    monkeypatch.setattr(Site, "begin", begin_dead)
    assert grader.grade(solution, EXERCISE).score == 40
    assert not left
    left += [1, 1]
    with pytest.raises(GraderFailed, match="before it had read"):
        grader.grade(solution, EXERCISE)
    assert grader.grade(solution, EXERCISE).score == 40


def test_a_process_that_somebody_kills_is_no_evidence(grader, tmp_path, write_notebook):
    """Once the cell is run again; killed at the same cell twice, it is held to account."""
    if grader.isolation.name == "none":
        pytest.skip("there is no sandbox")
    sleep = "import time\ntime.sleep(1.5)"
    cells = [f"{sleep}\n{c}" if "def batch_norm_forward(" in c else c for c in RIGHT]
    path = write_notebook(tmp_path / "nb.ipynb", *cells)
    with Grader(7, isolation=grader.isolation) as strict:
        strict.grade(ROOT / "solutions" / f"{EXERCISE}.ipynb", EXERCISE)
        outer = strict._sites[False].warm.process.pid
        for kills, score in ((1, 40), (2, 30)):
            killer = threading.Thread(target=kill_children, args=(outer, kills))
            killer.start()
            verdict = strict.grade(path, EXERCISE)
            killer.join()
            assert verdict.score == score, verdict
    assert "want of memory" in verdict.message


def kill_children(outer, kills):
    """Kill the submission's process where it sleeps: soundly, for between two cells it does not."""
    for _ in range(kills):
        sleeping = 0
        while sleeping < 10:
            time.sleep(0.03)
            with contextlib.suppress(IndexError, OSError, psutil.Error):  # it is not there yet
                child = psutil.Process(child_of(outer))
                sleeping = sleeping + 1 if child.status() == psutil.STATUS_SLEEPING else 0
        child.kill()


def child_of(outer):
    """Return the submission's process: below the warm one, which is below the one that started."""
    for _ in range(2):
        outer = int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])
    return outer


def test_limits_that_somebody_lowered_are_the_graders_trouble(grader, monkeypatch):
    """It is not the file that cannot be read: the review's worst case, without its cause."""
    if grader.isolation.name == "none":
        pytest.skip("there is no sandbox")
    fork = Warm.fork

    def lowered(warm):
        pid = int(Path(f"/proc/{warm.process.pid}/task/{warm.process.pid}/children").read_text())
        if not warm.__dict__.setdefault("tried", False):
            warm.tried = True  # the trial
        else:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
        return fork(warm)

    solution = ROOT / "solutions" / f"{EXERCISE}.ipynb"
    with Grader(7) as strict:
        assert strict.grade(solution, EXERCISE).score == 40
        strict._sites[False].warm.tried = True
        monkeypatch.setattr(Warm, "fork", lowered)
        with pytest.raises(GraderFailed, match="maximum limit"):
            strict.grade(solution, EXERCISE)
        monkeypatch.setattr(Warm, "fork", fork)
        assert strict.grade(solution, EXERCISE).score == 40


def test_without_isolation_the_same_verdicts_come_out(grader, tmp_path, write_notebook):
    wrong = "import numpy as np\ndef batch_norm_forward(x, weight, bias, eps): return x"
    loop = "def linear_then_batch_norm(*_):\n    import os; os._exit(0)"
    path = write_notebook(tmp_path / "nb.ipynb", wrong, loop, *RIGHT[-5:])
    with Grader(7, isolation=no_isolation()) as plain:
        assert plain.grade(path, EXERCISE).tasks == grader.grade(path, EXERCISE).tasks
        assert "NONE" in plain.isolation.describe()[0]


def test_without_isolation_an_endless_loop_ends(tmp_path, write_notebook):
    loop = """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        while True: pass
        """
    path = write_notebook(tmp_path / "nb.ipynb", textwrap.dedent(loop), *RIGHT)
    with Grader(7, Limits(cell_seconds=0.5), isolation=no_isolation()) as plain:
        assert graded(plain.grade(path, EXERCISE)) == ALL


# ---- what the warm process has done beforehand


def test_what_was_rehearsed_is_ready_and_leaves_nothing_behind(grade):
    look = """
        import linecache, sys, numpy
        found = [name for name in ("task", "x", "report") if name in globals()]
        if "<cell 4>" not in linecache.cache: found.append("nothing was rehearsed")
        if numpy.get_printoptions()["precision"] != 8: found.append("options")
        if sys.modules["__main__"].__dict__ is not globals(): found.append("another main")
        raise RuntimeError(f"found {found}")
        """
    assert "found []" in grade(look).message


def test_answers_that_are_too_long_to_be_sent_together_are_sent_apart(grade):
    """More than 1 MiB in each case, so that nothing is left to be sent behind the last."""
    large = """
        def batch_norm_forward(x, weight, bias, eps):
            return np.ones((400, 400))
        """
    first, *others = RIGHT
    assert graded(grade(first, *others, large)) == [("graded", 0), *ALL[1:]]


def test_a_function_that_interrupts_is_one_that_raises(grade):
    interrupts = """
        def batch_norm_forward(x, weight, bias, eps):
            raise KeyboardInterrupt
        """
    first, *others = RIGHT
    verdict = grade(first, *others, interrupts)
    assert graded(verdict) == [("graded", 0), *ALL[1:]]
    assert "KeyboardInterrupt" in verdict.tasks[0].aspects[0].message


def test_after_a_call_that_took_too_long_no_other_is_made(grader, tmp_path, write_notebook):
    slow = """
        import time
        calls = []
        def batch_norm_forward(x, weight, bias, eps):
            calls.append(1)
            print(len(calls), "calls")
            while True: time.sleep(0.01)
        def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):
            raise RuntimeError(f"it was called {len(calls)} times")
        """
    cells = (RIGHT[0], textwrap.dedent(slow))
    path = write_notebook(tmp_path / "nb.ipynb", *cells)
    with Grader(7, Limits(call_seconds=0.3), grader.isolation) as hasty:
        first, second, *_ = hasty.grade(path, EXERCISE).tasks
    assert first.status == "timeout"
    assert "it was called 1 times" in second.aspects[0].message
    assert not any("raised" in aspect.message for aspect in first.aspects)
