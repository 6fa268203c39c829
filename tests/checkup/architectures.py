"""Networks as they are built today, small: healthy ones, of torch's norms and of others.

Each is written here, as its paper or its best known code has it, and called with what stands
beside it. `NETWORKS` names, for each, the norm layers that the doctor has to count.
"""

import torch
from own_norms import (
    BatchNormOfABook,
    ChannelsFirstLayerNorm,
    FrozenBatchNorm,
    GatedRMSNorm,
    LayerNormByHand,
    LayerNormWithoutParameters,
    LengthOne,
    OnePlusRMSNorm,
    OwnBatchNorm,
    OwnGroupNorm,
    OwnInstanceNorm,
    OwnRMSNorm,
    PixelNorm,
)
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import parametrizations

IMAGES = torch.randn(4, 3, 16, 16)
TOKENS = torch.randint(0, 11, (3, 7))
VECTORS = torch.randn(8, 12)


def conv(before, after, kernel=3, stride=1, **options):
    return nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False, **options)


def unit(before, after, kernel=3, stride=1, act=nn.ReLU, **options):
    norm = nn.BatchNorm2d(after)
    return nn.Sequential(conv(before, after, kernel, stride, **options), norm, act())


def head(channels):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


class Residual(nn.Module):
    """What stands inside, added to what came in."""

    def __init__(self, *inside):
        super().__init__()
        self.inside = nn.Sequential(*inside)

    def forward(self, x):
        return x + self.inside(x)


class DropPath(nn.Module):
    """Stochastic depth: in training a branch is dropped for some samples."""

    def forward(self, x):
        if not self.training:
            return x
        return x * torch.bernoulli(torch.full((len(x), 1, 1, 1), 0.8)) / 0.8


# ---- convolutions


def vgg():
    layers = unit(3, 8), unit(8, 8), nn.MaxPool2d(2), unit(8, 16), nn.MaxPool2d(2)
    return nn.Sequential(*layers, head(16))


def bottlenecks():
    """ResNet-50: the last norm of each block begins at 0."""
    blocks = [
        Residual(unit(8, 4, 1), unit(4, 4), conv(4, 8, 1), nn.BatchNorm2d(8)) for _ in range(2)
    ]
    for block in blocks:
        nn.init.zeros_(block.inside[-1].weight)
    return nn.Sequential(unit(3, 8, 7, 2), nn.MaxPool2d(2), *blocks, head(8))


class DenseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv(3, 8)
        widths = (8, 12, 16)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(n), nn.ReLU(), conv(n, 4)) for n in widths
        )
        self.last, self.fc = nn.BatchNorm2d(20), nn.Linear(20, 10)

    def forward(self, x):
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return self.fc(F.relu(self.last(x)).mean((2, 3)))


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 2, 1), nn.SiLU(), nn.Conv2d(2, channels, 1)
        )

    def forward(self, x):
        return x * self.gate(x).sigmoid()


def efficient_net():
    """Inverted residuals, with Keras's eps and momentum the right way round."""
    blocks = [
        Residual(
            unit(8, 16, 1, act=nn.SiLU),
            unit(16, 16, groups=16, act=nn.SiLU),
            SqueezeExcite(16),
            conv(16, 8, 1),
            nn.BatchNorm2d(8),
            DropPath(),
        )
        for _ in range(2)
    ]
    model = nn.Sequential(unit(3, 8, stride=2, act=nn.SiLU), *blocks, head(8))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps, module.momentum = 1e-3, 0.01
    return model


