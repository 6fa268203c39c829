"""How much of everything a submission may use."""

from dataclasses import dataclass

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Parameters
    ----------
    seconds
        Wall time of the whole submission, in seconds: reading, all cells and all calls.
    cell_seconds
        Wall time of one cell.
    call_seconds
        Wall time of all calls of one task, where the exercise does not say more.
    memory
        In bytes, beyond what the warm parent holds already.
    file_size
        In bytes: the largest file that can be written, and all of the scratch folder.
    files
        How many files and folders there can be in the scratch folder.
    threads
        How many threads the submission's process may have.
    notebook_size
        In bytes: a larger file is not read.
    """

    seconds: float = 180.0
    cell_seconds: float = 20.0
    call_seconds: float = 5.0
    memory: int = 1024 * MEBIBYTE
    file_size: int = 16 * MEBIBYTE
    files: int = 10_000
    threads: int = 32
    notebook_size: int = 100 * MEBIBYTE


def too_large(size: str, most: int) -> str:
    """Say that a file has more than is read; `size` is "It has 12", in MiB."""
    return (
        f"{size} MiB, and no more than {most / MEBIBYTE:.0f} are read. Clear its outputs, and hand "
        "it in again."
    )


#: How much memory a grading process may fill itself, in bytes, beside what it was forked with: what
#: it reads comes from strangers.
GRADER_MEMORY = 2048 * MEBIBYTE
