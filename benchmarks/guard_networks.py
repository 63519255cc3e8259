"""Small torch networks with seeded weights, each of a kind that takes a path of its own through quantization."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

Array = np.ndarray


def attention() -> nn.Module:
    return nn.Sequential(
        nn.TransformerEncoderLayer(48, 4, 96, dropout=0.0, activation="gelu", batch_first=True),
        nn.Flatten(),
        nn.Linear(16 * 48, 10),
    )


class Gru(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(24, 64, batch_first=True), nn.Linear(64, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.gru(x)[0][:, -1])


class Text(nn.Module):
    """A tied embedding: its table is the head's weight too."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.lstm = nn.Embedding(200, 48), nn.LSTM(48, 48, batch_first=True)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.lstm(self.table(tokens))[0] @ self.table.weight.T


def mobile() -> nn.Module:
    """Depthwise and squeezed convolutions of uneven channels: what equalization and small_convs are for."""

    def block(channels: int, out: int) -> list[nn.Module]:
        depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        with torch.no_grad():
            depthwise.weight *= torch.logspace(-1.5, 1, channels)[:, None, None, None]
        return [depthwise, nn.ReLU6(), nn.Conv2d(channels, out, 1), nn.Hardswish()]

    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), *block(16, 24), *block(24, 32),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10), nn.Softmax(-1),
    )  # fmt: skip


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.LayerNorm(256), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 64), nn.SiLU(), nn.Linear(64, 8)
    )


def _normal(*shape: int) -> Callable[[np.random.Generator], Array]:
    return lambda rng: rng.normal(size=(96, *shape)).astype(np.float32)


_NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[np.random.Generator], Array]]] = {
    "attention": (attention, _normal(16, 48)),
    "gru": (Gru, _normal(12, 24)),
    "text": (Text, lambda rng: rng.integers(0, 200, (96, 10))),
    "mobile": (mobile, _normal(3, 32, 32)),
    "mlp": (mlp, _normal(256)),
}


def names() -> tuple[str, ...]:
    return tuple(_NETWORKS)


def network(name: str) -> tuple[nn.Module, Array]:
    """The module in evaluation, and 96 samples."""
    module, samples = _NETWORKS[name]
    torch.manual_seed(0)
    return module().eval(), samples(np.random.default_rng(0))
