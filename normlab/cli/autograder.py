"""``normlab autograder``: an exercise's autograder, for Gradescope."""

from pathlib import Path

import click

from normlab.cli.lab import course_toml, find_course, here


@click.command()
@click.argument("exercise")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def autograder(exercise: str, out: Path) -> None:
    """Write into the zip OUT what Gradescope grades EXERCISE with, in its own container.

    EXERCISE is 02 or 02_batch_norm_forward, or one of yours in tasks/. Points, and tasks that are
    left out, are those of course.toml in this folder. README.md in the zip says how to upload it,
    and what keeps a student's code in its place there.

    \b
    Examples:
      normlab autograder 02 autograder-02.zip
      normlab autograder 06_layer_norm week-6.zip
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.grading.class_.gradescope import write_autograder
    from normlab.grading.class_.submissions import exercise_named

    name = exercise_named(exercise)
    most = write_autograder(find_course(here()), name, out, course_toml(here()) or "")
    click.echo(f"{out} grades {name}, of {most:g} points; README.md in it says how to upload it.")
