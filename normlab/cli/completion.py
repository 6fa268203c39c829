"""``normlab completion``: the Tab key finishes what one began to type."""

import click
from click.shell_completion import get_completion_class

from normlab.cli.choices import OneOf

_VARIABLE = "_NORMLAB_COMPLETE"  # where click looks when the shell asks


@click.command()
@click.argument("shell", type=OneOf(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes the Tab key complete normlab's commands in your shell.

    \b
    Examples, for the shell that is open; in its start file, for every one:
      eval "$(normlab completion bash)"
      eval "$(normlab completion zsh)"
      normlab completion fish | source
    """  # noqa: D301 - \b is how click is told not to rewrap
    script = get_completion_class(shell)
    assert script is not None, shell
    click.echo(script(context.find_root().command, {}, "normlab", _VARIABLE).source())
