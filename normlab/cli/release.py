"""``normlab release``: what students get."""

from pathlib import Path

import click

from normlab.cli.lab import find_course, is_course


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
def release(out: Path) -> None:
    """Make the students' bundle in OUT: lessons, exercises and the package, no solutions.

    Your own exercises in tasks/ (docs/own_exercises.md) go along; outside of the course's folder
    they are all that is in it.

    OUT is a new folder, or a zip where its name ends in .zip. A student unpacks it, runs
    `pip install .` in it, and then `normlab lab`.

    \b
    Examples:
      normlab release course.zip
      normlab release ~/course/week-1
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.exercises import own
    from normlab.grading.release import ReleaseError
    from normlab.grading.release import release as write_bundle

    here = Path.cwd()
    alone = own.files() and not any(map(is_course, (here, *here.parents)))
    try:
        files = write_bundle(None if alone else find_course(here), out)
    except ReleaseError as error:
        raise click.ClickException(str(error)) from error
    notebooks = [path.parts[0] for path in files if path.suffix == ".ipynb"]
    exercises, lessons = notebooks.count("exercises"), notebooks.count("notebooks")
    what = f"{exercises} exercises, {lessons} lessons and the package"
    click.echo(f"{f'Your own exercises ({exercises})' if alone else what} are in {out}")
