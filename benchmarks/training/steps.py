"""Times training steps of several networks, which alternate. Torch alone: it runs in a peer's environment too."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class Times:
    """Seconds of each step."""

    network: str
    cpu_s: tuple[float, ...]
    wall_s: tuple[float, ...]


def measure(nets: dict[str, nn.Module], batch: int, steps: int, channels_last: bool) -> list[Times]:
    form = torch.channels_last if channels_last else torch.contiguous_format
    images = torch.randn(batch, 3, 32, 32).contiguous(memory_format=form)
    labels = torch.randint(10, (batch,))
    each = {name: step_of(net.to(memory_format=form), images, labels) for name, net in nets.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in nets}
    for number in range(steps + 1):
        for name, step in each.items():
            cpu, wall = time.process_time(), time.perf_counter()
            step()
            if number:
                taken[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return [Times(name, *zip(*took, strict=True)) for name, took in taken.items()]


def step_of(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(net(images), labels).backward()
        optimizer.step()

    return step
