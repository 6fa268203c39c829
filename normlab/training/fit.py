"""The training loop: plain SGD and cross-entropy on images held in memory."""

import copy
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows it by

from normlab.data import ImageDataset, load_mnist
from normlab.data.batches import check_counts, check_whole, endless_batches
from normlab.data.datasets import trouble_with_labels
from normlab.training.history import History, Point
from normlab.training.progress import progress_bar
from normlab.training.threads import limited_threads


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """Return the device asked for; without one a GPU where there is one, else the CPU."""
    if device is not None:
        return torch.device(device)
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def as_inputs(images: object, device: str | torch.device | None = None) -> Tensor:
    """Turn grey levels 0 to 255 into network inputs 0 to 1.

    Parameters
    ----------
    images
        Array or tensor, any shape. Bytes are divided by 255; floating-point numbers are taken as
        they are, so that inputs scaled in another way can be given.
    device
        Where the inputs shall be.

    Returns
    -------
    torch.Tensor
        float32, of the same shape.
    """
    inputs = _as_tensor(images).to(device)
    return inputs / 255 if inputs.dtype == torch.uint8 else inputs.float()


@torch.no_grad()
def evaluate(
    model: nn.Module, inputs: Tensor, labels: Tensor, *, batch_size: int = 1000
) -> tuple[float, float]:
    """Measure a network in evaluation mode, and leave it in the mode it was in.

    Parameters
    ----------
    model
        Gives logits ``(N, classes)``.
    inputs, labels
        ``(N, ...)`` float and ``(N,)`` int64, on the model's device.
    batch_size
        How many at a time. In evaluation mode it changes nothing but memory and speed.

    Returns
    -------
    tuple of float
        Mean cross-entropy in nats, and the share of right answers.

    Raises
    ------
    ValueError
        If there are no samples, or ``batch_size`` is no whole number of at least 1.
    """
    check_counts(batch_size=batch_size, samples=len(labels))
    batch_size, loss, correct = int(batch_size), 0.0, 0.0  # torch does not split by NumPy's ints
    with _in_evaluation_mode(model):
        for x, y in zip(inputs.split(batch_size), labels.split(batch_size), strict=True):
            logits = model(x)  # (batch_size, classes)
            loss += F.cross_entropy(logits, y, reduction="sum").item()
            correct += (logits.argmax(1) == y).sum().item()
    return loss / len(labels), correct / len(labels)


