"""Norms as people write them: classes that torch does not know, and that do what it knows.

Each stands for a kind of code that is in use; the comment says where such code is met.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class OwnRMSNorm(nn.Module):
    """In Llama, Mistral, Qwen, T5: in float32, multiplied at the end, eps under another name."""

    def __init__(self, size, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.variance_epsilon = eps

    def forward(self, x):
        y = x.to(torch.float32)
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
        return self.weight * y.to(x.dtype)


class OnePlusRMSNorm(nn.Module):
    """In Gemma: the weight begins at 0, and 1 is added."""

    def __init__(self, size):
        super().__init__()
        self.eps = 1e-6
        self.weight = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        y = x.float()
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps)
        return (y * (1.0 + self.weight.float())).type_as(x)


class GatedRMSNorm(OwnRMSNorm):
    """In Mamba 2: a gate may come before."""

    def forward(self, x, gate=None):
        return super().forward(x if gate is None else x * F.silu(gate))


class LayerNormByHand(nn.Module):
    """In The Annotated Transformer: n - 1, and eps outside the root."""

    def __init__(self, size, eps=1e-6):
        super().__init__()
        self.a_2 = nn.Parameter(torch.ones(size))
        self.b_2 = nn.Parameter(torch.zeros(size))
        self.eps = eps

    def forward(self, x):
        mean, std = x.mean(-1, keepdim=True), x.std(-1, keepdim=True)
        return self.a_2 * (x - mean) / (std + self.eps) + self.b_2


class LayerNormWithoutParameters(nn.Module):
    """In OLMo 1."""

    def __init__(self, size):
        super().__init__()
        self.normalized_shape = (size,)

    def forward(self, x):
        return F.layer_norm(x.float(), self.normalized_shape, None, None, eps=1e-5).to(x.dtype)


class ChannelsFirstLayerNorm(nn.Module):
    """In ConvNeXt: over the channels of (N, C, H, W)."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = 1e-6

    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        var = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(var + self.eps)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class PixelNorm(nn.Module):
    """In Progressive GAN and StyleGAN: no parameters, no eps attribute."""

    def forward(self, x):
        return x / torch.sqrt(x.pow(2).mean(1, keepdim=True) + 1e-8)


class LengthOne(nn.Module):
    """In nGPT and many others: RMS norm by another road, and not called a norm."""

    def __init__(self, size):
        super().__init__()
        self.g = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.normalize(x, dim=-1) * self.g * x.shape[-1] ** 0.5


class OwnBatchNorm(nn.Module):
    """In lesson 3 of this course, and in many: of rows, with buffers."""

    def __init__(self, size, momentum=0.1, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.register_buffer("running_mean", torch.zeros(size))
        self.register_buffer("running_var", torch.ones(size))
        self.momentum, self.eps = momentum, eps

    def forward(self, x):
        if self.training:
            mean, var = x.mean(0), x.var(0, correction=0)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var * len(x) / (len(x) - 1), self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / torch.sqrt(var + self.eps) + self.bias


class BatchNormOfABook(nn.Module):
    """In Dive into Deep Learning: other names, of images, statistics that are no buffers."""

    def __init__(self, channels, share=0.1):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.moving_mean = torch.zeros(1, channels, 1, 1)
        self.moving_var = torch.ones(1, channels, 1, 1)
        self.share = share

    def forward(self, x):
        if not self.training:
            x_hat = (x - self.moving_mean) / torch.sqrt(self.moving_var + 1e-5)
            return self.gamma * x_hat + self.beta
        mean = x.mean(dim=(0, 2, 3), keepdim=True)
        var = ((x - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
        self.moving_mean = (1 - self.share) * self.moving_mean + self.share * mean.detach()
        self.moving_var = (1 - self.share) * self.moving_var + self.share * var.detach()
        return self.gamma * (x - mean) / torch.sqrt(var + 1e-5) + self.beta


class FrozenBatchNorm(nn.Module):
    """In torchvision's detectors: four buffers, in both modes the same."""

    def __init__(self, channels):
        super().__init__()
        for name, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            self.register_buffer(name, torch.full((channels,), float(value)))

    def forward(self, x):
        scale = (self.weight * (self.running_var + 1e-5).rsqrt()).reshape(1, -1, 1, 1)
        shift = self.bias.reshape(1, -1, 1, 1)
        return (x - self.running_mean.reshape(1, -1, 1, 1)) * scale + shift


class OwnGroupNorm(nn.Module):
    """In CS231n and many tutorials: with a weight for each channel, shaped (1, C, 1, 1)."""

    def __init__(self, groups, channels):
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x):
        parts = x.reshape(len(x), self.groups, -1)
        mean, var = parts.mean(-1, keepdim=True), parts.var(-1, keepdim=True, correction=0)
        x_hat = ((parts - mean) / torch.sqrt(var + 1e-5)).reshape(x.shape)
        return self.weight * x_hat + self.bias


class OwnInstanceNorm(OwnGroupNorm):
    """In style transfer: each channel of each image."""

    def __init__(self, channels):
        super().__init__(channels, channels)


# What torch's own layer of the same kind would be called, and what a mean is taken over there.
RECOGNIZED = {
    "Llama's": (lambda: OwnRMSNorm(8), "RMSNorm", (5, 8), 8),
    "Gemma's": (lambda: OnePlusRMSNorm(8), "RMSNorm", (2, 3, 8), 8),
    "Mamba's": (lambda: GatedRMSNorm(8), "RMSNorm", (2, 3, 8), 8),
    "wide": (lambda: OwnRMSNorm(512), "RMSNorm", (2, 3, 512), 512),
    "The Annotated Transformer's": (lambda: LayerNormByHand(8), "LayerNorm", (2, 3, 8), 8),
    "OLMo's": (lambda: LayerNormWithoutParameters(8), "LayerNorm", (2, 3, 8), 8),
    "ConvNeXt's": (
        lambda: ChannelsFirstLayerNorm(6),
        "LayerNorm over the channels",
        (2, 6, 4, 4),
        6,
    ),
    "StyleGAN's": (PixelNorm, "RMSNorm over the channels", (2, 6, 4, 4), 6),
    "without a name": (lambda: LengthOne(8), "RMSNorm", (2, 8), 8),
    "lesson 3's": (lambda: OwnBatchNorm(6), "BatchNorm", (9, 6), 9),
    "a book's": (lambda: BatchNormOfABook(6), "BatchNorm", (2, 6, 4, 4), 32),
    "a detector's": (lambda: FrozenBatchNorm(6), "a BatchNorm that is frozen", None, None),
    "a tutorial's": (lambda: OwnGroupNorm(2, 6), "GroupNorm", (2, 6, 4, 4), 48),
    "style transfer's": (lambda: OwnInstanceNorm(6), "InstanceNorm", (2, 6, 4, 4), 16),
}
