"""Training: the article's network, the loop, many seeds at once, and recorded experiments.

``article_net``
    The MLP 784-256-128-10, with the norm of your choice after its first two layers.
``small_cnn``
    A small convolutional network, with the norm of your choice after its two convolutions.
``fit``, ``evaluate``
    Train a network on images held in memory, and measure it. ``fit`` returns a ``History``.
``fit_many``
    The same training for several networks and seeds, on all cores. ``stack`` puts the measurements
    of several runs into one array.
``Experiment``, ``record``, ``run_live``, ``Recording``
    A question with the runs that answer it; run and recorded, or run in place.
``experiment_names``, ``find_experiment``, ``recorded``, ``recorded_if_there``
    The course's experiments, and what they measured when it was made. ``RECORDED`` is the folder
    of the files.
"""

from normlab.training.experiment import Experiment, Recording, load_recording, record, run_live
from normlab.training.experiments import (
    RECORDED,
    experiment_names,
    find_experiment,
    recorded,
    recorded_if_there,
)
from normlab.training.fit import as_inputs, evaluate, fit, pick_device
from normlab.training.history import History, Point, stack
from normlab.training.many import fit_many
from normlab.training.network import (
    IMAGE_NORMS,
    NORMS,
    ArticleNet,
    SmallCNN,
    article_net,
    small_cnn,
)

__all__ = [
    "IMAGE_NORMS",
    "NORMS",
    "RECORDED",
    "ArticleNet",
    "Experiment",
    "History",
    "Point",
    "Recording",
    "SmallCNN",
    "article_net",
    "as_inputs",
    "evaluate",
    "experiment_names",
    "find_experiment",
    "fit",
    "fit_many",
    "load_recording",
    "pick_device",
    "record",
    "recorded",
    "recorded_if_there",
    "run_live",
    "small_cnn",
    "stack",
]
