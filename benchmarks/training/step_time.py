"""How long a training step with fake quantization takes, beside a float step of the same network: at most 2 times is the aim.

    python -m benchmarks.training.step_time [--steps 10] [--batch 128] [--threads 2] [--nchw] [--json]

ResNet-20 on random images: forward, backward and one step of SGD, in torch's channels-last format unless `--nchw`. "torch's
kernels" are those of torch's own fake quantization with learned scales, in the same places. Float and quantized steps alternate in one process, after
one of each that is not counted. The ratio is the median of those of two neighbouring steps, in CPU time of the process (which
other load disturbs less) and in wall time.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.quiet import sentence, watched
from benchmarks.training.quantized_resnet import QuantizedResNet
from benchmarks.training.torch_kernels import TORCH
from tests.models.resnet_cifar import resnet20

AIM = 2.0


@dataclass(frozen=True)
class Times:
    """Seconds of each step."""

    network: str
    cpu_s: tuple[float, ...]
    wall_s: tuple[float, ...]


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    with watched() as reasons:
        times = measure(networks(), options.batch, options.steps, not options.nchw)
    if options.json:
        print(json.dumps({"times": [asdict(t) for t in times], "not_quiet": reasons}, indent=2))
    else:
        print(table(times, reasons))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--nchw", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def networks() -> dict[str, nn.Module]:
    """Float comes first."""
    return {
        "float": resnet20(),
        "8 bits": QuantizedResNet(resnet20()),
        "4 bits": QuantizedResNet(resnet20(), bits=4, activation_bits=4),
        "torch's kernels": QuantizedResNet(resnet20(), kind=TORCH),
    }


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


def table(times: list[Times], reasons: list[str]) -> str:
    lines = [f"{'median of a step':<18}{'CPU':>10}{'wall':>10}{'CPU ratio':>12}{'wall ratio':>12}"]
    for t in times:
        cpu, wall = (ratio(t, times[0], kind) for kind in ("cpu_s", "wall_s"))
        lines.append(
            f"{t.network:<18}{1000 * median(t.cpu_s):>7.0f} ms{1000 * median(t.wall_s):>7.0f} ms{cpu:>12.2f}{wall:>12.2f}"
        )
    worst = max(ratio(t, times[0], "cpu_s") for t in times if t.network.endswith("bits"))
    state = "met" if worst < AIM else "NOT MET"
    return "\n".join([*lines, f"aim: below {AIM:g} times a float step: {state}; {sentence(reasons)}"])


def ratio(t: Times, to: Times, kind: str) -> float:
    pairs = zip(getattr(t, kind), getattr(to, kind), strict=True)
    return median(a / b for a, b in pairs)


if __name__ == "__main__":
    main()
