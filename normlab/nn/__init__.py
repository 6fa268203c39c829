"""The NumPy twins of `torch.nn`'s normalization layers, forward and backward.

Whoever knows one knows the other: class names, arguments, defaults, attributes, buffers,
`state_dict` keys and error texts are torch's, and `functional` has the names and signatures
of `torch.nn.functional`. What torch leaves to autograd is explicit::

    from normlab import nn

    layer = nn.BatchNorm2d(3, eps=1e-3)
    y = layer(x)                # keeps what backward needs
    dx = layer.backward(dy)     # gradient of the input, same shape as x
    layer.grads["weight"]       # gradients of the parameters, by name

The mathematics is in `functional`; in `parametrizations`, for norms of weights; in
`conditional`, for norms that are told their scale and shift; and in `sync`, for a batch that
several workers share. `residual` puts norms into a transformer's block, and before its attention's
product. `transforms` has torchvision's `Normalize`. The other modules keep the books.
"""

from normlab.nn import conditional, functional, parametrizations, sync, transforms
from normlab.nn.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from normlab.nn.instancenorm import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from normlab.nn.module import Module
from normlab.nn.normalization import GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm
from normlab.nn.residual import Block, QKNorm, Residual
from normlab.nn.transforms import Normalize

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Block",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "LocalResponseNorm",
    "Module",
    "Normalize",
    "QKNorm",
    "RMSNorm",
    "Residual",
    "conditional",
    "functional",
    "parametrizations",
    "sync",
    "transforms",
]
