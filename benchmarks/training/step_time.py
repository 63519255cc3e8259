"""How long a training step with fake quantization takes, beside a float step of the same network: at most 2 times is the aim.

    python -m benchmarks.training.step_time [--steps 10] [--batch 128] [--threads 2] [--nchw] [--json]
                                            [--file RESNET20.onnx] [--peers brevitas,torchao,nncf --cache DIR]

ResNet-20 on random images: forward, backward and one step of SGD, in torch's channels-last format unless `--nchw`. "torch's
kernels" are those of torch's own fake quantization with learned scales, in the same places. Float and quantized steps
alternate in one process, after one of each that is not counted. The ratio is the median of those of two neighbouring steps, in
CPU time of the process (which other load disturbs less) and in wall time.

`--file`: an int8 ONNX file of edgeq's for the same network (`edgeq convert`, then model.onnx of a candidate in the bundle), as
`edgeq finetune` trains it.

A peer (peers/NAME.py) prepares the same network in its own way, in an environment that is built once below `--cache` from
peers/NAME.txt; its ratio is to the float steps between its own.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import median

import onnx
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.quantization.environment import NotBuilt, environment
from benchmarks.quiet import sentence, watched
from benchmarks.training.quantized_resnet import QuantizedResNet
from benchmarks.training.steps import Times, measure
from benchmarks.training.torch_kernels import TORCH
from edgeq.train.quantized_network import QuantizedNetwork
from tests.models.resnet_cifar import resnet20

PEERS = Path(__file__).resolve().parent / "peers"
AIM = 2.0

Row = tuple[Times, float, float]  # and the ratios to float, of CPU and of wall time


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    with watched() as reasons:
        rows = beside_float(measure(networks(options.file), options.batch, options.steps, not options.nchw))
        for name in options.peers:
            rows += of_peer(name, options)
    if options.json:
        plain = [{**asdict(t), "cpu_ratio": cpu, "wall_ratio": wall} for t, cpu, wall in rows]
        print(json.dumps({"times": plain, "not_quiet": reasons}, indent=2))
    else:
        print(table(rows, reasons))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--nchw", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--peers", type=lambda words: words.split(","), default=[])
    parser.add_argument("--cache", type=Path, help="where the environments of the peers are")
    options = parser.parse_args()
    if options.peers and options.cache is None:
        parser.error("--peers needs --cache")
    return options


class FirstOutput(nn.Module):
    """Of a network that returns a tuple."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)[0]


def networks(file: Path | None) -> dict[str, nn.Module]:
    """Float comes first."""
    found: dict[str, nn.Module] = {
        "float": resnet20(),
        "8 bits": QuantizedResNet(resnet20()),
        "4 bits": QuantizedResNet(resnet20(), bits=4, activation_bits=4),
        "torch's kernels": QuantizedResNet(resnet20(), kind=TORCH),
    }
    if file is not None:
        found["the file, 8 bits"] = FirstOutput(QuantizedNetwork(onnx.load(file), {}).train())
    return found


def beside_float(times: list[Times]) -> list[Row]:
    return [(t, ratio(t.cpu_s, times[0].cpu_s), ratio(t.wall_s, times[0].wall_s)) for t in times]


def of_peer(name: str, options: argparse.Namespace) -> list[Row]:
    """Its row, or none where it cannot run, with the reason on stderr."""
    form = "nchw" if options.nchw else "channels_last"
    given = [name, *map(str, (options.steps, options.batch, options.threads)), form]
    try:
        python = environment(name, options.cache.resolve(), install=True, peers=PEERS)
    except NotBuilt as error:
        print(f"{name}: {error}", file=sys.stderr)
        return []
    command = [str(python), "-I", str(PEERS.parent / "peer_step.py"), *given]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        print(f"{name}: {ended.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return []
    times = json.loads(ended.stdout.splitlines()[-1])
    return beside_float([Times(t["network"], tuple(t["cpu_s"]), tuple(t["wall_s"])) for t in times])[1:]


def ratio(times: tuple[float, ...], to: tuple[float, ...]) -> float:
    return median(a / b for a, b in zip(times, to, strict=True))


def table(rows: list[Row], reasons: list[str]) -> str:
    lines = [f"{'median of a step':<18}{'CPU':>10}{'wall':>10}{'CPU ratio':>12}{'wall ratio':>12}"]
    for t, cpu, wall in rows:
        took = f"{1000 * median(t.cpu_s):>7.0f} ms{1000 * median(t.wall_s):>7.0f} ms"
        lines.append(f"{t.network:<18}{took}{cpu:>12.2f}{wall:>12.2f}")
    worst = max(cpu for t, cpu, _ in rows if t.network.endswith("bits"))
    state = "met" if worst < AIM else "NOT MET"
    return "\n".join([*lines, f"aim: below {AIM:g} times a float step: {state}; {sentence(reasons)}"])


if __name__ == "__main__":
    main()
