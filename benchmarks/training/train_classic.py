"""Trains the classic small CIFAR-10 network (tests/models/cifar_cnn.py) in float: at least 60 % in a few minutes is the aim.

    python -m benchmarks.training.train_classic [--network classic] [--epochs 24] [--batches 20] [--threads 1] [-o weights.pt]

On the 20,000 images of shared/data, 1,000 of them held out for validation, by the parts of edgeq.train: mini-batches, augmentation,
schedule, early stop. One thread: the layers are too small for more. The best epoch by validation is judged on the 1,000 images of `test_0`, which nothing was chosen by,
and written as a state_dict.
"""

import argparse
import copy
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from edgeq.train.augment import Augmentation
from edgeq.train.batches import Batches, training_data
from edgeq.train.early_stop import EarlyStop
from edgeq.train.schedule import CosineSchedule
from tests.models import cifar_cnn
from tests.models.zoo import cifar

AIM = 60.0
DATA = Path(os.environ.get("EDGEQ_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@dataclass(frozen=True)
class Images:
    """`x` [n, 3, 32, 32] from -1 to 1."""

    x: np.ndarray
    labels: np.ndarray

    @property
    def count(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[np.ndarray, ...]:
        return (self.x[i : i + 1],)


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    network = getattr(cifar_cnn, options.network)()
    start = time.monotonic()
    best = train(network, images(options.data, _train(options.batches)), options)
    network.load_state_dict(best)
    test = images(options.data, ("test_0",))
    score = accuracy(network, training_data(test, size=500).train.stored, test.labels)
    print(
        f"{options.network}: top-1 {score:.1f} % on {test.count:,} test images, aim {AIM:.0f}; "
        f"{sum(p.numel() for p in network.parameters()):,} parameters, {time.monotonic() - start:.0f} s"
    )
    if options.output:
        torch.save(best, options.output)


def _train(batches: int) -> tuple[str, ...]:
    return tuple(f"train_batch_{number}" for number in range(batches))


def images(data: Path, batches: tuple[str, ...]) -> Images:
    pixels, labels = cifar(data, batches)
    return Images((pixels.transpose(0, 3, 1, 2) / np.float32(127.5) - 1).astype(np.float32), labels)


def train(network: nn.Module, samples: Images, options: argparse.Namespace) -> dict[str, Any]:
    """The state of the epoch that was best on the validation images."""
    data = training_data(samples, size=64, seed=options.seed, augmentation=Augmentation(flip=True, crop=3))
    steps = options.epochs * data.train.steps
    schedule = CosineSchedule(0.05, steps, warmup=steps // 20)
    optimizer = torch.optim.SGD(network.parameters(), lr=schedule.at(0), momentum=0.9, weight_decay=5e-4)
    stop, best = EarlyStop(patience=options.epochs // 2), copy.deepcopy(network.state_dict())
    for epoch in range(options.epochs):
        network.train()
        for step, batch in enumerate(data.train.epoch(epoch)):
            optimizer.param_groups[0]["lr"] = schedule.at(epoch * data.train.steps + step)
            optimizer.zero_grad()
            functional.cross_entropy(network(*batch.inputs), batch.labels).backward()
            optimizer.step()
        stop = stop.seen(_validated(network, data.validation))
        print(f"epoch {epoch + 1}: validation {stop.best:.1f} % at best", file=sys.stderr)
        if stop.improved:
            best = copy.deepcopy(network.state_dict())
        if stop.stops:
            break
    return best


def _validated(network: nn.Module, validation: Batches) -> float:
    return accuracy(network, validation.stored, validation.labels, validation.positions)


def accuracy(network: nn.Module, stored: Any, labels: np.ndarray, positions: Any = None) -> float:
    """Top-1 in percent."""
    chosen = np.arange(len(labels)) if positions is None else positions
    network.eval()
    with torch.no_grad():
        (x,) = stored.at(chosen)
        right = network(x).argmax(1).numpy() == labels[chosen]
    return 100.0 * float(right.mean())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=("classic", "wide"), default="classic")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--batches", type=int, default=20, help="of 1,000 images each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("-o", "--output", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
