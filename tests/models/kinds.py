"""Small networks for images of 32x32, one for each kind of layer that a runtime rounds in its own way; random weights, fitted batch norms.

Each factory takes nothing, as `edgeq deploy kinds.py:separable` wants it, and gives the same network every time.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE, CLASSES = 32, 10


def conv(
    inputs: int, outputs: int, kernel: int = 3, act: Callable[[], nn.Module] | None = nn.ReLU, **more: int
) -> nn.Module:
    dilation = more.get("dilation", 1)
    layer = nn.Conv2d(inputs, outputs, kernel, padding=dilation * (kernel // 2), bias=False, **more)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), *([act()] if act else []))


class Classifier(nn.Module):
    """A stem of 16 channels, `body`, the mean over the image, a dense layer."""

    def __init__(self, *body: nn.Module, width: int, act: Callable[[], nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 16, act=act), *body)
        self.dense = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.body(x).mean((2, 3)))


class Inverted(nn.Module):
    """MobileNetV2's block: wide, depthwise, narrow, and the input added; in between, if at all, MobileNetV3's `gate` of channels."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int = 1,
        act: Callable[[], nn.Module] = nn.ReLU6,
        gate: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        wide = 4 * inputs
        self.layers = nn.Sequential(
            conv(inputs, wide, 1, act=act),
            conv(wide, wide, act=act, stride=stride, groups=wide),
            *([gate(wide)] if gate else []),
            conv(wide, outputs, 1, act=None),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.adds else y


class HardGate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.less, self.more = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = functional.adaptive_avg_pool2d(x, 1)
        return x * functional.hardsigmoid(self.more(functional.relu(self.less(means))))


class SigmoidGate(HardGate):
    def forward(self, x: Tensor) -> Tensor:
        means = functional.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.more(functional.silu(self.less(means))))


class Together(nn.Module):
    """Concatenates what its parts make of the same input."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([part(x) for part in self.parts], 1)


class Shuffled(nn.Module):
    """ShuffleNetV2's block: half of the channels pass, the others are convolved, and both are interleaved."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.layers = nn.Sequential(
            conv(half, half, 1), conv(half, half, act=None, groups=half), conv(half, half, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        one, other = x.chunk(2, 1)
        both = torch.cat([one, self.layers(other)], 1)
        return both.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(conv(inputs, outputs, stride=stride), conv(outputs, outputs, act=None))
        same = inputs == outputs
        self.shortcut = nn.Identity() if same else conv(inputs, outputs, 1, act=None, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.layers(x) + self.shortcut(x))


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = conv(16, 16, act=None), conv(16, 16, act=nn.Sigmoid)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.one(x)) * self.other(x) - x


