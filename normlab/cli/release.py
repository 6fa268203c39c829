"""``normlab release``: what students get."""

import tomllib
from pathlib import Path

import click

from normlab.cli.lab import find_course, here, is_course


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
    rules = folder / "course.toml"
    chosen = lessons.split(",") if lessons else _lessons_of(rules)
    numbers = [number.strip().zfill(2) for number in chosen]
    told = rules.read_text(encoding="utf-8") if rules.is_file() else ""
    _, left_out, _ = course_rules(told)
    files = write_bundle(None if alone else find_course(folder), out, numbers, left_out)
    notebooks = [path.parts[0] for path in files if path.suffix == ".ipynb"]
    exercises, given = notebooks.count("exercises"), notebooks.count("notebooks")
    what = f"{exercises} exercises, {given} lessons and the package"
    click.echo(f"{f'Your own exercises ({exercises})' if alone else what} are in {out}")


def _lessons_of(file: Path) -> list[str]:
    """Return the lessons that the teacher's file names; none where it names none."""
    if not file.is_file():
        return []
    try:
        lessons = tomllib.loads(file.read_text(encoding="utf-8")).get("lessons", [])
    except tomllib.TOMLDecodeError as error:
        raise click.ClickException(f"course.toml: {error}") from error
    return [str(lesson) for lesson in lessons]
