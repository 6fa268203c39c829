"""``normlab progress``: how far the learner has come."""

from typing import TYPE_CHECKING

import click

from normlab.names import did_you_mean

if TYPE_CHECKING:
    from normlab.exercises.standing import Lesson, Progress

_COLOURS = {"done": "green", "begun": "yellow", "open": None}


@click.command()
@click.argument("lesson", required=False)
def progress(lesson: str | None) -> None:
    """Show a bar for each lesson, and what is next.

    LESSON, 02 or batch_norm_forward, shows what that one consists of, and what of it is done.

    Every check notes what it found in a small file, .normlab/progress.json in the folder of the
    course. The environment variable NORMLAB_PROGRESS names another file. The last line says which
    file was read.

    \b
    Examples:
      normlab progress
      normlab progress 02
      NORMLAB_PROGRESS=~/mine.json normlab progress
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.exercises import progress as read_progress  # here: --help need not wait for NumPy

    shown = read_progress()
    if lesson is not None:
        _show_one(_lesson_of(shown, lesson))
        return
    for line in shown.sums:
        click.echo(line)
    click.echo()
    for each in shown.lessons:
        click.echo(_bar(each))
    click.echo(f"{click.style('Next:', bold=True)} {shown.next}.")
    if shown.note:
        click.secho(shown.note, fg="yellow")
    if shown.file is None and not shown.note:
        click.echo("No file of progress is kept, as NORMLAB_PROGRESS says.")
    elif shown.file and shown.file.exists():
        click.echo(f"Read from {shown.file}")
    elif shown.file:
        click.echo(f"There is no {shown.file} yet; the first check makes it.")


def _bar(lesson: "Lesson") -> str:
    done, left = lesson.bar
    colour = _COLOURS[lesson.state]
    bar = click.style(done, fg=colour) + click.style(left, dim=True)
    return f"  {lesson.number:4}{lesson.title:32.32}{bar} {lesson.share:4.0%}"


def _show_one(lesson: "Lesson") -> None:
    click.echo(_bar(lesson))
    for line in lesson.all:
        state = click.style(f"{line.state:6}", fg=_COLOURS[line.state])
        click.echo(f"      {state}{line.of_all}")


def _lesson_of(shown: "Progress", said: str) -> "Lesson":
    """Find a lesson by its number or by its words."""
    numbers = {lesson.number: lesson for lesson in shown.lessons}
    words = {lesson.title.replace(" ", "_"): lesson for lesson in shown.lessons}
    number, _, rest = said.partition("_")
    for names, name in ((numbers, number.zfill(2)), (words, said), (words, rest)):
        if name in names:
            return names[name]
    meant = did_you_mean(said, words) or f"There are: {', '.join(numbers)}."
    raise click.UsageError(f"There is no lesson {said!r}. {meant}")
