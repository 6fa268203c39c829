"""``normlab export``: the grades, in the format of another system."""

from pathlib import Path

import click

from normlab.cli.choices import OneOf
from normlab.cli.faults import gradebook_of

# The names of normlab.grading.class_.exports.FORMATS, repeated here so that --help need not wait.
FORMAT_NAMES = ("canvas", "moodle", "nbgrader", "csv")


@click.command()
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--to", "system", required=True, type=OneOf(FORMAT_NAMES), help="Who is to read it.")
@click.option(
    "--template",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Fill in this file: Canvas's exported gradebook, or Moodle's grading worksheet.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="EXERCISE=TITLE",
    help="The template's column for an exercise, where its title does not tell; repeatable.",
)
@click.option(
    "--exercise",
    "exercises",
    multiple=True,
    metavar="NAME",
    help="Only this exercise, 02 or 02_batch_norm_forward, set or not; repeatable.",
)
@click.option(
    "--section",
    is_flag=True,
    help="The template holds a part of the class: fill that in, and list whom it does not hold.",
)
@click.option(
    "-o",
    "path",
    type=click.Path(path_type=Path),
    help="What file to write. By default in OUT, named after the system.",
)
def export(
    out: Path,
    system: str,
    template: Path | None,
    columns: tuple[str, ...],
    exercises: tuple[str, ...],
    section: bool,
    path: Path | None,
) -> None:
    """Write the grades of OUT, where `normlab grade` put them, for another system.

    Where nothing of an exercise could be judged, the cell stays empty: what is missing or failed
    is listed, and never becomes a silent 0. For Moodle and Canvas the students' pages are written
    as well, in a zip that the system takes back.

    \b
    Examples:
      normlab export results --to csv
      normlab export results --to canvas --template 2026-11-20_Grades.csv
      normlab export results --to moodle --template worksheet.csv --exercise 02
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.grading.class_.exports import export as write_export
    from normlab.grading.class_.exports.give_back import feedback_zip
    from normlab.grading.class_.points import settled
    from normlab.grading.class_.reports import counted
    from normlab.grading.class_.submissions import exercise_named

    path = path or out / ("points.csv" if system == "csv" else f"{system}.csv")
    with gradebook_of(out) as gradebook:
        chosen = {exercise_named(name) for name in exercises}
        titles = {exercise_named(name): title for name, title in map(_split, columns)}
        kept = list(settled(gradebook, out))
        waiting, remarks = gradebook.waiting(), list(gradebook.remarks())
        entries = [e for e in kept if (e.exercise in chosen if chosen else e.counts)]
        done = write_export(entries, system, path, template, titles, section)
        given_back = []
        if system in ("canvas", "moodle"):
            given_back = feedback_zip(entries, system, path.with_name(f"{system}-feedback.zip"))
    apart = sorted({entry.exercise for entry in kept} - {entry.exercise for entry in entries})
    if apart and not chosen:
        click.echo(f"Not set, and not in it: {', '.join(apart)}.", err=True)
    for note in (*remarks, *done.notes, *given_back):
        click.echo(f"Note: {note}", err=True)
    if waiting:
        click.echo(f"Not graded yet, and not in it: {counted(len(waiting), 'notebook')}.", err=True)
    if done.open_questions:
        click.echo("Not judged in full, for you to look at:", err=True)
        for line in done.open_questions:
            click.echo(f"  {line}", err=True)
    click.echo(f"Written to {path}")


def _split(column: str) -> tuple[str, str]:
    exercise, equals, title = column.partition("=")
    if not equals:
        raise click.BadParameter(f"{column!r} is not EXERCISE=TITLE.", param_hint="--column")
    return exercise.strip(), title.strip()
