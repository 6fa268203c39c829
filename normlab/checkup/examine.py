"""The doctor itself."""

import torch
from torch import nn

from normlab.checkup.checks import find_all
from normlab.checkup.patient import Example, admit
from normlab.checkup.report import Examination


def doctor(
    model: nn.Module,
    example: Example | None = None,
    *,
    optimizer: torch.optim.Optimizer | None = None,
) -> Examination:
    """Say what is suspicious about the norm layers of a model.

    Parameters
    ----------
    model
        Any module, in the mode in which you use it: the same model may be fine in evaluation mode
        and not in training mode.
    example
        An input, as the model is given it: a tensor, a tuple of arguments, or a mapping of named
        ones. With it the order in which layers run is known, and the shapes that norms are fed;
        without it only what can be read off the layers. It is run once, without gradients, on a
        copy of the model. A hook of yours runs as well. An example that stops is a finding.
    optimizer
        The model's optimizer, if its weight decay is to be looked at, too.

    Returns
    -------
    Examination
        The findings; shows itself in a notebook, and as text. ``report.healthy`` is True where
        nothing was found beside notes, False where something was, and None where there is a
        place that could not be looked at: so ``assert doctor(model).healthy`` stops there, too.

    Raises
    ------
    TypeError
        If ``model`` is no ``torch.nn.Module``.

    Notes
    -----
    The model is left as it was: modes, parameters, gradients, buffers and the random state. Known
    are the norms of `torch.nn`, classes derived from them, and layers of any other class that do
    what a norm does: copies of small layers are fed random numbers, and what comes out is compared
    with what each norm would make of them. What is called a norm and is not recognized is named, as
    are norms inside a forward method, compiled layers, and layers without numbers.

    Not being found suspicious is no proof of health: padding in the statistics, sorted batches or a
    leak from the test set are matters of data, which no model shows.

    Examples
    --------
    >>> import torch, normlab
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4, momentum=0.99))
    >>> normlab.doctor(model, torch.randn(8, 3)).names()
    ['momentum reversed', 'a bias that the norm subtracts again']
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"doctor looks at a torch.nn.Module, and this is {type(model).__name__}: pass the "
            "model itself, not its class, its name or its output."
        )
    patient = admit(model, example, optimizer)
    return Examination(patient.looked_at, find_all(patient))
