"""Recorded runs: a CSV file that says how it was made."""

import csv
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy
import torch

from normlab.training.history import History, Point

# What was recorded for the lessons. Each file's first lines say how.
RECORDED = Path(__file__).parent / "recorded"

_COLUMNS = ["network", "seed", *(field.name for field in fields(Point))]


def save_histories(
    path: str | Path, histories: Mapping[str, Sequence[History]], *, command: str
) -> None:
    """Write the histories of `fit_many` to a CSV file, one line for each measurement.

    The file begins with comment lines: the command that made it, the date, the versions.

    Parameters
    ----------
    path
        The file; one that is there is replaced, once the new one is complete.
    histories
        For each network's name its runs.
    command
        What to type to make the file again.
    """
    path = Path(path)
    unfinished = path.with_name(path.name + ".part")
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numpy "
    with unfinished.open("w", newline="") as file:
        file.write(f"# command: {command}\n")
        file.write(f"# date: {datetime.now(UTC):%Y-%m-%d}\n")
        file.write(f"# versions: {versions}{numpy.__version__}\n")
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        for network, runs in histories.items():
            for run in runs:
                for point in run.points:
                    rounded = {name: float(f"{value:.6g}") for name, value in asdict(point).items()}
                    rounded["step"] = point.step
                    writer.writerow({"network": network, "seed": run.seed, **rounded})
    unfinished.replace(path)


def load_histories(path: str | Path) -> dict[str, list[History]]:
    """Read what `save_histories` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict of str to list of History
        For each network's name its runs, in the order of the file.
    """
    histories: dict[str, list[History]] = {}
    with Path(path).open(newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            runs = histories.setdefault(row.pop("network"), [])
            seed = int(row.pop("seed"))
            if not runs or runs[-1].seed != seed:
                runs.append(History(seed=seed))
            numbers = {name: float(value) for name, value in row.items()}
            runs[-1].points.append(Point(**{**numbers, "step": int(numbers["step"])}))
    return histories


def recorded_with(path: str | Path) -> dict[str, str]:
    """Return the comment lines of a recorded file: its command, date and versions."""
    with Path(path).open() as file:
        comments = [line[2:].strip() for line in file if line.startswith("# ")]
    return dict(comment.split(": ", 1) for comment in comments)
