"""Pictures to play with: each line of code is a picture with controls.

``who_shares_my_mean()``
    120 numbers: touch one, choose a norm, push the number, and see who moves.
``block()``
    The N × C × L block: tick the axes to average over, and choose the number of groups.
``one_number()``
    A small batch of which one number moves: what else changes?
``buffers()``
    Batch statistics and running statistics, step by step, for a momentum of your choice.
``forgotten_eval()``
    How many answers are right without eval(), by the size of the test batch.
``valley()``
    The loss of two weights: scale an input, and watch the path of gradient descent.
``backward()``
    The backward pass of BatchNorm, box by box.
``layers()``
    What goes on in each layer over training, played from recorded runs.
``by_block()``
    A number for each block of a transformer, for several networks.

Each is an `Explorable`, which the last line of a cell shows, and which needs no kernel afterwards.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from normlab.nn import BatchNorm1d, functional
from normlab.plots.arrays import arrays, in_words, written
from normlab.plots.block import averaged_cells
from normlab.plots.block import block as picture_of_block
from normlab.plots.buffers import Statistic
from normlab.plots.buffers import buffers as picture_of_buffers
from normlab.plots.explorable import Explorable
from normlab.plots.graph import graph
from normlab.plots.lines import by_layer, doubling
from normlab.plots.looks import colour_of, looks
from normlab.plots.picture import Picture
from normlab.plots.plane import descent


def block(
    average: str = "NL", groups: int = 1, shape: tuple[int, int, int] = (4, 6, 5)
) -> Explorable:
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

    still = _draw_block(shape, frozenset(average), groups)
    data = {"shape": shape, "average": average, "groups": groups, "colours": _colours()}
    return Explorable("block", data, still)


def _colours() -> dict[str, str]:
    norms = ("BatchNorm", "LayerNorm", "InstanceNorm", "GroupNorm")
    return {norm: colour_of(norm) for norm in norms}


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
) -> Explorable:
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
    # In steps: a control jumps to the nearest of its own.
    reach = step * np.ceil(max(3 * np.ptp(x[:, index[1]]), 2 * abs(by)) / step)

    moved = x.copy()
    moved[index] += by
    data = {
        "x": x.tolist(),
        "index": index,
        "value": value + by,
        "reach": {"min": value - reach, "max": value + reach, "step": step},
        "over": next(name for name, number in _AXES.items() if number == axis),
        "dy": None if dy is None else np.broadcast_to(dy, x.shape).tolist(),
        "eps": eps,
    }
    return Explorable("one_number", data, _draw_one_number(x, moved, index, axis, dy, eps))


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
) -> Explorable:
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

    batches = np.asarray(batches, dtype=float)  # (steps, N)
    own = () if momentum is None else (momentum,)
    data = {
        "mean": batches.mean(axis=1).tolist(),
        "variance": batches.var(axis=1).tolist(),
        "size": batches.shape[1],
        "momenta": [*sorted({0.01, 0.03, 0.1, 0.3, 1.0, *own}), None],
        "momentum": momentum,
        "step": step,
    }
    return Explorable("buffers", data, _draw_buffers(batches, momentum, step))


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


def who_shares_my_mean(norm: str = "BatchNorm", *, seed: int = 0) -> Explorable:
    """Touch one of 120 numbers, choose a norm, push the number, and see who moves with it.

    Parameters
    ----------
    norm
        At first; "BatchNorm", "InstanceNorm" or "GroupNorm".
    seed
        Of the numbers: 4 samples of 6 channels with 5 positions.
    """
    shape = (4, 6, 5)
    level = np.arange(4)[:, None, None] / 2 + np.arange(6)[:, None] / 2
    x = np.random.default_rng(seed).normal(1 + level, 1, size=shape).round(1)  # (N, C, L)
    average = {"BatchNorm": "NL", "InstanceNorm": "L", "GroupNorm": "CL"}[norm]
    data = {"shape": shape, "x": x.ravel().tolist(), "norm": norm, "touched": 37}
    data["colours"] = _colours()
    still = _draw_block(shape, frozenset(average), 2 if norm == "GroupNorm" else 1)
    return Explorable("who_shares_my_mean", data, still)


def forgotten_eval(sizes: Sequence[int], accuracies: Sequence[float], right: float) -> Explorable:
    """Drag the size of a test batch, and see how many answers are right in training mode.

    Parameters
    ----------
    sizes
        Of the test batches.
    accuracies
        The share of right answers in training mode, for each size.
    right
        The share with `eval()`.
    """
    forgotten, told = np.array([accuracies]), np.full((1, len(sizes)), right)  # (1, sizes)
    worst = f"{accuracies[0]:.1%} at {sizes[0]}, {accuracies[-1]:.1%} at {sizes[-1]}"
    still = doubling(
        list(sizes),
        {"": {"in training mode": 100 * forgotten, "with eval()": 100 * told}},
        xlabel="images in a test batch",
        ylabel="right answers, %",
        alt=f"Right answers by the size of the test batch. In training mode {worst}; with eval() "
        f"{right:.1%}, a level line.",
    )
    data = {"sizes": list(sizes), "accuracies": list(map(float, accuracies)), "right": float(right)}
    return Explorable("forgotten_eval", data, still)


def valley(
    x: np.ndarray | None = None,
    *,
    scale: float = 6.0,
    start: tuple[float, float] = (4.0, 1.0),
) -> Explorable:
    """Scale one of two inputs, move their mean, and watch gradient descent in the loss's valley.

    Parameters
    ----------
    x
        ``(samples, 2)``, of mean 0 and spread 1; 200 normal numbers without it.
    scale
        What the second input is multiplied by at first.
    start
        The two weights at the start; the smallest loss is at 0.

    Notes
    -----
    The loss is half the mean square of ``x @ w``; the rate is one by its steepest curvature.
    """
    if x is None:
        x = np.random.default_rng(1).normal(size=(200, 2))
        x = (x - x.mean(axis=0)) / x.std(axis=0)
    scaled = x * [1, scale]
    hessian = scaled.T @ scaled / len(x)  # (2, 2)
    flat, steep = np.linalg.eigvalsh(hessian)
    path = [np.array(start)]
    while len(path) < 40:
        path.append(path[-1] - hessian @ path[-1] / steep)
    still = descent(
        {f"steepest by flattest: {steep / flat:.1f}": (hessian, np.array(path))},
        alt=f"""Level lines of a loss of two weights, ellipses drawn out in one direction; the
        steepest curvature is {steep / flat:.1f} times the flattest. The path of gradient descent
        falls to the valley's floor at once and creeps along it.""",
    )
    data = {"x": x.round(4).tolist(), "scale": scale, "start": list(start)}
    return Explorable("valley", data, still)


