"""Mutated notebooks: a status for each task of each, whatever comes out, and never an exception.

``NORMLAB_FUZZ=3x1000`` makes three runs of a thousand; by default it is one of 90.
"""

import copy
import json
import os
import random
from pathlib import Path

import pytest

from normlab.grading import Limits, Status, tasks_of
from normlab.grading.prison.limits import MEBIBYTE

ROOT = Path(__file__).parents[2]
STEMS = ("01_normalize_data", "02_batch_norm_forward", "03_batch_norm_train_and_eval")
RUNS, MUTANTS = map(int, os.environ.get("NORMLAB_FUZZ", "1x90").split("x"))
ODD = (None, True, 0, -1, 1e308, "", "\x00", "\ud800", [], {}, [[]], {"cells": []}, "x" * 10_000)


LIMITS = Limits(
    seconds=8, cell_seconds=0.3, call_seconds=0.3, memory=256 * MEBIBYTE, file_size=MEBIBYTE
)


# ---- three kinds of mutation


def mutate_bytes(data, rng):
    """Flip, cut, double, insert and exchange bytes."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 50])):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice([1, 2, 10, 1000]))
        deed = rng.randrange(6)
        if deed == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif deed == 1:
            del data[at:end]
        elif deed == 2:
            data[at:at] = data[at:end]
        elif deed == 3:
            data[at:at] = rng.randbytes(rng.choice([1, 4, 100]))
        elif deed == 4:
            data[at:end] = rng.choice([b'"', b"\\", b"{", b"]", b"\xff\xfe", b"\x00", b"1e999"])
        elif rng.random() < 0.2:
            del data[at:]
    return bytes(data)


def mutate_structure(data, rng):
    """Put odd values in the place of parts of the notebook, or take parts out."""
    notebook = json.loads(data)
    for _ in range(rng.choice([1, 2, 5])):
        holder, key = rng.choice(list(places(notebook)))
        if rng.random() < 0.3:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD))
        if not list(places(notebook)):
            break
    return json.dumps(notebook).encode()


def places(value):
    """Yield each part of a structure as what holds it and its key."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def mutate_cells(data, rng):
    """Shuffle, drop, double, join and cut cells, and exchange lines and words between them."""
    notebook = json.loads(data)
    cells = notebook["cells"]
    for _ in range(rng.choice([1, 2, 5, 20])):
        one, other = rng.choice(cells), rng.choice(cells)
        deed = rng.randrange(8)
        if deed == 0:
            rng.shuffle(cells)
        elif deed == 1 and len(cells) > 1:
            cells.remove(one)
        elif deed == 2:
            cells.insert(rng.randrange(len(cells)), copy.deepcopy(one))
        elif deed == 3:
            one["source"] = [*lines(one), "\n", *lines(other)]
        elif deed == 4:
            one["source"] = lines(one)[rng.randrange(3) :]
        elif deed == 5:
            mixed = lines(one)
            rng.shuffle(mixed)
            one["source"] = mixed
        elif deed == 6:
            one["cell_type"] = rng.choice(["code", "markdown", "raw", "heading"])
        else:
            words = ["0", "x", "while True:", "return", "not", "1/0", "**", "lambda:", "del x;"]
            found = "".join(lines(one)).split(" ")
            found[rng.randrange(len(found))] = rng.choice(words)
            one["source"] = " ".join(found)
    return json.dumps(notebook).encode()


def lines(cell):
    source = cell["source"]
    return source.splitlines(keepends=True) if isinstance(source, str) else list(source)


# ---- the test

MUTATIONS = (mutate_bytes, mutate_structure, mutate_cells)


@pytest.mark.parametrize("run", range(RUNS))
def test_every_mutant_has_a_status(grader, tmp_path, run):
    rng = random.Random(run)
    seen = dict.fromkeys(Status, 0)
    for number in range(MUTANTS):
        stem = STEMS[number % len(STEMS)]
        data = (ROOT / "solutions" / f"{stem}.ipynb").read_bytes()
        path = tmp_path / "nb.ipynb"
        path.write_bytes(MUTATIONS[number // len(STEMS) % len(MUTATIONS)](data, rng))
        verdict = grader.grade(path, stem)
        assert [task.task for task in verdict.tasks] == [task.name for task in tasks_of(stem)]
        assert "The grader itself" not in verdict.message, (run, number, verdict.message)
        for task in verdict.tasks:
            assert 0 <= task.score <= task.max_score
            assert task.status in seen
            # A failure to judge is no judgement: it has no points, unless the time was up between.
            assert task.status in (
                Status.GRADED,
                Status.TIMEOUT,
                Status.MEMORY,
                Status.FORBIDDEN,
            ) or (task.score == 0)
            seen[task.status] += 1
    print({str(status): count for status, count in seen.items()})
    assert seen[Status.GRADED]
    assert seen[Status.UNREADABLE]
    assert seen[Status.MISSING]
    neighbour = ROOT / "solutions" / f"{STEMS[1]}.ipynb"
    assert grader.grade(neighbour, STEMS[1]).score == 40
