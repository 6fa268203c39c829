"""Pictures to play with: each line of code is a picture with controls under it.

``block()``
    The N × C × L block: tick the axes to average over, and choose the number of groups.

Each is an `Explorer`, which the last line of a cell shows.
``explore.block().picture(groups=2)`` is the picture alone, with the controls where you say.
"""

import numpy as np

from normlab.plots.block import averaged_cells
from normlab.plots.block import block as picture_of_block
from normlab.plots.explorer import Choice, Explorer, Tick
from normlab.plots.picture import Picture


def block(
    average: str = "NL", groups: int = 1, shape: tuple[int, int, int] = (4, 6, 5)
) -> Explorer:
    """Choose the axes that are averaged over, and see which cells of the block share one mean.

    Parameters
    ----------
    average
        The axes ticked at first: ``"NL"`` is BatchNorm, ``"CL"`` LayerNorm over all of an image,
        ``"L"`` InstanceNorm, and ``"CL"`` with ``groups=2`` is GroupNorm.
    groups
        Into how many blocks of neighbours the channels are split, where they are averaged over.
    shape
        ``(N, C, L)``.

    Raises
    ------
    ValueError
        If ``average`` has another letter, or the channels cannot be split into so many groups.
    """
    channels = shape[1]
    possible = [number for number in range(1, channels + 1) if channels % number == 0]
    if not set(average) <= set("NCL"):
        raise ValueError(f"average takes letters of 'NCL', but got {average!r}")
    if groups not in possible:
        raise ValueError(f"num_channels ({channels}) must be divisible by num_groups ({groups})")

    def draw(n: bool, c: bool, l: bool, groups: int) -> Picture:  # noqa: E741 - an axis
        ticked = frozenset(axis for axis, on in zip("NCL", (n, c, l), strict=True) if on)
        return _draw_block(shape, ticked, groups)

    ticks = {
        "n": Tick("average over N", "N" in average),
        "c": Tick("average over C", "C" in average),
        "l": Tick("average over L", "L" in average),
    }
    return Explorer(draw, ticks | {"groups": Choice("groups of channels", groups, possible)})


def _draw_block(shape: tuple[int, int, int], average: frozenset[str], groups: int) -> Picture:
    axes = ["NCL".index(axis) for axis in sorted(average)]
    cells = averaged_cells(shape, axes, groups if "C" in average else None)
    name = _name(average, groups if "C" in average else None, shape[1])
    return picture_of_block({f"{name}\n{_count(cells)}": cells})


def _count(cells: np.ndarray) -> str:
    size = int(cells.sum())
    means = cells.size // size
    return f"{means} mean{'s' * (means != 1)}, each of {size} number{'s' * (size != 1)}"


def _name(average: frozenset[str], groups: int | None, channels: int) -> str:
    if groups == channels and channels > 1:
        return f"{_name(average - {'C'}, None, channels)}: {channels} groups"
    if groups is not None and groups > 1:
        usual = average == {"C", "L"}
        return f"GroupNorm, {groups} groups" if usual else f"no usual norm, {groups} groups"
    return {
        frozenset("NL"): "BatchNorm",
        frozenset("CL"): "LayerNorm over C and L",
        frozenset("C"): "LayerNorm over C",
        frozenset("L"): "InstanceNorm",
        frozenset(): "each number alone: all zeros",
    }.get(average, "no usual norm")
