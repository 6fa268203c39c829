"""What keeps a submission's code away from everything else on this machine."""

from dataclasses import dataclass


class NoIsolation(RuntimeError):  # noqa: N818 - it is a state of the machine
    """This machine offers nothing that could keep a submission's code in its place."""


@dataclass(frozen=True)
class Isolation:
    """A way to run a submission's code. It is plain data and can be sent to another process.

    Parameters
    ----------
    name
        "bubblewrap", "kernel" or "none".
    """

    name: str

    def describe(self) -> list[str]:
        """Say, line by line, what holds: for the head of a report."""
        raise NotImplementedError


def best_isolation() -> Isolation:
    """Return the best isolation that works here, after trying it.

    Raises
    ------
    NoIsolation
        There is none (macOS, Windows, or a Linux that forbids it); the message is one sentence
        that says why and what to do.
    """
    raise NotImplementedError


def no_isolation() -> Isolation:
    """Return what runs a submission's code unprotected; only for code that is trusted."""
    return Isolation("none")