@contextmanager
def _in_evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put each module back into its own mode, though one stop it in the middle."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def fit(
    model: nn.Module,
    dataset: ImageDataset | None = None,
    *,
    epochs: int = 5,
    lr: float = 0.01,
    batch_size: int = 64,
    seed: int = 0,
    measure_every: int | None = None,
    drop_last: bool = False,
    device: str | torch.device | None = None,
    threads: int = 1,
    progress: bool = True,
) -> History:
    """Train a network with SGD and cross-entropy, as the article does, and measure it on the way.

    The network is trained in place and in training mode; it is measured in evaluation mode. The
    same seed gives the same run on the same machine. Ctrl-C (in Jupyter the stop button) ends the
    run early and keeps what was measured.

    Parameters
    ----------
    model
        Takes images ``(N, H, W)``, gives logits ``(N, classes)``.
    dataset
        What to train and test on; MNIST without it. Bytes are scaled to 0 to 1.
    epochs
        Passes over the training set.
    lr
        Learning rate of plain SGD: no momentum, no weight decay.
    batch_size
        Samples in a step.
    seed
        The seed of the order of the samples, and of dropout where the model has some.
    measure_every
        Steps between two measurements; one epoch without it. The end is always measured.
    drop_last
        Leave out a last batch that is not full.
    device
        Where to train; a GPU where there is one, else the CPU.
    threads
        How many threads the CPU may use. On an idle machine two are up to twice as fast as one. On
        a busy one they can be thirty times slower, since torch's threads wait for each other in a
        busy loop; and with another number of threads the last digits differ.
    progress
        Show a progress bar.

    Returns
    -------
    History
        The measurements.

    Raises
    ------
    ValueError
        Before anything is trained, if a number cannot be: ``epochs``, ``batch_size``,
        ``measure_every`` and ``threads`` are whole and at least 1, ``lr`` is finite and not
        negative; if the labels do not fit the images or the model's logits; or if a batch of one
        sample would come up that the model cannot train on.
    """
    dataset = dataset or load_mnist()
    device = pick_device(device)
    model.to(device)
    # As bytes, images need a quarter of the memory, and picking a batch is faster.
    images = _as_tensor(dataset.train_images).to(device)  # (N, H, W)
    labels = _labels(dataset, "train").to(device)  # (N,)
    test_set = as_inputs(dataset.test_images, device), _labels(dataset, "test").to(device)

    _check_lr(lr)
    check_counts(threads=threads)
    check_whole(seed=seed)
    steps_per_epoch = _steps_per_epoch(len(images), batch_size, drop_last)
    measure_every = steps_per_epoch if measure_every is None else measure_every
    check_counts(epochs=epochs, measure_every=measure_every)
    _check_smallest_batch(model, images, batch_size, drop_last)

    total = epochs * steps_per_epoch
    history = History(seed=seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    model.train()
    with (
        torch.random.fork_rng(),
        limited_threads(threads),
        progress_bar(total, "step", show=progress) as bar,
    ):
        torch.manual_seed(seed)
        order = torch.Generator(device).manual_seed(seed)
        batches = endless_batches(len(images), batch_size, order, drop_last=drop_last)
        meter = _Meter(model, test_set, steps_per_epoch)
        try:
            for step, batch in zip(range(1, total + 1), batches, strict=False):
                logits = model(as_inputs(images.index_select(0, batch)))  # (batch_size, classes)
                if step == 1:
                    _check_classes(logits, dataset)
                loss = F.cross_entropy(logits, labels.index_select(0, batch))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                meter.add(loss)
                bar.update()
                if step % measure_every == 0 or step == total:
                    history.points.append(meter.measure(step))
                    bar.set_postfix_str(f"test accuracy {history.final.test_accuracy:.1%}")
        except KeyboardInterrupt:
            history.interrupted = True
    return history


class _Meter:
    """Sums up the training loss, reads the clock, and measures on the test set."""

    def __init__(
        self, model: nn.Module, test_set: tuple[Tensor, Tensor], steps_per_epoch: int
    ) -> None:
        self.model = model
        self.test_set = test_set
        self.steps_per_epoch = steps_per_epoch
        self.losses: list[Tensor] = []
        self.training_seconds = 0.0
        self.resumed_at = time.perf_counter()

    def add(self, loss: Tensor) -> None:
        # Not .item(): reading the number would make a GPU wait in every step.
        self.losses.append(loss.detach())

    def measure(self, step: int) -> Point:
        train_loss = torch.stack(self.losses).mean().item()  # waits until the steps are done
        self.training_seconds += time.perf_counter() - self.resumed_at
        test_loss, test_accuracy = evaluate(self.model, *self.test_set)
        self.losses.clear()
        self.resumed_at = time.perf_counter()
        return Point(
            step=step,
            epoch=step / self.steps_per_epoch,
            train_loss=train_loss,
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            seconds=self.training_seconds,
        )


def _as_tensor(array: object) -> Tensor:
    return array if isinstance(array, Tensor) else torch.tensor(array)


def _steps_per_epoch(size: int, batch_size: int, drop_last: bool) -> int:
    check_counts(batch_size=batch_size)
    if drop_last and batch_size > size:
        raise ValueError(
            f"batch_size={batch_size} is more than the {size:,} samples, and with drop_last no "
            "batch is left. Choose a smaller batch size."
        )
    return size // batch_size if drop_last else math.ceil(size / batch_size)


def _check_lr(lr: float) -> None:
    if not math.isfinite(lr) or lr < 0:
        raise ValueError(f"lr must be a finite number, at least 0, got {lr}.")


def _labels(dataset: ImageDataset, split: str) -> Tensor:
    """Return the labels of a split as int64, checked: one for each image, and a class."""
    images, labels = getattr(dataset, f"{split}_images"), getattr(dataset, f"{split}_labels")
    name = dataset.files.get(f"{split}_labels", f"{split}_labels")
    labels = _as_tensor(labels)
    if labels.ndim != 1 or len(labels) != len(images):
        raise ValueError(
            f"{name}: the labels have the shape {tuple(labels.shape)} for {len(images):,} images. "
            "Give one label for each image."
        )
    if not len(labels):
        raise ValueError(
            f"{name}: there are no images. Give at least one to train and one to test."
        )
    if trouble := trouble_with_labels(labels.cpu().numpy()):
        raise ValueError(f"{name}: {trouble}.")
    return labels.long()


def _check_classes(logits: Tensor, dataset: ImageDataset) -> None:
    """See before the first step that the network has an output for each class."""
    if logits.ndim != 2:
        raise ValueError(
            f"The network gives a tensor {tuple(logits.shape)}, and fit needs logits, (N, classes)."
        )
    if logits.shape[1] < dataset.classes:
        name = dataset.files.get("train_labels", "The dataset")
        raise ValueError(
            f"{name}: there are labels up to {dataset.classes - 1}, and the network has "
            f"{logits.shape[1]} outputs. Give it {dataset.classes}, as "
            "article_net(norm, dataset=load_mnist()) does."
        )


def _check_smallest_batch(
    model: nn.Module, images: Tensor, batch_size: int, drop_last: bool
) -> None:
    """Find out before the first epoch, not at its end, that a batch of one cannot be trained on."""
    left_over = len(images) % batch_size
    if batch_size != 1 and (left_over != 1 or drop_last):
        return
    try:
        # A copy, since a forward pass moves the buffers.
        copy.deepcopy(model).train()(as_inputs(images[:1]))
    except ValueError as error:
        if "Expected more than 1" not in str(error):
            raise
        where = (
            "batch_size=1"
            if batch_size == 1
            else f"{len(images):,} samples in batches of {batch_size} leave a last batch of one"
        )
        raise ValueError(
            f"{where}: this network cannot train on a single sample, since BatchNorm would have "
            f"to take a variance of one value. Choose another batch size. (torch says: {error})"
        ) from error
