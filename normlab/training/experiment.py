"""Experiments too long for a lesson: run once, recorded, resumed where they stopped."""

import csv
import hashlib
import inspect
import io
import itertools
import json
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, cast

import joblib
import numpy as np
import torch

from normlab.files import locked, write_whole
from normlab.training.history import History, Point
from normlab.training.many import side_by_side
from normlab.training.progress import progress_bar
from normlab.training.threads import limited_threads

Scalar = str | int | float | bool
Settings = Mapping[str, Scalar]
Row = dict[str, Scalar]


@dataclass(frozen=True)
class Experiment:
    """A question, the runs that answer it, and what one run measures.

    Attributes
    ----------
    question
        One line: what it is meant to find out.
    measure
        Does one run: takes the settings of a run by name, gives one row of numbers or several. A
        function of a module, not a lambda, since other processes call it. The same settings give
        the same rows.
    settings
        The settings of every run, in the order of the recorded file. Each has a ``"seed"``.
    timings
        The measured columns that hold times: the only ones that differ from run to run.
    tolerances
        For a measured column how far another machine's number may be from the recorded one. Other
        processors round sums differently, and training makes small differences grow.
    repeatable
        The settings of the run that is repeated to check the recorded file: one whose numbers
        hardly depend on rounding. Empty: the quickest run is.
    needs_accelerator
        It measures a GPU or the like, one run at a time, and cannot be run without one.
    name
        What ``normlab experiment NAME`` calls it: the module of `measure`, if not said.
    """

    question: str
    measure: Callable[..., Iterable[Row]]
    settings: Sequence[Settings]
    timings: frozenset[str] = frozenset()
    tolerances: Mapping[str, float] = field(default_factory=dict)
    repeatable: Settings = field(default_factory=dict)
    needs_accelerator: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.measure.__module__.rpartition(".")[2])

    def only(self, **chosen: Scalar | Iterable[Scalar]) -> "Experiment":
        """Return the experiment with fewer runs.

        Parameters
        ----------
        **chosen
            For the name of a setting the value, or the values, to keep.

        Raises
        ------
        ValueError
            If no run is left.
        """
        kept = [settings for settings in self.settings if _chosen(settings, chosen)]
        if not kept:
            raise ValueError(f"{self.name} has no run with {chosen}.")
        return replace(self, settings=kept)


def grid(measure: Callable[..., object], **values: Iterable[Scalar]) -> list[Settings]:
    """Return the settings of every combination; the last values change fastest.

    Each has its names in the order of `measure`'s parameters: so are the columns of the file.
    """
    names = [name for name in inspect.signature(measure).parameters if name in values]
    runs = (dict(zip(values, run, strict=True)) for run in itertools.product(*values.values()))
    return [{name: run[name] for name in names} for run in runs]