def backward(
    x: Sequence[float] = (1.0, 3.0, 5.0, 7.0),
    dy: Sequence[float] = (1.0, 0.0, 0.0, 0.0),
    *,
    weight: float = 2.0,
    bias: float = 1.0,
    eps: float = 1e-5,
) -> Explorable:
    """Walk back through BatchNorm box by box, for one channel of a small batch.

    Parameters
    ----------
    x, dy
        ``(N,)``, the channel and the gradient that arrives at its output.
    weight, bias, eps
        Of the layer.
    """
    places = {"x": (0, 0), "μ": (1, -1), "d": (2, 0), "v": (3, -1), "r": (4, -1), "x̂": (5, 0)}
    arrows = ["x μ", "x d", "μ d", "d v", "v r", "r x̂", "d x̂", "x̂ y", "weight y", "bias y"]
    still = graph(
        {**places, "y": (6, 0), "weight": (6, -1), "bias": (7, -1)},
        [(start, end, "") for start, end in map(str.split, arrows)],
        alt="""BatchNorm as boxes: x gives its mean μ, and both give the deviation d; d gives the
        variance v, that gives r, one by the standard deviation; d and r give x̂; x̂, weight and bias
        give y. The gradients go the same ways back.""",
    )
    data = {"x": list(x), "dy": list(dy), "weight": weight, "bias": bias, "eps": eps}
    return Explorable("backward", data, still)


def layers(
    steps: Sequence[int],
    quantities: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]],
    *,
    alt: str,
) -> Explorable:
    """Play what goes on in each layer while networks train.

    Parameters
    ----------
    steps
        ``(points,)``, the training steps at which was measured.
    quantities
        For each thing to look at its networks, in each its layers, and for each layer its values
        ``(points, 3)``: where the bar begins, the middle, where it ends.
    alt
        What the still picture shows: the middles of the first quantity.
    """
    first = next(iter(quantities.values()))
    middles = {
        network: {layer: np.asarray(values)[:, 1] for layer, values in inside.items()}
        for network, inside in first.items()
    }
    still = by_layer(np.asarray(steps), middles, ylabel=next(iter(quantities)), alt=alt)
    drawn = looks(first)
    data = {
        "networks": [look.name for look in drawn.values()],
        "colours": {look.name: look.colour for look in drawn.values()},
        "steps": [int(step) for step in steps],
        "quantities": {
            name: {
                drawn[network].name: {
                    layer: np.asarray(values).round(5).tolist() for layer, values in inside.items()
                }
                for network, inside in networks.items()
            }
            for name, networks in quantities.items()
        },
    }
    return Explorable("layers", data, still)


def by_block(
    networks: Mapping[str, Mapping[str, Sequence[float]]], *, label: str, unit: str = "", alt: str
) -> Explorable:
    """Compare a number of each block between networks, and between times.

    Parameters
    ----------
    networks
        For each network's name and each time, such as "at the start", the number at each block.
    label, unit
        What the number is, and its unit.
    alt
        What the still picture shows: the last time of each network.
    """
    ends = {
        name: np.array([list(times.values())[-1]], dtype=float) for name, times in networks.items()
    }
    blocks = len(next(iter(ends.values()))[0])
    still = doubling(range(blocks), {"": ends}, xlabel="block", ylabel=label, alt=alt)
    drawn = looks(networks)
    data = {
        "colours": {look.name: look.colour for look in drawn.values()},
        "networks": {
            drawn[name].name: {
                time: [float(value) for value in values] for time, values in times.items()
            }
            for name, times in networks.items()
        },
        "label": label,
        "unit": unit,
    }
    return Explorable("by_block", data, still)
