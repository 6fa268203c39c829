"""What stops grading and exporting, in one sentence each."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from normlab.grading.class_.gradebook import Gradebook


@contextlib.contextmanager
def faults_in_a_sentence(out: Path) -> Iterator[None]:
    """Tell in a line what the system refuses to do with OUT and the files read for it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(_told(error, out)) from error


@contextlib.contextmanager
def gradebook_of(out: Path) -> "Iterator[Gradebook]":
    """Open the gradebook that `normlab grade` made in OUT, with `faults_in_a_sentence`."""
    from normlab.grading.class_.gradebook import FILE_NAME, Gradebook

    if not (out / FILE_NAME).is_file():
        raise click.ClickException(f"{out} holds no {FILE_NAME}. `normlab grade` makes it.")
    with faults_in_a_sentence(out), Gradebook(out / FILE_NAME) as gradebook:
        yield gradebook


def _told(error: OSError, out: Path) -> str:
    kept = "Every verdict that was written before is kept; the same command goes on from there."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"There is no room left on the disk of {error.filename or out}. Make some. {kept}"
    return f"{error.filename or out}: {error.strerror or error}. {kept}"