@dataclass(frozen=True)
class Recording:
    """The rows that an experiment measured, and how.

    Attributes
    ----------
    rows
        For each measurement the run's settings and what was measured, by name; ``"run_seconds"``
        is how long the run kept a core busy.
    how
        The command, date, versions, seeds and duration, in words.
    """

    rows: Sequence[Row]
    how: Mapping[str, str]

    def values(self, column: str, **chosen: Scalar | Iterable[Scalar]) -> np.ndarray:
        """Return one column of the rows with the chosen settings, in the order of the file.

        Parameters
        ----------
        column
            The name of a setting or of something measured.
        **chosen
            For the name of a column the value, or the values, to keep.

        Raises
        ------
        ValueError
            If there is no such row.

        Examples
        --------
        >>> recording.values("accuracy", norm="batch", lr=0.1)  # doctest: +SKIP
        array([0.9689, 0.9702, 0.9693, 0.971 , 0.9698])
        """
        return np.array([row[column] for row in self._kept(chosen)])

    def histories(self, **chosen: Scalar | Iterable[Scalar]) -> list[History]:
        """Return the chosen trainings, for an experiment whose rows are the points of trainings.

        Parameters
        ----------
        **chosen
            For the name of a setting the value to keep. All settings but the seed must have one
            value left, or points of different trainings would be mixed.

        Returns
        -------
        list of History
            One for each seed, in the order of the file.

        Raises
        ------
        ValueError
            If there is no such row, or if several trainings of one seed are left.

        Examples
        --------
        >>> recording.histories(norm="batch", lr=0.1, epochs=5)  # doctest: +SKIP
        """
        columns = [column.name for column in fields(Point)]
        runs: dict[Scalar, History] = {}
        rows: Any = self._kept(chosen)  # of numbers, in these columns
        for row in rows:
            run = runs.setdefault(row["seed"], History(seed=int(row["seed"])))
            if run.points and row["step"] <= run.final.step:
                raise ValueError(f"Several trainings of one seed have {chosen}: choose more.")
            run.points.append(Point(**{name: row[name] for name in columns}))
        return list(runs.values())

    def different(self, column: str) -> list[Scalar]:
        """Return the different values of a column, in the order of the file."""
        return list(dict.fromkeys(row[column] for row in self.rows))

    def _kept(self, chosen: Mapping[str, Scalar | Iterable[Scalar]]) -> list[Row]:
        kept = [row for row in self.rows if _chosen(row, chosen)]
        if not kept:
            raise ValueError(f"No row has {chosen}.")
        return kept


def run_live(
    experiment: Experiment, *, jobs: int | None = None, progress: bool = True
) -> Recording:
    """Do the runs of an experiment now, several at a time, and write nothing.

    Parameters
    ----------
    experiment
        What to run; in a lesson usually a few of its runs, see `Experiment.only`.
    jobs
        How many runs at a time; as many as there are cores without it.
    progress
        Show a progress bar.
    """
    finished: dict[str, dict[str, Any]] = {}
    _run_missing(experiment, finished, jobs, progress)
    return Recording(_rows(experiment, finished), _how(experiment, finished, "run live"))


def record(
    experiment: Experiment,
    folder: str | Path,
    *,
    jobs: int | None = None,
    progress: bool = True,
) -> Path:
    """Do the runs of an experiment and write them to ``folder/NAME.csv``.

    Each finished run is kept at once in ``NAME.csv.part``. When the experiment is stopped, by
    Ctrl-C or otherwise, the next call does only the runs that are missing, unless the experiment
    or the versions have changed since. The CSV file is written when the last run is done.

    Parameters
    ----------
    experiment
        What to run.
    folder
        Where the file goes; made if it is not there.
    jobs, progress
        See `run_live`.

    Returns
    -------
    pathlib.Path
        The CSV file.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, with the finished runs kept.
    TimeoutError
        If another process records the experiment in this folder.
    OSError
        If the folder cannot be written, with the finished runs kept.
    """
    path = Path(folder) / f"{experiment.name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with locked(path, seconds=0):
        finished = _unfinished_work(experiment, part)
        with part.open("a", encoding="utf-8") as file:

            def keep(run: dict[str, Any]) -> None:
                file.write(json.dumps(run) + "\n")
                file.flush()
                os.fsync(file.fileno())

            _run_missing(experiment, finished, jobs, progress, keep)
        how = _how(experiment, finished, f"normlab experiment {experiment.name}")
        _write(path, _rows(experiment, finished), how)
        part.unlink(missing_ok=True)
    return path


