"""The command ``normlab``."""

import contextlib
import os
import sys

import click

from normlab.cli.autograder import autograder
from normlab.cli.completion import completion
from normlab.cli.demo import demo_class
from normlab.cli.experiment import experiment
from normlab.cli.export import export
from normlab.cli.grade import grade
from normlab.cli.lab import lab
from normlab.cli.mnist import mnist
from normlab.cli.progress import progress
from normlab.cli.release import release
from normlab.cli.remarks import remarks
from normlab.cli.sections import Sections
from normlab.cli.students import students
from normlab.cli.tasks import show, try_task
from normlab.cli.update import update
from normlab.data import DataFileError

# What a shell reports for a command that Ctrl-C ended: 128 and the signal's number.
_INTERRUPTED = 130

_SECTIONS = {
    "To learn": [lab, progress, update, mnist, experiment],
    "To teach": [release, grade, remarks, students, export, autograder, demo_class],
    "To write exercises": [try_task, show],
    "To type less": [completion],
}


@click.group(
    cls=Sections,
    sections=_SECTIONS,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 96,
        "show_default": True,
    },
    epilog="Exit status: 0 when all went well, 1 when something stopped the command (one line says "
    "what), 2 when it was called wrongly, 130 after Ctrl-C.",
)
@click.version_option(package_name="normlab", prog_name="normlab")
def normlab() -> None:
    """Learn normalization in PyTorch: open the course, and see how far you are.

    \b
    Examples:
      normlab lab               the course in JupyterLab, from the first lesson
      normlab progress          your points so far
      normlab grade --help      what a command does, with examples
    """  # noqa: D301 - \b is how click is told not to rewrap


def main() -> None:
    """Run the command; tell what is wrong in one line, without a traceback."""
    try:
        # Where there is no terminal, click leaves colours away by itself.
        color = False if os.environ.get("NO_COLOR") else None
        status = normlab.main(prog_name="normlab", standalone_mode=False, color=color)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        status = 0
    except click.ClickException as error:
        status = _complain(error.format_message(), error.exit_code)
    except DataFileError as error:
        status = _complain(str(error), 1)
    except (click.Abort, KeyboardInterrupt):
        status = _complain("stopped.", _INTERRUPTED)
    except OSError as error:
        status = _complain(_in_words(error), 1)
    sys.exit(_flushed(status or 0))


def _complain(message: str, status: int) -> int:
    with contextlib.suppress(OSError):  # nobody can be told
        color = False if os.environ.get("NO_COLOR") else None  # the command's own context is gone
        name = click.style("normlab:", fg="red", bold=True)
        click.echo(f"{name} {' '.join(message.split())}", err=True, color=color)
    return status


def _in_words(error: OSError) -> str:
    """Say what the system says, and of which file."""
    return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}."


def _flushed(status: int) -> int:
    """See that all was printed, while it can be told."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try once more at its end, and print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return status or _complain(f"The output could not be written: {_in_words(error)}", 1)
    return status
