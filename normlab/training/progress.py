"""The progress bar of everything long."""

from tqdm.auto import tqdm


def progress_bar(total: int, unit: str, *, show: bool = True) -> tqdm:
    """Return a bar that counts to ``total`` and vanishes at the end.

    The environment variable ``TQDM_DISABLE=1`` hides every bar, as it does wherever tqdm is used;
    the course's notebooks are executed with it, so that no half-drawn bar is kept in them.
    """
    # Passing disable=False would overrule the variable.
    hidden = {} if show else {"disable": True}
    return tqdm(total=total, unit=unit, leave=False, **hidden)
