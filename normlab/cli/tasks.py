"""``normlab try`` and ``normlab show``: a task, as its author wants to see it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

if TYPE_CHECKING:
    from normlab.exercises.exercise import Exercise

_MOST_COMPLAINTS = 20


@click.command("try")
@click.argument("task")
@click.option("--seeds", default=20, type=click.IntRange(1), help="Draw the cases so often.")
@click.option(
    "--slips",
    is_flag=True,
    help="Make slips by rule, too, and list those that pass or have no name.",
)
def try_task(task: str, seeds: int, slips: bool) -> None:
    """Try a TASK: every mistake and every two must be seen, named, and named alone.

    TASK is the name of a task, or the file of an own exercise.

    \b
    Examples:
      normlab try batch_norm_forward
      normlab try tasks/softmax.py --slips
    """  # noqa: D301 - \b is how click is told not to rewrap
    found = False
    for exercise in _exercises(task):
        complaints = _complaints(exercise, seeds)
        for complaint in complaints[:_MOST_COMPLAINTS]:
            click.echo(complaint)
        if len(complaints) > _MOST_COMPLAINTS:
            click.echo(f"and {len(complaints) - _MOST_COMPLAINTS} more.")
        tried = f"{_count(exercise.mistakes, 'mistake')} and {_count(exercise.pairs, 'pair')}"
        said = _count(complaints, "complaint") if complaints else "nothing to complain of"
        outcome = click.style(said, fg="red" if complaints else "green")
        click.echo(f"{exercise.name}: {tried}, {_count(range(seeds), 'seed')}: {outcome}.")
        if slips:
            _show_slips(exercise)
        found = found or bool(complaints)
    if found:
        raise SystemExit(1)


@click.command()
@click.argument("task")
def show(task: str) -> None:
    """Print a TASK as its model and the list of what each mistake writes otherwise.

    TASK is the name of a task, or the file of an own exercise.

    \b
    Examples:
      normlab show batch_norm_forward
      normlab show tasks/softmax.py
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.exercises.trying import diffs

    for exercise in _exercises(task):
        for line in diffs(exercise):
            click.echo(line)


def _exercises(task: str) -> "list[Exercise]":
    from normlab.exercises import find
    from normlab.exercises.finding import find_in
    from normlab.exercises.loading import TaskError
    from normlab.exercises.own import names_in

    try:
        if not task.endswith(".py"):
            return [find(task)]
        file = Path(task)
        if not file.is_file():
            raise click.ClickException(f"there is no file {file}.")
        names = names_in(file)
        if not names:
            raise click.ClickException(
                f"{file} has no solution between ### BEGIN SOLUTION and ### END SOLUTION."
            )
        return [find_in(file, name) for name in names]
    except (LookupError, TaskError) as error:
        raise click.ClickException(str(error)) from error


def _complaints(exercise: "Exercise", seeds: int) -> list[str]:
    from normlab.exercises.trying import Trial, trials

    trial = Trial(exercise)
    found: dict[str, int] = {}
    with tqdm(trials(exercise, seeds), exercise.name, leave=False, disable=None) as tries:
        for seed, mistakes in tries:
            complaint = trial.complaint(seed, mistakes)
            if complaint:
                found.setdefault(complaint, seed)
    return [f"{complaint} (Seed {seed}.)" for complaint, seed in found.items()]


def _show_slips(exercise: "Exercise") -> None:
    from normlab.exercises import Variants, draw_cases
    from normlab.exercises.trying import FATES, fate, slips

    variants = Variants(exercise, draw_cases(exercise, 0))
    by_fate: dict[str, list[str]] = {kind: [] for kind in FATES}
    with tqdm(slips(exercise.model.text).items(), "slips", leave=False, disable=None) as made:
        for text, what in made:
            by_fate[fate(exercise, text, variants)].append(what)
    counts = ", ".join(f"{len(some)} {kind}" for kind, some in by_fate.items() if some)
    click.echo(f"slips by rule: {counts}.")
    for kind in FATES[:2]:
        for what in by_fate[kind]:
            click.echo(f"  {kind}: {what}")


def _count(things: Sequence, one: str) -> str:
    return f"{len(things)} {one}{'' if len(things) == 1 else 's'}"
