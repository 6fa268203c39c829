"""``normlab release``: what students get."""

from pathlib import Path

import click

from normlab.cli.lab import find_course, here


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
def release(out: Path) -> None:
    """Make the students' bundle in OUT: lessons, exercises and the package, no solutions.

    OUT is a new folder, or a zip where its name ends in .zip. A student unpacks it, runs
    `pip install ".[lab]"` in it, and then `normlab lab`.

    \b
    Examples:
      normlab release course.zip
      normlab release ~/course/week-1
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.grading.release import ReleaseError
    from normlab.grading.release import release as write_bundle

    try:
        files = write_bundle(find_course(here()), out)
    except ReleaseError as error:
        raise click.ClickException(str(error)) from error
    exercises = sum(path.parts[0] == "exercises" for path in files)
    lessons = sum(path.parts[0] == "notebooks" for path in files)
    click.echo(f"{exercises} exercises, {lessons} lessons and the package are in {out}")
