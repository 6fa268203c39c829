"""One of a few words, for an option or an argument."""

from typing import Any

import click

from normlab.names import did_you_mean


class OneOf(click.Choice):
    """As click's own, and a word that is none of them is told which was probably meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:  # noqa: ANN401 - click's own
        """Return what is wrong, in a sentence or two."""
        said = super().get_invalid_choice_message(value, ctx)
        return f"{said} {did_you_mean(str(value), map(str, self.choices))}".rstrip()
