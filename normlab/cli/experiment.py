"""``normlab experiment``: run again what the lessons' recorded results come from."""

from pathlib import Path

import click

_TITLE_WIDTH = 26
_KEPT = "The finished runs are kept; the same command goes on from there."
_EXPERIMENTS = Path(__file__).parents[1] / "training" / "experiments"


def _complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    # From the names of the files: whoever presses Tab does not wait for torch.
    return sorted(path.stem for path in _EXPERIMENTS.glob(f"{begun}*.py") if path.stem[0] != "_")


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=_complete)
@click.option("--all", "everything", is_flag=True, help="Run every experiment.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("recorded"),
    help="The folder for the CSV files.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=2, help="How many runs at a time, a process each."
)
def experiment(names: tuple[str, ...], everything: bool, into: Path, jobs: int) -> None:
    """Run the course's long experiments and record what they measure.

    Without a NAME: list the experiments. Each gives a CSV file that says how it was made. Stop a
    run with Ctrl-C whenever you like: what is finished is kept, and the same command goes on.

    \b
    Examples:
      normlab experiment
      normlab experiment learning_rates
      normlab experiment --all --into normlab/training/recorded
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.training import experiment_names, find_experiment, pick_device, record

    if everything and names:
        raise click.UsageError("give either names or --all.")
    if not everything and not names:
        for name in experiment_names():
            title = click.style(f"{name:{_TITLE_WIDTH}}", bold=True)
            click.echo(f"{title}{find_experiment(name).question}")
        return
    try:
        chosen = [find_experiment(name) for name in (experiment_names() if everything else names)]
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for one in chosen:
        if one.needs_accelerator and pick_device().type == "cpu":
            click.echo(f"{one.name}: needs an accelerator, and torch finds none here. Not run.")
            continue
        click.echo(f"{click.style(one.name, bold=True)}: {one.question} ({len(one.settings)} runs)")
        try:
            path = record(one, into, jobs=jobs)
        except KeyboardInterrupt:
            click.echo(_KEPT, err=True)
            raise
        except TimeoutError as error:
            raise click.ClickException(
                f"{one.name}: {error}. Wait for it, or choose another folder with --into."
            ) from error
        except OSError as error:
            raise click.ClickException(f"{into}: {error.strerror}. {_KEPT}") from error
        click.echo(f"  written to {path}")
