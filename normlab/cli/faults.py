"""What stops grading and exporting, in one sentence each."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import click


@contextlib.contextmanager
def faults_in_a_sentence(out: Path) -> Iterator[None]:
    """Turn the errors of grading and of its files into ones that the command tells in a line.

    Parameters
    ----------
    out
        The folder of results.
    """
    from normlab.grading.class_.exports import ExportError
    from normlab.grading.class_.gradebook import GradebookError
    from normlab.grading.class_.points import RulesError
    from normlab.grading.class_.pool import GradingError
    from normlab.grading.class_.remarks import RemarksError
    from normlab.grading.class_.roster import RosterError
    from normlab.grading.class_.submissions import SubmissionsError

    said = (SubmissionsError, GradebookError, GradingError, ExportError)
    try:
        yield
    except (*said, RemarksError, RosterError, RulesError) as error:
        raise click.ClickException(str(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(_told(error, out)) from error


def _told(error: OSError, out: Path) -> str:
    kept = "Every verdict that was written before is kept; the same command goes on from there."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"There is no room left on the disk of {error.filename or out}. Make some. {kept}"
    return f"{error.filename or out}: {error.strerror or error}. {kept}"
