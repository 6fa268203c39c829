"""Training: the article's network, the loop, and many seeds at once.

``article_net``
    The MLP 784-256-128-10, with the norm of your choice after its first two layers.
``fit``, ``evaluate``
    Train a network on images held in memory, and measure it. ``fit`` returns a ``History``.
``fit_many``
    The same training for several networks and seeds, on all cores. ``stack`` puts the measurements
    of several runs into one array.
``save_histories``, ``load_histories``, ``recorded_with``
    What was measured, in a small CSV file that says how. ``RECORDED`` is the folder of those that
    come with the course.
"""

from normlab.training.fit import as_inputs, evaluate, fit, pick_device
from normlab.training.history import History, Point, stack
from normlab.training.many import fit_many
from normlab.training.network import NORMS, ArticleNet, article_net
from normlab.training.records import RECORDED, load_histories, recorded_with, save_histories

__all__ = [
    "NORMS",
    "RECORDED",
    "ArticleNet",
    "History",
    "Point",
    "article_net",
    "as_inputs",
    "evaluate",
    "fit",
    "fit_many",
    "load_histories",
    "pick_device",
    "recorded_with",
    "save_histories",
    "stack",
]
