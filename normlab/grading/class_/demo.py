"""A made class, to try the grading with before real work comes in."""

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from normlab.exercises.exercise import Exercise
from normlab.exercises.finding import tasks_of
from normlab.exercises.ways import NO_EDITS

EXERCISE = "02_batch_norm_forward"
_FIRST = "Ada Ben Cleo Dev Ema Finn Gita Hugo Ines Jan Kim Lea Milo Nora Omar Pia Quin Rosa Sam Tea"
_LAST = "Abel Berg Costa Dahl Ek Fox Garcia Holm Ito Jansen"
_DAY = 24 * 3600


def make_class(exercises: Path, out: Path, students: int) -> None:
    """Write what a class handed in, as Moodle gives it, with its worksheet.

    The worksheet is the class list as well. Everyone's work is right, or holds a mistake that the
    tasks know; some is late, called otherwise, cut off, copied, unfinished, or not there at all.
    `exercises` is the folder with the notebooks, and `out` a new one.
    """
    stub = json.loads((exercises / f"{EXERCISE}.ipynb").read_text(encoding="utf-8"))
    chance = random.Random(0)
    names = [f"{first} {last}" for last in _LAST.split() for first in _FIRST.split()]
    names = [names[at % len(names)] for at in range(students)]
    names[-1] = names[0]  # two of one name
    rows = []
    now = time.time()
    for at, name in enumerate(names):
        number = 4700 + at
        rows.append(f"Participant {number},{name},s{number}@example.org,-,,20.00,Yes,-,-,")
        odd = _ODD.get(at)
        if odd == "nothing":
            continue
        folder = out / "handed_in" / f"{name}_{number}_assignsubmission_file_"
        folder.mkdir(parents=True)
        file = folder / ("my homework (1).ipynb" if odd == "renamed" else f"{EXERCISE}.ipynb")
        copied = random.Random(1) if odd == "copied" else chance
        text = json.dumps(stub if odd == "stub" else _answered(stub, copied, odd == "exit"))
        file.write_text(text[:5000] if odd == "cut off" else text, encoding="utf-8")
        handed_in = now - 2 * _DAY + (3 * _DAY if odd == "late" else 0)
        os.utime(file, (handed_in, handed_in))
    (out / "worksheet.csv").write_text("\n".join([_WORKSHEET, *rows, ""]), encoding="utf-8")


_ODD = dict(
    enumerate(("nothing", "late", "renamed", "cut off", "copied", "copied", "stub", "exit"), 1)
)
_WORKSHEET = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments"
)


def _answered(stub: dict, chance: random.Random, ends_itself: bool) -> dict:
    """Return the notebook with an answer to each task, right or with one mistake."""
    notebook = json.loads(json.dumps(stub))
    for task in tasks_of(EXERCISE):
        for cell in notebook["cells"]:
            if f"def {task.name}(" in "".join(cell["source"]) and cell["cell_type"] == "code":
                cell["source"] = _answer(task, chance.choice)
    if ends_itself:
        cell["source"] = "import os\nos._exit(1)"
    notebook["metadata"]["made"] = chance.random()
    return notebook


def _answer(task: Exercise, choice: Callable) -> str:
    mistakes = [one.edits for one in task.mistakes if one.edits]
    return "import numpy as np\n" + task.model.changed(choice([NO_EDITS] * 30 + mistakes))
