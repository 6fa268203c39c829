"""Run the lessons as two learners do: ``python run_lessons.py OUT [STEM ...]``.

The one fills in every empty function rightly, and runs each code cell twice before the next:
``OUT/right_STEM.json``. The other is wrong everywhere: a copy of the first from where a function is
to be written first, it runs each cell once, as far as the last call of `yours`:
``OUT/wrong_STEM.json``. From there on the lesson is the one that nbval runs, since it goes on with
the package's functions.
Such a file lists the code cells: the source as the notebook has it, and for each run the exception,
what was shown, and that as text; what is written in its figures; and for what `yours` gave back, of
which module each is.

Each lesson has a process of its own, forked when all that takes long to import has been imported.
So that this takes no longer than it must, trainings are short, many run one after another,
`run_live` measures once, for all seeds and for a cell's second run, and pictures are coarse: what
is asked does not depend on how long they train.
"""

import copy
import functools
import importlib
import json
import multiprocessing
import os
import re
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
from traitlets.config import Config

import normlab.exercises
import normlab.plots
from normlab.exercises.exercise import Exercise
from normlab.plots import picture
from normlab.training import painter

STEPS = 8  # of a training, or of its epoch
LESSONS = Path(__file__).parents[2] / "notebooks"
IMPORTED = (matplotlib.pyplot, numpy, torch, normlab.plots, CapturingDisplayHook)
# A lesson's own loop, called for so many steps.
TRAINED, SHORTLY = re.compile(r"(?<![.\w])train\((.*), steps=\d+\)"), rf"train(\1, steps={STEPS})"
YOURS = re.compile(r'^(\w+) = yours\("(\w+)", ', re.MULTILINE)


def right(exercise: Exercise) -> str:
    """Return an answer that passes."""
    return exercise.model.text


def wrong(exercise: Exercise) -> str:
    """Return the text of the model with the first mistake of the task."""
    if mistake := next((one for one in exercise.mistakes if one.edits), None):
        return exercise.model.changed(mistake.edits)
    # Its mistakes are known by what they give: it trains, and in the wrong mode.
    text, mode = exercise.model.text, "network.train()"
    assert mode in text
    return text.replace(mode, "network.eval()")


def run_cell(shell: InteractiveShell, source: str) -> dict[str, Any]:
    """Run a cell once; return its exception as text, and what it printed and showed."""
    with capture_output() as captured:
        result = shell.run_cell(source)
    error = result.error_before_exec or result.error_in_exec
    shown, text = [captured.stdout], [captured.stdout]
    for output in captured.outputs:
        # A picture's HTML holds its alt text; of anything else its text says enough.
        shown.append(output.data.get("text/html") or output.data.get("text/plain", ""))
        text.append(output.data.get("text/plain", ""))
    return {
        "error": repr(error) if error else "",
        "shown": "\n".join(filter(None, shown)),
        "text": "\n".join(text),
    }


def run_lesson(source: Path, out: Path) -> None:
    """Run the cells of one lesson as the two learners do."""
    os.chdir(LESSONS)
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    learner, write, times = "right", right, 2
    notebook = nbformat.read(source, as_version=4)
    figures = drawn.remember()
    turns = YOURS.findall("\n".join(cell.source for cell in notebook.cells))
    cells: list[dict[str, Any]] = []
    other = None
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type != "code" or "remove-cell" in tags:
            continue
        begun = re.match(r"(?:def|class) (\w+)\b", cell.source)
        turn = begun and begun[1] in dict(turns).values()
        if turn and other is None:
            other = os.fork()
            if other == 0:
                learner, write, times = "wrong", wrong, 1
        text = (
            write(normlab.exercises.find(begun[1])) if turn else TRAINED.sub(SHORTLY, cell.source)
        )
        runs = [run_cell(shell, text) for _ in range(times)]
        cells.append({"source": cell.source, "tags": tags, "runs": runs})
        cells[-1]["figures"] = [figures.pop() for _ in range(len(figures))]
        if learner == "wrong" and cell.source.startswith(f"{turns[-1][0]} = yours("):
            break
    modules = [shell.user_ns[name].__module__ for name, _ in turns]
    written = json.dumps({"cells": cells, "modules": modules})
    (out / f"{learner}_{source.stem}.json").write_text(written)
    sys.stdout.flush()
    if other:
        os.waitpid(other, 0)
    os._exit(0)  # nothing that a lesson left running keeps it


def shorten() -> None:
    """Let trainings be short, measure once, start no other processes, draw coarsely."""
    experiment = importlib.import_module("normlab.training.experiment")
    run, kept = experiment._run, {}

    def measured(measure: Any, settings: Any) -> Any:
        key = measure.__module__, repr({**settings, "seed": 0})
        if key not in kept:
            kept[key] = run(measure, settings)
        return kept[key] | {"settings": dict(settings)}

    experiment._run = measured
    fit = importlib.import_module("normlab.training.fit")
    whole = fit._steps_per_epoch
    fit._steps_per_epoch = lambda *arguments: min(STEPS, whole(*arguments))
    rnn_norms = importlib.import_module("normlab.training.experiments.rnn_norms")
    rnn_norms.TRAINING_STEPS = dict.fromkeys(rnn_norms.TRAINING_STEPS, STEPS)
    norm_mistakes = importlib.import_module("normlab.training.experiments.norm_mistakes")
    trained = functools.cache(norm_mistakes.trained_model)
    norm_mistakes.trained_model = lambda seed: copy.deepcopy(trained(seed=seed))
    teach = painter.teach
    painter.teach = lambda *data, steps, **how: teach(*data, steps=STEPS, **how)
    joblib.cpu_count = lambda: 1
    picture._STYLE["savefig.dpi"] = 20


def main() -> None:
    """Run the lessons that the command line names, all without a name."""
    out, stems = Path(sys.argv[1]), sys.argv[2:]
    shorten()
    fork = multiprocessing.get_context("fork")
    for source in sorted(LESSONS.glob("[0-9][0-9]_*.ipynb")):
        if not stems or source.stem in stems:
            lesson = fork.Process(target=run_lesson, args=(source, out))
            lesson.start()
            lesson.join()


if __name__ == "__main__":
    main()
