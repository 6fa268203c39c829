"""The progress bar of everything long."""

import os

from tqdm.auto import tqdm


def progress_bar(total: int, unit: str, *, show: bool = True) -> tqdm:
    """Return a bar that counts to ``total`` and vanishes at the end.

    The environment variable ``TQDM_DISABLE=1`` hides every bar; the course's notebooks are
    executed with it, so that no half-drawn bar is kept in them.
    """
    # tqdm heeds its variable in a terminal, but not in a notebook.
    hidden = not show or os.environ.get("TQDM_DISABLE", "0") not in {"", "0"}
    return tqdm(total=total, unit=unit, leave=False, disable=hidden)
