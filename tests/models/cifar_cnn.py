"""The classic small network for CIFAR-10: two 5x5 convolutions, three dense layers, as in LeCun et al. 1998 for digits.

`classic` has the sizes of PyTorch's tutorial (62,006 weights and biases), `wide` has five times as many channels.
"""

from torch import Tensor, nn
from torch.nn import functional


class ClassicCnn(nn.Module):
    """Images [N, 3, 32, 32] from -1 to 1; scores [N, 10]. `channels` of the convolutions, `hidden` units of the dense layers."""

    def __init__(self, channels: tuple[int, int] = (6, 16), hidden: tuple[int, int] = (120, 84)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels[0], 5)
        self.conv2 = nn.Conv2d(channels[0], channels[1], 5)
        self.fc1 = nn.Linear(channels[1] * 5 * 5, hidden[0])
        self.fc2 = nn.Linear(hidden[0], hidden[1])
        self.fc3 = nn.Linear(hidden[1], 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.relu(self.fc1(x.flatten(1)))
        return self.fc3(functional.relu(self.fc2(x)))


def classic() -> ClassicCnn:
    return ClassicCnn()


def wide() -> ClassicCnn:
    return ClassicCnn(channels=(30, 80))
