"""The bookkeeping of a layer: parameters, buffers, modes, gradients and saved states."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike

from normlab.nn import checks
from normlab.nn import functional as F  # noqa: N812 - its name everywhere in PyTorch


class IncompatibleKeys(NamedTuple):
    """What `Module.load_state_dict` could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"_IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )


class Module:
    """Base class of the layers, with the part of `torch.nn.Module` that a norm needs.

    Parameters and buffers are plain attributes that hold a NumPy array, or None.

    Attributes
    ----------
    training : bool
        Whether the layer is in training mode, as it is at first.
    grads : dict of str to numpy.ndarray
        The gradients of the parameters, by name. As in torch, they add up over the calls of
        `backward` until `zero_grad`.

    References
    ----------
    `torch.nn.Module`.
    """

    _version = 1
    _shown = ""  # the arguments in `repr`, as a template for the attributes
    _parameter_names: tuple[str, ...] = ()
    _buffer_names: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.training = True
        self.grads: dict[str, np.ndarray] = {}
        self._context: Any = None  # what the latest forward pass kept for backward

    def __call__(self, input: np.ndarray) -> np.ndarray:
        """Run the forward pass, on anything that NumPy can read as an array."""
        return self.forward(np.asarray(input))

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Compute the output; every layer has its own."""
        raise NotImplementedError

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Carry the gradient of the output back through the latest forward pass.

        The gradients of the parameters are added to `grads`.

        Parameters
        ----------
        grad_output
            Gradient of the loss with respect to the output, in its shape.

        Returns
        -------
        numpy.ndarray
            Gradient with respect to the input, in its shape and dtype.

        Raises
        ------
        RuntimeError
            There was no forward pass yet, or `grad_output` has not the shape of its output.
        """
        self._check_called()
        gradients = F.affine_backward(np.asarray(grad_output), self._context)
        for name in self._parameter_names:
            gradient = getattr(gradients, name)
            if gradient is not None:
                self.grads[name] = self.grads.get(name, 0) + gradient
        return gradients.input

    def zero_grad(self) -> None:
        """Forget the gradients of the parameters."""
        self.grads = {}

    def train(self, mode: bool = True) -> Self:
        """Put the layer in training mode, or with `mode` False in evaluation mode."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        return self

    def eval(self) -> Self:
        """Put the layer in evaluation mode."""
        return self.train(False)

    def named_parameters(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the array of each parameter, in torch's order."""
        yield from self._present(self._parameter_names)

    def parameters(self) -> Iterator[np.ndarray]:
        """Yield each parameter."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the array of each buffer, in torch's order."""
        yield from self._present(self._buffer_names)

    def buffers(self) -> Iterator[np.ndarray]:
        """Yield each buffer."""
        return (buffer for _, buffer in self.named_buffers())

    def state_dict(self) -> OrderedDict[str, np.ndarray]:
        """Return parameters and buffers by name: the arrays themselves, not copies."""
        state = OrderedDict([*self.named_parameters(), *self.named_buffers()])
        # torch keeps the version in this attribute of the dict.
        vars(state)["_metadata"] = OrderedDict({"": {"version": self._version}})
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Copy parameters and buffers from a mapping, in place.

        Parameters
        ----------
        state_dict
            Arrays or torch tensors by name, such as what a torch layer's `state_dict` returns.
            Each is converted to the dtype of this layer's array.
        strict
            Whether to refuse missing and unexpected keys.

        Returns
        -------
        IncompatibleKeys
            The missing and the unexpected keys.

        Raises
        ------
        TypeError
            `state_dict` is not a mapping.
        RuntimeError
            A shape differs, or with `strict` the keys do. What fits has then been copied.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", {}).get("", {})
        given, own = dict(state_dict), self.state_dict()
        errors = self._prepare_state(given, metadata.get("version"))
        errors += [
            error for name in own if name in given if (error := _copy(given[name], own[name], name))
        ]
        missing = [name for name in own if name not in given]
        unexpected = [name for name in given if name not in own]
        if strict:
            errors = [*_key_errors(missing, unexpected), *errors]
        if errors:
            title = f"Error(s) in loading state_dict for {type(self).__name__}:"
            raise RuntimeError("\n\t".join([title, *errors]))
        return IncompatibleKeys(missing, unexpected)

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        bias = getattr(self, "bias", None) is not None
        return self._shown.format(**vars(self) | {"bias": bias})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def _present(self, names: tuple[str, ...]) -> Iterator[tuple[str, np.ndarray]]:
        return ((name, getattr(self, name)) for name in names if getattr(self, name) is not None)

    def _check_called(self) -> None:
        if self._context is None or getattr(self._context, "dtype", True) is None:
            name = type(self).__name__
            raise RuntimeError(f"{name}.backward needs a forward pass first: y = layer(x)")

    def _prepare_state(self, state: dict[str, Any], version: int | None) -> list[str]:
        """Bring a state from an older torch up to date, in place; return what is wrong with it."""
        return []


class Affine(Module):
    """A layer that has a weight and a bias, or may have them."""

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0, where there are any."""
        for name, value in (("weight", 1), ("bias", 0)):
            if getattr(self, name, None) is not None:
                getattr(self, name)[...] = value


def new_parameter(
    shape: int | Sequence[int], device: None = None, dtype: DTypeLike | None = None
) -> np.ndarray:
    """Make an array for a parameter or buffer, float32 unless a dtype is asked for."""
    checks.size(shape)
    checks.device(device)
    return np.zeros(shape, np.float32 if dtype is None else dtype)


def _copy(given: Any, own: np.ndarray, name: str) -> str | None:  # noqa: ANN401 - array or tensor
    """Copy a saved value into an array of the layer; say so where the shapes differ."""
    if hasattr(given, "detach"):  # NumPy cannot read a tensor that requires a gradient
        given = given.detach().cpu().numpy()
    given = np.asarray(given)
    if own.ndim == 0 and given.shape == (1,):
        given = given[0]  # torch before 0.4 had no scalars
    if own.shape != given.shape:
        return (
            f"size mismatch for {name}: copying a param with shape "
            f"{checks.torch_size(given.shape)} from checkpoint, the shape in current model is "
            f"{checks.torch_size(own.shape)}."
        )
    own[...] = given
    return None


def _key_errors(missing: list[str], unexpected: list[str]) -> list[str]:
    errors = []
    for kind, names in (("Missing", missing), ("Unexpected", unexpected)):
        if names:
            quoted = ", ".join(f'"{name}"' for name in names)
            errors.append(f"{kind} key(s) in state_dict: {quoted}. ")
    return errors
