"""``normlab release``: what students get."""

import tomllib
from pathlib import Path

import click

from normlab.cli.lab import course_toml, find_course, here, is_course


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--lessons",
    metavar="NUMBERS",
    help="Only what you teach: 02,03,05. Without it, `lessons` of course.toml, or all.",
)
def release(out: Path, lessons: str | None) -> None:
    """Make the students' bundle in OUT: lessons, exercises and the package, no solutions.

    Your own exercises in tasks/ (docs/own_exercises.md) go along; outside of the course's folder
    they are all that is in it. Tasks that course.toml leaves out are not in it.

    OUT is a new folder, or a zip where its name ends in .zip. A student unpacks it, runs
    `pip install ".[lab]"` in it, and then `normlab lab`.

    \b
    Examples:
      normlab release course.zip
      normlab release ~/course/week-1 --lessons 02,03
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.exercises import own
    from normlab.grading.class_.points import course_rules
    from normlab.grading.class_.release import release as write_bundle

    folder = here()
    alone = own.files() and not any(map(is_course, (folder, *folder.parents)))
    told = course_toml(folder) or ""
    left_out = course_rules(told).left_out
    chosen = lessons.split(",") if lessons else map(str, tomllib.loads(told).get("lessons", []))
    numbers = [number.strip().zfill(2) for number in chosen]
    files = write_bundle(None if alone else find_course(folder), out, numbers, left_out)
    notebooks = [path.parts[0] for path in files if path.suffix == ".ipynb"]
    exercises, given = notebooks.count("exercises"), notebooks.count("notebooks")
    what = f"{exercises} exercises, {given} lessons and the package"
    click.echo(f"{f'Your own exercises ({exercises})' if alone else what} are in {out}")
