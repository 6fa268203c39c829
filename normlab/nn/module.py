"""The bookkeeping of a layer: parameters, buffers, modes, gradients and saved states."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from normlab.nn import checks


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
    """Base class of the layers, with the part of `torch.nn.Module` that a norm layer needs.

    Parameters and buffers are plain attributes that hold NumPy arrays, or None. A subclass
    writes `forward` and `backward`; `backward` gives the gradients of the parameters to
    `accumulate_gradients`.

    Attributes
    ----------
    training : bool
        Whether the layer is in training mode.
    grads : dict of str to numpy.ndarray
        The gradients of the parameters, by name. As in torch, they add up over the calls of
        `backward` until `zero_grad`.

    References
    ----------
    `torch.nn.Module`.
    """

    _version = 1
    _parameter_names: tuple[str, ...] = ()
    _buffer_names: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.training = True
        self.grads: dict[str, np.ndarray] = {}
        self._context: Any = None  # what the latest forward pass kept for backward
        self._output_shape: tuple[int, ...] = ()

    def __call__(self, input: np.ndarray) -> np.ndarray:
        """Run the forward pass, on anything that NumPy can read as an array."""
        return self.forward(np.asarray(input))

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Compute the output; every layer has its own."""
        raise NotImplementedError

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Carry the gradient of the output back through the latest forward pass.

        Parameters
        ----------
        grad_output
            Gradient of the loss with respect to the output, in its shape.

        Returns
        -------
        numpy.ndarray
            Gradient with respect to the input, in its shape.

        Raises
        ------
        RuntimeError
            There was no forward pass yet, or `grad_output` has another shape than its output.
        """
        raise NotImplementedError

    def _keep(self, output: np.ndarray, context: Any) -> np.ndarray:  # noqa: ANN401 - each its own
        """Keep what backward needs, and pass the output on."""
        self._context, self._output_shape = context, output.shape
        return output

    def _checked(self, grad_output: np.ndarray) -> np.ndarray:
        """Refuse a gradient that does not fit the latest output."""
        if self._context is None:
            raise RuntimeError(
                f"{type(self).__name__}.backward was called before the layer: call layer(x) first"
            )
        grad_output = np.asarray(grad_output)
        if grad_output.shape != self._output_shape:
            raise RuntimeError(
                "Mismatch in shape: grad_output has a shape of "
                f"{checks.torch_size(grad_output.shape)} and output has a shape of "
                f"{checks.torch_size(self._output_shape)}."
            )
        return grad_output

    def train(self, mode: bool = True) -> Self:
        """Put the layer in training mode, or with `mode` False in evaluation mode."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        return self

    def eval(self) -> Self:
        """Put the layer in evaluation mode."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of the parameters."""
        self.grads = {}

    def accumulate_gradients(self, **gradients: np.ndarray | None) -> None:
        """Add gradients to `grads`; None is the gradient of a parameter that is not there."""
        for name, gradient in gradients.items():
            if gradient is not None:
                self.grads[name] = self.grads[name] + gradient if name in self.grads else gradient

    def named_parameters(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the array of each parameter, in torch's order."""
        for name in self._parameter_names:
            if getattr(self, name) is not None:
                yield name, getattr(self, name)

    def parameters(self) -> Iterator[np.ndarray]:
        """Yield each parameter."""
        for _, parameter in self.named_parameters():
            yield parameter

    def named_buffers(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the array of each buffer, in torch's order."""
        for name in self._buffer_names:
            if getattr(self, name) is not None:
                yield name, getattr(self, name)

    def buffers(self) -> Iterator[np.ndarray]:
        """Yield each buffer."""
        for _, buffer in self.named_buffers():
            yield buffer

    def state_dict(self) -> OrderedDict[str, np.ndarray]:
        """Return the parameters and buffers by name: the arrays themselves, not copies."""
        state = OrderedDict([*self.named_parameters(), *self.named_buffers()])
        state._metadata = OrderedDict({"": {"version": self._version}})
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Copy parameters and buffers from a mapping, in place, each in its own dtype.

        Parameters
        ----------
        state_dict
            What `state_dict` returned, here or in torch: arrays or tensors by name.
        strict
            Refuse missing and unexpected keys.

        Returns
        -------
        IncompatibleKeys
            The missing and the unexpected keys.

        Raises
        ------
        TypeError
            `state_dict` is not a mapping.
        RuntimeError
            A value has the wrong shape, or with `strict` the keys differ.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", {}).get("", {})
        given, errors = self._prepare_state(dict(state_dict), metadata.get("version"))
        own = self.state_dict()
        missing = [name for name in own if name not in given]
        unexpected = [name for name in given if name not in own]
        errors += [
            message
            for name in own
            if name in given and (message := _copy_into(own[name], given[name], name))
        ]
        if strict:
            listed = {"Missing": missing, "Unexpected": unexpected}
            errors[:0] = [
                f"{kind} key(s) in state_dict: {', '.join(map(_quoted, names))}. "
                for kind, names in listed.items()
                if names
            ]
        if errors:
            title = f"Error(s) in loading state_dict for {type(self).__name__}:"
            raise RuntimeError("\n\t".join([title, *errors]))
        return IncompatibleKeys(missing, unexpected)

    def _prepare_state(
        self, state: dict[str, Any], version: int | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Bring a state saved by an older torch up to date; return it with what is wrong."""
        del version
        return state, []

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        return ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _copy_into(own: np.ndarray, given: Any, name: str) -> str | None:  # noqa: ANN401 - array or tensor
    """Copy a saved value into an array; return what is wrong instead where the shapes differ."""
    if hasattr(given, "detach"):  # a torch tensor: NumPy cannot read one that requires grad
        given = given.detach().cpu().numpy()
    given = np.asarray(given)
    if own.ndim == 0 and given.shape == (1,):
        given = given[0]  # torch before 0.4 saved scalars as vectors of one
    if own.shape != given.shape:
        return (
            f"size mismatch for {name}: copying a param with shape "
            f"{checks.torch_size(given.shape)} from checkpoint, the shape in current model is "
            f"{checks.torch_size(own.shape)}."
        )
    own[...] = given
    return None