def load_recording(path: str | Path) -> Recording:
    """Read a file that `record` wrote."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        lines = file.readlines()
    comments = [line[2:].strip() for line in lines if line.startswith("# ")]
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return Recording(
        rows=[{name: _read_value(text) for name, text in row.items()} for row in rows],
        how=dict(comment.split(": ", 1) for comment in comments),
    )


def _chosen(row: Settings, chosen: Mapping[str, Scalar | Iterable[Scalar]]) -> bool:
    for name, wanted in chosen.items():
        single = isinstance(wanted, str) or not isinstance(wanted, Iterable)
        if row[name] not in ([wanted] if single else list(cast(Iterable[Scalar], wanted))):
            return False
    return True


def _run_missing(
    experiment: Experiment,
    finished: dict[str, dict[str, Any]],
    jobs: int | None,
    progress: bool,
    keep: Callable[[dict[str, Any]], None] = lambda _: None,
) -> None:
    """Do the runs that are not finished; add each to those that are, and keep it at once."""
    missing = [settings for settings in experiment.settings if _key(settings) not in finished]
    tasks = (joblib.delayed(_run)(experiment.measure, one) for one in missing)
    total = len(experiment.settings)
    if experiment.needs_accelerator:
        jobs = 1  # two runs on one card would measure each other
    with progress_bar(total, "run", show=progress) as bar:
        bar.update(total - len(missing))  # what an earlier call has finished
        for run in side_by_side(min(jobs or joblib.cpu_count(), len(missing) or 1), tasks):
            finished[_key(run["settings"])] = run
            keep(run)
            bar.update()


def _run(measure: Callable[..., Iterable[Row]], settings: Settings) -> dict[str, Any]:
    start = time.process_time()
    with limited_threads(1), _ended_by_interrupts():
        rows = [
            {name: _rounded(value) for name, value in row.items()} for row in measure(**settings)
        ]
    return {"settings": dict(settings), "rows": rows, "seconds": time.process_time() - start}


@contextmanager
def _ended_by_interrupts() -> Iterator[None]:
    """Let Ctrl-C end the block for certain, even if something in it keeps what it has and goes on.

    `fit` does that, as suits a notebook. A run of an experiment that was cut short must not pass
    for a whole one.
    """
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if interrupted:
            raise KeyboardInterrupt


def _rounded(value: Any) -> Scalar:  # noqa: ANN401 - whatever a number may be
    """Return a plain value with six digits, the same one that the file will hold."""
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    return float(f"{float(value):.6g}")


def _unfinished_work(experiment: Experiment, part: Path) -> dict[str, dict[str, Any]]:
    """Return the runs that an earlier call finished; begin a new file if there are none."""
    # A changed experiment or another version begins anew: old and new rows do not belong together.
    source = inspect.getsource(inspect.getmodule(experiment.measure) or experiment.measure)
    code = hashlib.sha256(source.encode()).hexdigest()
    first = json.dumps({"versions": _versions(), "code": code})
    lines = part.read_text(encoding="utf-8", errors="replace").splitlines() if part.exists() else []
    finished = {}
    if lines and lines[0] == first:
        for line in lines[1:]:
            run = _complete(line)
            if run is not None:
                finished[_key(run["settings"])] = run
    rest = "".join(json.dumps(run) + "\n" for run in finished.values())
    write_whole(part, f"{first}\n{rest}".encode())
    return finished


def _complete(line: str) -> dict[str, Any] | None:
    try:
        run = json.loads(line)
        return run if {"settings", "rows", "seconds"} <= set(run) else None
    except (ValueError, TypeError):  # the line that was being written at the end
        return None


def _key(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)


def _rows(experiment: Experiment, finished: Mapping[str, dict[str, Any]]) -> list[Row]:
    runs = [finished[_key(settings)] for settings in experiment.settings]
    return [
        {**run["settings"], **row, "run_seconds": _rounded(run["seconds"])}
        for run in runs
        for row in run["rows"]
    ]


def _versions() -> str:
    return f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"


def _how(
    experiment: Experiment, finished: Mapping[str, dict[str, Any]], command: str
) -> dict[str, str]:
    seeds = dict.fromkeys(settings["seed"] for settings in experiment.settings)
    seconds = sum(run["seconds"] for run in finished.values())
    return {
        "question": experiment.question,
        "command": command,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": _versions(),
        "seeds": ", ".join(str(seed) for seed in seeds),
        "duration": f"{len(finished)} runs, {seconds:.0f} s of one core in all",
    }


def _write(path: Path, rows: Sequence[Row], how: Mapping[str, str]) -> None:
    text = io.StringIO()
    for name, words in how.items():
        text.write(f"# {name}: {words}\n")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def _read_value(text: str) -> Scalar:
    if text in {"True", "False"}:
        return text == "True"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
