"""Run every code cell of the lessons twice, in order: ``python run_twice.py OUT [STEM ...]``.

Each lesson has a process of its own, forked when all that takes long to import has been imported;
two run at a time.
So that this takes no longer than it must, `fit` makes forty steps an epoch, and many trainings run
one after another: whether a second run says the same does not depend on how long it trains.

For each lesson ``OUT/STEM.json`` lists its code cells: the source, for both runs the exception
and what was shown, and what is written in the figures that were drawn.
"""

import importlib
import json
import multiprocessing
import multiprocessing.connection
import os
import sys
from pathlib import Path
from typing import Any

import drawn
import joblib
import matplotlib.pyplot
import nbformat
import numpy
import torch
from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import normlab.exercises
import normlab.plots

STEPS = 40  # an epoch
AT_A_TIME = 2
LESSONS = Path(__file__).parents[2] / "notebooks"
IMPORTED = (matplotlib.pyplot, numpy, torch, normlab.exercises, normlab.plots, CapturingDisplayHook)


def run_cell(shell: InteractiveShell, source: str) -> dict[str, Any]:
    """Run a cell once; return its exception as text, and what it printed and showed."""
    with capture_output() as captured:
        result = shell.run_cell(source)
    error = result.error_before_exec or result.error_in_exec
    shown = [captured.stdout]
    for output in captured.outputs:
        # A picture's HTML holds its alt text; of anything else its text says enough.
        shown.append(output.data.get("text/html") or output.data.get("text/plain", ""))
    return {"error": repr(error) if error else "", "shown": "\n".join(filter(None, shown))}


def run_lesson(source: Path, out: Path) -> None:
    """Run the cells of one lesson, each twice."""
    os.chdir(LESSONS)
    shell = InteractiveShell.instance()
    figures = drawn.remember()
    cells = [
        {
            "source": cell.source,
            "tags": cell.metadata.get("tags", []),
            "runs": [run_cell(shell, cell.source) for _ in range(2)],
            "figures": [figures.pop() for _ in range(len(figures))],
        }
        for cell in nbformat.read(source, as_version=4).cells
        if cell.cell_type == "code" and "remove-cell" not in cell.metadata.get("tags", [])
    ]
    (out / f"{source.stem}.json").write_text(json.dumps(cells))
    sys.stdout.flush()
    os._exit(0)  # nothing that a lesson left running keeps it


def shorten_trainings() -> None:
    """Let `fit` make few steps an epoch, and start no other processes."""
    fit = importlib.import_module("normlab.training.fit")
    whole = fit._steps_per_epoch
    fit._steps_per_epoch = lambda *arguments: min(STEPS, whole(*arguments))
    joblib.cpu_count = lambda: 1


def main() -> None:
    """Run the lessons that the command line names, all without a name."""
    shorten_trainings()
    out, stems = Path(sys.argv[1]), sys.argv[2:]
    fork = multiprocessing.get_context("fork")
    running: list[multiprocessing.process.BaseProcess] = []
    for source in sorted(LESSONS.glob("[0-9][0-9]_*.ipynb")):
        if not stems or source.stem in stems:
            if len(running) == AT_A_TIME:
                multiprocessing.connection.wait([lesson.sentinel for lesson in running])
                running = [lesson for lesson in running if lesson.is_alive()]
            running.append(fork.Process(target=run_lesson, args=(source, out)))
            running[-1].start()
    for lesson in running:
        lesson.join()


if __name__ == "__main__":
    main()