class Shifted(nn.Module):
    """Times a constant for each channel, and another one added, behind what no convolution takes in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("factor", torch.rand(1, channels, 1, 1) + 0.5)
        self.register_buffer("offset", torch.randn(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(x * self.factor + self.offset) * 0.7


class Resized(nn.Module):
    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode, self.small, self.large = mode, conv(16, 16, stride=2), conv(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.large(x) + functional.interpolate(self.small(x), scale_factor=2, mode=self.mode)


def _separable() -> nn.Module:
    return Classifier(
        conv(16, 16, groups=16),
        conv(16, 32, 1),
        conv(32, 64, stride=2, groups=32),
        conv(64, 32, 1),
        conv(32, 32, groups=32, dilation=2),
        conv(32, 64, 5, stride=2, groups=4),
        width=64,
    )


def _inverted() -> nn.Module:
    blocks = (Inverted(16, 16), Inverted(16, 16), Inverted(16, 24, 2), Inverted(24, 24))
    return Classifier(*blocks, conv(24, 64, 1, nn.ReLU6), width=64, act=nn.ReLU6)


def _hard_swish() -> nn.Module:
    hard = nn.Hardswish
    blocks = (
        Inverted(16, 16, act=hard, gate=HardGate),
        Inverted(16, 24, 2, hard),
        Inverted(24, 24, gate=HardGate),
    )
    return Classifier(*blocks, conv(24, 64, 1, hard), width=64, act=hard)


def _swish() -> nn.Module:
    soft = nn.SiLU
    blocks = (Inverted(16, 16, act=soft, gate=SigmoidGate), Inverted(16, 24, 2, soft))
    return Classifier(*blocks, conv(24, 64, 1, soft), width=64, act=soft)


def _concatenated() -> nn.Module:
    pooled = nn.Sequential(nn.AvgPool2d(3, 1, 1), conv(16, 8, 1))
    inception = Together(conv(16, 16, 1), conv(16, 16), pooled, nn.MaxPool2d(3, 1, 1))
    dense = Together(nn.Identity(), conv(32, 16))
    return Classifier(inception, conv(56, 32, 1), dense, conv(48, 32, 1, stride=2), width=32)


def _shuffled() -> nn.Module:
    return Classifier(Shuffled(16), Shuffled(16), conv(16, 32, stride=2), width=32)


def _pooled() -> nn.Module:
    uncounted = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
    return Classifier(
        nn.AvgPool2d(2),
        conv(16, 32),
        nn.MaxPool2d(3, 2, 1),
        conv(32, 32),
        uncounted,
        conv(32, 32),
        nn.AvgPool2d(4),
        width=32,
    )


def _residual() -> nn.Module:
    return Classifier(Residual(16, 16), Residual(16, 32, 2), Residual(32, 32), width=32)


def _gated() -> nn.Module:
    return Classifier(Gated(), conv(16, 32, stride=2), width=32)


class Attention(nn.Module):
    """A block of a vision transformer, on patches of 8x8 as tokens; and the classifier behind it."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.patches = heads, nn.Conv2d(3, width, 8, 8)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.all_three, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dense = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.joined(self._attended(self.norms[0](x)))
        x = x + self.wide(self.norms[1](x))
        return self.dense(x.mean(1))

    def _attended(self, x: Tensor) -> Tensor:
        parts = self.all_three(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = parts.unbind(0)
        shares = torch.softmax(queries @ keys.transpose(-1, -2) * queries.shape[-1] ** -0.5, -1)
        return (shares @ values).transpose(1, 2).flatten(2)


def _attention() -> nn.Module:
    return Attention()


def _shifted() -> nn.Module:
    return Classifier(Shifted(16), conv(16, 32, stride=2), nn.MaxPool2d(2), Shifted(32), width=32)


def _resized() -> nn.Module:
    return Classifier(Resized("nearest"), Resized("bilinear"), conv(16, 32, stride=2), width=32)


def _fitted(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """Random weights by a seed; batch norms with statistics of noise."""

    def made() -> nn.Module:
        torch.manual_seed(0)
        network = make().train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.3)
        with torch.no_grad():
            for _ in range(20):
                network(torch.randn(8, 3, SIZE, SIZE))
        return network.eval()

    return made


KINDS = {
    "separable": "depthwise with and without a multiplier, strides, dilation, groups",
    "inverted": "inverted residuals (MobileNetV2)",
    "hard_swish": "hard-swish and gates of channels (MobileNetV3)",
    "swish": "SiLU and gates by a sigmoid (EfficientNet)",
    "concatenated": "concatenations (Inception, DenseNet)",
    "shuffled": "interleaved channels (ShuffleNetV2)",
    "pooled": "average and maximum pooling, with padding too",
    "residual": "residual blocks (ResNet)",
    "gated": "tanh times sigmoid, and a difference",
    "resized": "nearest and bilinear resizing",
    "shifted": "products and sums with constants",
    "attention": "attention, norms, GELU (ViT)",
}
separable, inverted, hard_swish, swish = (_fitted(m) for m in (_separable, _inverted, _hard_swish, _swish))
concatenated, shuffled, pooled = (_fitted(m) for m in (_concatenated, _shuffled, _pooled))
residual, gated, resized = (_fitted(m) for m in (_residual, _gated, _resized))
shifted, attention = (_fitted(m) for m in (_shifted, _attention))
