"""``normlab progress``: how far the learner has come."""

import click


@click.command()
def progress() -> None:
    """Show a bar for each lesson, and what is next.

    Under a lesson that is begun stand its exercises.

    Every check notes what it found in a small file, .normlab/progress.json in the folder of the
    course. The environment variable NORMLAB_PROGRESS names another file. The last line says which
    file was read.

    \b
    Examples:
      normlab progress
      NORMLAB_PROGRESS=~/mine.json normlab progress
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.exercises import progress as read_progress  # here: --help need not wait for NumPy

    shown = read_progress()
    click.echo(f"{shown}\n")
    if shown.file is None and not shown.note:
        click.echo("No file of progress is kept, as NORMLAB_PROGRESS says.")
    elif shown.file and shown.file.exists():
        click.echo(f"Read from {shown.file}")
    elif shown.file:
        click.echo(f"There is no {shown.file} yet; the first check makes it.")
