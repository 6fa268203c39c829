"""The command ``normlab``."""

import sys

import click

from normlab import __version__
from normlab.cli.experiment import experiment
from normlab.cli.export import export
from normlab.cli.grade import grade
from normlab.cli.lab import lab
from normlab.cli.mnist import mnist
from normlab.cli.progress import progress
from normlab.cli.release import release
from normlab.data import DataFileError

# What a shell reports for a command that Ctrl-C ended: 128 and the signal's number.
_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96})
@click.version_option(__version__, prog_name="normlab")
def normlab() -> None:
    """Learn normalization in PyTorch: open the course, train its network, check its exercises.

    For teachers: release, grade, export.
    """


normlab.add_command(experiment)
normlab.add_command(export)
normlab.add_command(grade)
normlab.add_command(lab)
normlab.add_command(mnist)
normlab.add_command(progress)
normlab.add_command(release)


def main() -> None:
    """Run the command; tell what is wrong in one line, without a traceback."""
    try:
        status = normlab.main(prog_name="normlab", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        status = 0
    except click.ClickException as error:
        status = _complain(error.format_message(), error.exit_code)
    except DataFileError as error:
        status = _complain(str(error), 1)
    except (click.Abort, KeyboardInterrupt):
        status = _complain("stopped.", _INTERRUPTED)
    sys.exit(status or 0)


def _complain(message: str, status: int) -> int:
    click.echo(f"normlab: {' '.join(message.split())}", err=True)
    return status
