"""``normlab students``: who is in the gradebook, and who left."""

from pathlib import Path

import click

from normlab.cli.faults import gradebook_of

_OUT = click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))


@click.group()
def students() -> None:
    """List the students of a gradebook, and take out who left.

    \b
    Examples:
      normlab students list results
      normlab students remove results "Ann Lee"
      normlab students restore results "Ann Lee"
    """  # noqa: D301 - \b is how click is told not to rewrap


@students.command("list")
@_OUT
def list_students(out: Path) -> None:
    """Say who is in the gradebook of OUT."""
    with gradebook_of(out) as gradebook:
        for student in gradebook.students():
            click.echo(student)


@students.command()
@_OUT
@click.argument("name")
def remove(out: Path, name: str) -> None:
    """Take NAME out of all pages and exports; the work stays in the gradebook of OUT."""
    _change(out, name, is_gone=True)


@students.command()
@_OUT
@click.argument("name")
def restore(out: Path, name: str) -> None:
    """Take NAME back, with the work that was kept."""
    _change(out, name, is_gone=False)


def _change(out: Path, name: str, is_gone: bool) -> None:
    from normlab.grading.class_.remarks import known

    with gradebook_of(out) as gradebook:
        student = known(name, gradebook.everyone())
        gradebook.remove(student, is_gone)
    click.echo(
        f"{student} is {'taken out' if is_gone else 'back'}; the next grade and export know."
    )
