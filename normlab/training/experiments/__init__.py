"""The experiments behind the lessons' recorded results, a module each.

``experiment_names``
    What there is; a module's name is its experiment's name.
``find_experiment``
    An experiment by its name.
``recorded``
    What it measured when the course was made, from the file that comes with the package.
``recorded_if_there``
    The same, or None where nobody has recorded it: those that need an accelerator.
"""

import importlib
import pkgutil
from pathlib import Path

from normlab.names import did_you_mean
from normlab.training.experiment import Experiment, Recording, load_recording

# What comes with the package. Each file's first lines say how it was made.
RECORDED = Path(__file__).parents[1] / "recorded"


def experiment_names() -> list[str]:
    """Return the names of all experiments, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))


def find_experiment(name: str) -> Experiment:
    """Return the experiment of this name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in experiment_names():
        names = experiment_names()
        meant = did_you_mean(name, names) or f"Choose one of: {', '.join(names)}."
        raise ValueError(f"No experiment is called {name!r}. {meant}")
    return importlib.import_module(f"{__name__}.{name}").EXPERIMENT


def recorded(name: str) -> Recording:
    """Return the recorded measurements of an experiment."""
    find_experiment(name)
    return load_recording(RECORDED / f"{name}.csv")


def recorded_if_there(name: str) -> Recording | None:
    """Return the recorded measurements of an experiment; None where there are none."""
    find_experiment(name)
    path = RECORDED / f"{name}.csv"
    return load_recording(path) if path.exists() else None