class RepVGG(nn.Module):
    """Three branches; weights and biases of the norms begin at random, as timm draws them."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 16)
        self.wide = nn.ModuleList(nn.Sequential(conv(16, 16), nn.BatchNorm2d(16)) for _ in "123")
        self.narrow = nn.ModuleList(
            nn.Sequential(conv(16, 16, 1), nn.BatchNorm2d(16)) for _ in "123"
        )
        self.same = nn.ModuleList(nn.BatchNorm2d(16) for _ in "123")
        self.head = head(16)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 0.1, 0.1)
                nn.init.normal_(module.bias, 0, 0.1)

    def forward(self, x):
        x = self.stem(x)
        for wide, narrow, same in zip(self.wide, self.narrow, self.same, strict=True):
            x = F.relu(wide(x) + narrow(x) + same(x))
        return self.head(x)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(conv(3, 8), nn.GroupNorm(4, 8), nn.SiLU())
        self.inner = nn.Sequential(conv(8, 8), nn.GroupNorm(4, 8), nn.SiLU())
        self.up = nn.Sequential(nn.Conv2d(16, 8, 3, padding=1), nn.GroupNorm(4, 8), nn.SiLU())
        self.out = nn.Conv2d(8, 3, 1)

    def forward(self, x):
        skip = self.down(x)
        inner = F.interpolate(self.inner(F.avg_pool2d(skip, 2)), scale_factor=2)
        return self.out(self.up(torch.cat([skip, inner], dim=1)))


def generator():
    """DCGAN: weights of the norms are drawn around 1."""
    model = nn.Sequential(
        nn.ConvTranspose2d(12, 16, 4, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(True),
        nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(True),
        nn.ConvTranspose2d(8, 3, 4, 2, 1),
        nn.Tanh(),
    )
    for module in model:
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.02)
    return model


def discriminator():
    """Spectral norm on every layer, no norm of data."""
    layers = nn.Conv2d(3, 8, 4, 2), nn.Conv2d(8, 8, 3), nn.Linear(200, 1)
    first, second, last = (parametrizations.spectral_norm(layer) for layer in layers)
    return nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2), nn.Flatten(), last)


def style_transfer():
    layers = conv(3, 8), nn.InstanceNorm2d(8, affine=True), nn.ReLU()
    block = Residual(conv(8, 8), nn.InstanceNorm2d(8, affine=True), nn.ReLU(), conv(8, 8))
    return nn.Sequential(*layers, block, nn.Conv2d(8, 3, 3, padding=1))


def conv_mixer():
    """Put the norm behind the activation: there the bias before it does its work."""
    spatial = nn.Conv2d(8, 8, 5, padding=2, groups=8), nn.GELU(), nn.BatchNorm2d(8)
    mixing = nn.Conv2d(8, 8, 1), nn.GELU(), nn.BatchNorm2d(8)
    stem = nn.Conv2d(3, 8, 4, 4), nn.GELU(), nn.BatchNorm2d(8)
    return nn.Sequential(*stem, Residual(*spatial), *mixing, head(8))


# ---- vectors, sequences, points


def article_network():
    body = [nn.Linear(12, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*body, nn.Linear(16, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU())


class PointNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.each = nn.Sequential(
            nn.Conv1d(3, 8, 1, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Conv1d(8, 16, 1)
        )
        self.all = nn.Sequential(nn.Linear(16, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU())

    def forward(self, x):  # (N, 3, points)
        return self.all(self.each(x).amax(-1))


class LSTMWithNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.lstm = nn.LSTM(8, 16, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.fc = nn.Linear(16, 11)

    def forward(self, tokens):
        return self.fc(self.norm(self.lstm(self.embedding(tokens))[0]))


def wave_net():
    layers = (nn.Conv1d(3, 8, 2), nn.Conv1d(8, 8, 2, dilation=2), nn.Conv1d(8, 3, 1))
    first, second, last = (parametrizations.weight_norm(layer) for layer in layers)
    return nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), last)


# ---- transformers


class Attention(nn.Module):
    """Causal attention; with a norm for each head's queries and keys, if one is given."""

    def __init__(self, width, heads=2, norm=None):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.q_norm = norm(width // heads) if norm else nn.Identity()
        self.k_norm = norm(width // heads) if norm else nn.Identity()

    def forward(self, x):
        batch, length, width = x.shape
        parts = self.qkv(x).reshape(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = self.q_norm(parts[0]), self.k_norm(parts[1]), parts[2]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # (N, heads, L, D / heads)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Norms before both branches, or after, or on both sides."""

    def __init__(self, width, norm, place="pre", qk_norm=None):
        super().__init__()
        self.attention = Attention(width, norm=qk_norm)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.place = place
        self.attention_norm, self.mlp_norm = norm(width), norm(width)
        if place == "both":
            self.after_attention, self.after_mlp = norm(width), norm(width)

    def forward(self, x):
        if self.place == "post":
            x = self.attention_norm(x + self.attention(x))
            return self.mlp_norm(x + self.mlp(x))
        if self.place == "out":
            x = x + self.attention_norm(self.attention(x))
            return x + self.mlp_norm(self.mlp(x))
        branch = self.attention(self.attention_norm(x))
        x = x + (self.after_attention(branch) if self.place == "both" else branch)
        branch = self.mlp(self.mlp_norm(x))
        return x + (self.after_mlp(branch) if self.place == "both" else branch)


class LanguageModel(nn.Module):
    def __init__(self, norm, place="pre", qk_norm=None, width=16):
        super().__init__()
        self.embedding = nn.Embedding(11, width)
        self.blocks = nn.ModuleList(Block(width, norm, place, qk_norm) for _ in range(2))
        self.norm = norm(width) if place != "post" else nn.Identity()
        self.head = nn.Linear(width, 11, bias=False)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class VisionTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.norm(self.encoder(self.patches(x).flatten(2).mT)).mean(1))


class MLPMixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.norms = nn.ModuleList(nn.LayerNorm(8) for _ in range(3))
        self.tokens, self.channels = nn.Linear(16, 16), nn.Linear(8, 8)

    def forward(self, x):
        x = self.patches(x).flatten(2).mT  # (N, 16, 8)
        x = x + self.tokens(self.norms[0](x).mT).mT
        return self.norms[2](x + self.channels(self.norms[1](x)))


class DiffusionTransformer(nn.Module):
    """adaLN-Zero: norms without parameters, modulated by a condition; gates begin at 0."""

    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(16, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(16, elementwise_affine=False, eps=1e-6)
        self.attention, self.mlp = Attention(16), nn.Linear(16, 16)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(16, 96))
        nn.init.zeros_(self.modulation[1].weight)
        nn.init.zeros_(self.modulation[1].bias)

    def forward(self, x, condition):
        parts = self.modulation(condition)[:, None].chunk(6, dim=-1)
        x = x + parts[2] * self.attention(self.norm1(x) * (1 + parts[1]) + parts[0])
        return x + parts[5] * self.mlp(self.norm2(x) * (1 + parts[4]) + parts[3])


# ---- networks with norm classes of their own


def convnext():
    block = Residual(
        nn.Conv2d(8, 8, 7, padding=3, groups=8),
        ChannelsFirstLayerNorm(8),
        nn.Conv2d(8, 16, 1),
        nn.GELU(),
        nn.Conv2d(16, 8, 1),
    )
    return nn.Sequential(nn.Conv2d(3, 8, 4, 4), ChannelsFirstLayerNorm(8), block, head(8))


def progressive_gan():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.LeakyReLU(0.2), PixelNorm(), nn.Conv2d(8, 8, 3), PixelNorm()
    )


def book_lenet():
    return nn.Sequential(
        conv(3, 6), BatchNormOfABook(6), nn.Sigmoid(), conv(6, 8), BatchNormOfABook(8), head(8)
    )


def lesson_three():
    return nn.Sequential(
        nn.Linear(12, 16, bias=False), OwnBatchNorm(16), nn.ReLU(), nn.Linear(16, 10)
    )


def detector():
    """Take a body that was trained elsewhere."""
    norms = FrozenBatchNorm(8), FrozenBatchNorm(8)
    for norm in norms:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    return nn.Sequential(conv(3, 8), norms[0], nn.ReLU(), conv(8, 8), norms[1])


def small_batches():
    return nn.Sequential(conv(3, 8), OwnGroupNorm(2, 8), nn.ReLU(), head(8))


def stylizer():
    return nn.Sequential(conv(3, 8), OwnInstanceNorm(8), nn.ReLU(), nn.Conv2d(8, 3, 3))


class StateSpace(nn.Module):
    """Mamba 2's place for a norm: gated, before the way out."""

    def __init__(self):
        super().__init__()
        self.embedding, self.norm = nn.Embedding(11, 8), OwnRMSNorm(8)
        self.enter, self.gated = nn.Linear(8, 32), GatedRMSNorm(16)
        self.leave, self.head = nn.Linear(16, 8), nn.Linear(8, 11)

    def forward(self, tokens):
        x = self.embedding(tokens)
        y, gate = self.enter(self.norm(x)).chunk(2, dim=-1)
        return self.head(x + self.leave(self.gated(y.cumsum(1), gate)))


# For each: how it is built, what it is called with, its norm layers, and whether their class is
# one of its own.
NETWORKS = {
    "VGG": (vgg, IMAGES, 3, False),
    "ResNet-50": (bottlenecks, IMAGES, 7, False),
    "DenseNet": (DenseNet, IMAGES, 4, False),
    "EfficientNet": (efficient_net, IMAGES, 7, False),
    "RepVGG": (RepVGG, IMAGES, 9, False),
    "U-Net": (UNet, IMAGES, 3, False),
    "DCGAN, generator": (generator, torch.randn(4, 12, 1, 1), 2, False),
    "SNGAN, discriminator": (discriminator, IMAGES, 0, False),
    "style transfer": (style_transfer, IMAGES, 2, False),
    "ConvMixer": (conv_mixer, IMAGES, 3, False),
    "the article's": (article_network, VECTORS, 2, False),
    "PointNet": (PointNet, torch.randn(4, 3, 9), 2, False),
    "LSTM": (LSTMWithNorm, TOKENS, 1, False),
    "WaveNet": (wave_net, torch.randn(2, 3, 9), 0, False),
    "GPT-2": (lambda: LanguageModel(nn.LayerNorm), TOKENS, 5, False),
    "BERT": (lambda: LanguageModel(nn.LayerNorm, "post"), TOKENS, 4, False),
    "ViT": (VisionTransformer, IMAGES, 5, False),
    "MLP-Mixer": (MLPMixer, IMAGES, 3, False),
    "DiT": (DiffusionTransformer, (torch.randn(2, 5, 16), torch.randn(2, 16)), 2, False),
    "Llama": (lambda: LanguageModel(OwnRMSNorm), TOKENS, 5, True),
    "Gemma 2": (lambda: LanguageModel(OnePlusRMSNorm, "both"), TOKENS, 9, True),
    "OLMo 1": (lambda: LanguageModel(LayerNormWithoutParameters), TOKENS, 5, True),
    "OLMo 2": (lambda: LanguageModel(OwnRMSNorm, "out", OwnRMSNorm), TOKENS, 9, True),
    "The Annotated Transformer": (lambda: LanguageModel(LayerNormByHand), TOKENS, 5, True),
    "nGPT": (lambda: LanguageModel(LengthOne), TOKENS, 5, True),
    "Mamba 2": (StateSpace, TOKENS, 2, True),
    "ConvNeXt": (convnext, IMAGES, 2, True),
    "Progressive GAN": (progressive_gan, IMAGES, 2, True),
    "a book's LeNet": (book_lenet, IMAGES, 2, True),
    "lesson 3's": (lesson_three, VECTORS, 1, True),
    "a detector's body": (detector, IMAGES, 2, True),
    "for small batches": (small_batches, IMAGES, 1, True),
    "a stylizer": (stylizer, IMAGES, 1, True),
}
