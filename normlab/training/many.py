"""Many trainings at once, on all cores."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import joblib
import torch
from torch import nn

from normlab.data import ImageDataset
from normlab.training.fit import fit, pick_device
from normlab.training.history import History
from normlab.training.progress import progress_bar

# What builds a network from a seed.
Builder = Callable[[int], nn.Module]


def fit_many(
    builders: Mapping[str, Builder],
    seeds: Iterable[int],
    dataset: ImageDataset | None = None,
    *,
    jobs: int | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
    **options: Any,  # noqa: ANN401 - whatever `fit` takes
) -> dict[str, list[History]]:
    """Train each network with each seed; several at a time.

    The seed decides the weights and the order of the samples, and all networks share it: runs of
    one seed differ in the network alone, so that they can be compared pair by pair.

    Small networks do not fill two cores with one training; two trainings side by side, each on
    one thread, do. On a GPU the trainings run one after another.

    Parameters
    ----------
    builders
        For each name a function that takes a seed and gives a network.
    seeds
        The seeds.
    dataset
        See `fit`.
    jobs
        How many trainings at a time; as many as there are cores without it.
    device
        See `fit`.
    progress
        Show a progress bar, a unit for each run.
    **options
        What `fit` takes: ``epochs``, ``lr``, ``batch_size``, ``measure_every``, ``drop_last``.

    Returns
    -------
    dict of str to list of History
        For each name the histories in the order of the seeds. After Ctrl-C (in Jupyter the stop
        button) only those runs that were finished.

    Examples
    --------
    >>> from functools import partial
    >>> nets = {norm: partial(article_net, norm) for norm in ("none", "batch")}
    >>> histories = fit_many(nets, seeds=range(5), epochs=1)  # doctest: +SKIP
    """
    device = pick_device(device)
    if device.type != "cpu":
        jobs = 1
    runs = [(name, seed) for seed in seeds for name in builders]
    tasks = (
        joblib.delayed(_run)(index, builders[name], seed, dataset, str(device), options)
        for index, (name, seed) in enumerate(runs)
    )
    finished: dict[int, History] = {}
    with progress_bar(len(runs), "run", show=progress) as bar:
        try:
            for index, history in side_by_side(jobs or joblib.cpu_count(), tasks):
                finished[index] = history
                bar.update()
        except KeyboardInterrupt:
            bar.write(f"Stopped: {len(finished)} of {len(runs)} runs are finished and kept.")
    histories: dict[str, list[History]] = {name: [] for name in builders}
    for index, (name, _) in enumerate(runs):
        if index in finished:
            histories[name].append(finished[index])
    return histories


def side_by_side(jobs: int, tasks: Iterable[Any]) -> Iterable[Any]:
    """Run joblib tasks, so many at a time on one thread each; yield results as they come."""
    if jobs == 1:
        return joblib.Parallel(return_as="generator_unordered")(tasks)
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        return joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)


def _run(
    index: int,
    build: Builder,
    seed: int,
    dataset: ImageDataset | None,
    device: str,
    options: dict[str, Any],
) -> tuple[int, History]:
    network = build(seed)
    history = fit(network, dataset, seed=seed, device=device, progress=False, **options)
    if history.interrupted:  # `fit` keeps what it has and goes on; here it is to end them all
        raise KeyboardInterrupt
    return index, history
