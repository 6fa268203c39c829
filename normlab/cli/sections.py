"""A help page whose commands stand under headings, in the order in which one meets them."""

import ast
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import click


def written_help(command: click.Command) -> str:
    """Read a command's help in its source: ``python -OO`` forgets docstrings."""
    if command.callback is None:
        return ""
    try:
        source = inspect.getsource(inspect.unwrap(command.callback))
    except OSError:  # an installation without sources
        return ""
    function = ast.parse(source).body[0]
    return (ast.get_docstring(function) if isinstance(function, ast.FunctionDef) else "") or ""


class Sections(click.Group):
    """A group of commands that are listed by who needs them: for each heading its commands."""

    def __init__(self, sections: Mapping[str, Sequence[click.Command]], **options: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(**options)
        self.sections = sections
        self.help = self.help or written_help(self)
        for commands in sections.values():
            for command in commands:
                command.help = command.help or written_help(command)
                self.add_command(command)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the sections."""
        return [str(each.name) for commands in self.sections.values() for each in commands]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a table a section, each command with the first sentence of its help."""
        width = max(map(len, self.list_commands(ctx)))
        for heading, commands in self.sections.items():
            with formatter.section(heading):
                # As wide a first column in all tables.
                rows = [(f"{each.name:{width}}", each.get_short_help_str(200)) for each in commands]
                formatter.write_dl(rows)
