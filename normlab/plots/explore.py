"""Pictures to play with: each line of code is a picture with controls under it.

``block()``
    The N × C × L block: tick the axes to average over, and choose the number of groups.
``one_number()``
    A small batch of which one number moves: what else changes?
``buffers()``
    Batch statistics and running statistics, step by step, for a momentum of your choice.

Each is an `Explorer`, which the last line of a cell shows.
``explore.block().picture(groups=2)`` is the picture alone, with the controls where you say.
"""

import numpy as np

from normlab.nn import BatchNorm1d, functional
from normlab.plots.arrays import arrays, in_words, written
from normlab.plots.block import averaged_cells
from normlab.plots.block import block as picture_of_block
from normlab.plots.buffers import Statistic
from normlab.plots.buffers import buffers as picture_of_buffers
from normlab.plots.explorer import Choice, Explorer, Slider, Tick
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


_AXES = {"samples": 0, "features": 1}


def one_number(
    x: np.ndarray | None = None,
    *,
    index: tuple[int, int] = (0, 0),
    by: float = 2.0,
    axis: int = 0,
    dy: np.ndarray | None = None,
    eps: float = 1e-5,
) -> Explorer:
    """Move one number of a small batch, and see which statistics, outputs and gradients change.

    Parameters
    ----------
    x
        ``(N, C)``; a batch of 2 by 3 without it.
    index
        Which number moves.
    by
        How far it has moved when the picture is first shown.
    axis
        What is averaged over at first: 0 for the samples, as BatchNorm does, or 1 for the features,
        as LayerNorm does.
    dy
        ``(N, C)``, the gradient that arrives at the output; without it no gradient is shown.
    eps
        Added to the variance.
    """
    x = np.array([[1, 2, 6], [4, 8, 7]] if x is None else x, dtype=float)
    value, step = x[index], abs(by) / 8
    # In steps: a slider jumps to the nearest of its own.
    reach = step * np.ceil(max(3 * np.ptp(x[:, index[1]]), 2 * abs(by)) / step)

    def draw(value: float, over: str) -> Picture:
        moved = x.copy()
        moved[index] = value
        return _draw_one_number(x, moved, index, _AXES[over], dy, eps)

    over = next(name for name, number in _AXES.items() if number == axis)
    controls: dict[str, Slider | Choice | Tick] = {
        "value": Slider(
            f"x[{index[0]}, {index[1]}]", value + by, value - reach, value + reach, step
        ),
        "over": Choice("average over", over, list(_AXES)),
    }
    return Explorer(draw, controls)


def _draw_one_number(
    before: np.ndarray,
    after: np.ndarray,
    index: tuple[int, int],
    axis: int,
    dy: np.ndarray | None,
    eps: float,
) -> Picture:
    old, new = (_steps(x, axis, dy, eps) for x in (before, after))
    # What a reader of the picture can see change.
    changed = {name: old[name].round(2) != new[name].round(2) for name in new}
    rows = {"statistics": ("mean", "std")} if axis == 0 else {}
    moved = f"x[{index[0]}, {index[1]}] moved from {written(before[index])}"
    tables = " ".join(f"{name}, row by row: {in_words(values)}." for name, values in new.items())
    counts = ", ".join(
        f"{cells.sum()} of {cells.size} in {name}" for name, cells in changed.items()
    )
    alt = f"{moved} to {written(after[index])}. Changed, and marked: {counts}. {tables}"
    return arrays(new, marked=changed, rows=rows, alt=alt)


def _steps(x: np.ndarray, axis: int, dy: np.ndarray | None, eps: float) -> dict[str, np.ndarray]:
    """Return what the picture shows: the input, its statistics, the output, the gradient."""
    standardized = functional.standardize(x, (axis,), eps)
    statistics = np.concatenate([standardized.mean, np.sqrt(standardized.var)], axis)
    name = "statistics" if axis == 0 else "mean, std"
    steps = {"x": x, name: statistics, "output": standardized.x_hat}
    if dy is not None:
        steps["gradient of x"] = functional.standardize_backward(
            np.array(dy, dtype=float), standardized
        )
    return steps


def buffers(
    batches: np.ndarray | None = None, *, momentum: float | None = 0.1, step: int = 5
) -> Explorer:
    """Choose a momentum and a step, and see what a layer uses in training and evaluation mode.

    Parameters
    ----------
    batches
        ``(steps, N)``, the values of one feature, batch by batch; normal numbers without it.
    momentum
        At first; None for the plain average of all batches so far.
    step
        The step that is marked at first; the first batch is step 1.
    """
    if batches is None:
        batches = np.random.default_rng(0).normal(3, 2, size=(60, 16))

    def draw(momentum: float | None, step: float) -> Picture:
        return _draw_buffers(np.asarray(batches, dtype=float), momentum, round(step))

    own = () if momentum is None else (momentum,)
    choices = sorted({0.01, 0.03, 0.1, 0.3, 1.0, *own})
    controls: dict[str, Slider | Choice | Tick] = {
        "momentum": Choice("momentum", momentum, [*choices, None]),
        "step": Slider("batches seen", step, 1, len(batches), 1),
    }
    return Explorer(draw, controls)


def _draw_buffers(batches: np.ndarray, momentum: float | None, step: int) -> Picture:
    layer = BatchNorm1d(1, momentum=momentum, dtype=batches.dtype)
    remembered = []
    for batch in batches:
        layer(batch[:, None])  # (N, 1)
        remembered.append([layer.running_mean[0], layer.running_var[0]])
    running_mean, running_var = np.transpose(remembered)  # (steps,), (steps,)
    statistics = {
        "mean": Statistic(batches.mean(axis=1), running_mean),
        "variance": Statistic(batches.var(axis=1), running_var),
    }
    uses = "; ".join(
        f"{name}: {statistic.of_batch[step - 1]:.3g} in training mode, "
        f"{statistic.remembered[step - 1]:.3g} in evaluation mode"
        for name, statistic in statistics.items()
    )
    alt = f"""Means and variances of {len(batches)} batches as dots, and as lines the running
    statistics that follow them with momentum {momentum}, from mean 0 and variance 1. After
    {step} batches a layer uses these. {uses}."""
    return picture_of_buffers(statistics, step, alt=alt)
