"""``normlab mnist``: the article's example in a terminal."""

from functools import partial
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from normlab.data import load_mnist

if TYPE_CHECKING:
    from normlab.training import ArticleNet, History

# The names of normlab.training.NORMS, repeated here so that --help need not wait for torch; a
# test holds the two together.
NORM_CHOICES = ("batch", "none", "layer", "group", "rms", "batch-no-affine")


@click.command()
@click.option(
    "--norm",
    type=click.Choice(NORM_CHOICES),
    default="batch",
    help="The norm after the first two layers.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=5,
    help="Passes over the 60,000 training images.",
)
@click.option(
    "--lr", type=click.FloatRange(min=0, min_open=True), default=0.01, help="Learning rate of SGD."
)
@click.option("--batch-size", type=click.IntRange(min=1), default=64, help="Images in a step.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    help="How many runs, with other weights and another order of the images; several at a time.",
)
@click.option(
    "--measure-every",
    type=click.IntRange(min=1),
    help="Steps between two measurements; one epoch without it.",
)
def mnist(
    norm: str, epochs: int, lr: float, batch_size: int, seeds: int, measure_every: int | None
) -> None:
    """Train the article's network on MNIST and print how it goes.

    The network is the MLP 784-256-128-10 with a norm and a ReLU after each of its first two
    layers, trained with SGD and cross-entropy. MNIST comes with normlab; the environment variable
    NORMLAB_DATA names a folder with another dataset in the same files; the first and the last
    layer take their sizes from it.

    \b
    Examples:
      normlab mnist
      normlab mnist --norm none --epochs 2
      normlab mnist --norm layer --lr 0.1 --seeds 5
    """  # noqa: D301 - \b is how click is told not to rewrap
    load_mnist()  # a damaged file is told at once, before torch is waited for
    options = {"epochs": epochs, "lr": lr, "batch_size": batch_size, "measure_every": measure_every}
    try:
        runs = _train(norm, seeds, options)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    runs = [run for run in runs if run.points]
    if runs:
        click.echo(_table(runs))
    if len(runs) < seeds or any(run.interrupted for run in runs):
        raise click.Abort


def _train(norm: str, seeds: int, options: dict[str, Any]) -> "list[History]":
    from normlab.training import fit, fit_many

    if seeds == 1:
        return [fit(_network(norm, seed=0), seed=0, **options)]
    return fit_many({norm: partial(_network, norm)}, range(seeds), **options)[norm]


def _network(norm: str, seed: int) -> "ArticleNet":
    from normlab.training import article_net

    return article_net(norm, seed, dataset=load_mnist())


def _table(runs: "list[History]") -> str:
    """Lay out a line for each measurement that every run reached."""
    from normlab.training import stack

    lines = [f"{'epoch':>7}{'train loss':>18}{'test accuracy':>20}{'seconds':>17}"]
    losses, accuracies = stack(runs, "train_loss"), 100 * stack(runs, "test_accuracy")
    seconds = np.diff(stack(runs, "seconds"), prepend=0)  # since the measurement before
    for index, epoch in enumerate(stack(runs, "epoch")[0]):
        loss = _spread(losses[:, index], ".4f")
        accuracy = _spread(accuracies[:, index], ".2f")
        time = _spread(seconds[:, index], ".2f")
        lines.append(f"{epoch:>7.4g}{loss:>18}{accuracy + ' %':>20}{time:>17}")
    if len(runs) > 1:
        lines.append(f"Mean ± standard deviation of {len(runs)} runs.")
    return "\n".join(lines)


def _spread(values: np.ndarray, form: str) -> str:
    """Return the one value, or the mean and the sample standard deviation of several."""
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{values.mean():{form}} ± {values.std(ddof=1):{form}}"
