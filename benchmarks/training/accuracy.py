"""How accurate ResNet-20 is at few bits after `edgeq finetune`, judged as the exported file on onnxruntime.

    python -m benchmarks.training.accuracy [--bits W8A8,W4A8,W4A4,W3A3,W2A2,W1A8:binary] [--epochs 4] [--images 20000]
                                           [--threads 2] [--device cpu] [--data ../shared/data] [--json]

From the float checkpoint, on CIFAR-10's train images at hand, with flips and shifts and without labels; top-1 on the 1,000 images of
`test_0`, of float, of post-training quantization and of what was trained. The aims are those of what is published for this
network (LSQ, APoT), in points below float.
"""

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

import edgeq
from benchmarks.training.train_classic import DATA
from edgeq.graphs.ort_session import ort_session
from edgeq.train.tuned_file import read_tuned
from tests.models import zoo

AIMS = {"W8A8": 0.2, "W4A8": 0.5, "W4A4": 1.0, "W3A3": 2.0, "W2A2": 4.0}
_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@dataclass(frozen=True)
class Row:
    """Top-1 in percent on `test_0`; seconds of wall and of CPU time for the training."""

    bits: str
    float_top1: float
    quantized_top1: float
    trained_top1: float
    aim: float | None
    epochs: float
    wall_s: float
    cpu_s: float

    @property
    def met(self) -> str:
        if self.aim is None:
            return "-"
        return "yes" if self.trained_top1 >= self.float_top1 - self.aim else "no"


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        train = [f"train_batch_{i}" for i in range(-(-options.images // 1000))]
        save_images(work / "train.npz", options.data, train, options.images)
        save_images(work / "test.npz", options.data, ["test_0"], None)
        rows = [_row(bits, options, work) for bits in options.bits.split(",")]
    print(json.dumps([asdict(row) for row in rows], indent=2) if options.json else table(rows))


def table(rows: list[Row]) -> str:
    lines = [
        "| bits | float | post-training | trained | aim | met | epochs | wall, CPU |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        aim = "-" if row.aim is None else f"{row.float_top1 - row.aim:.1f} %"
        lines.append(
            f"| {row.bits} | {row.float_top1:.1f} % | {row.quantized_top1:.1f} % | {row.trained_top1:.1f} % | {aim} | {row.met} "
            f"| {row.epochs:g} | {row.wall_s:.0f} s, {row.cpu_s:.0f} s |"
        )
    return "\n".join(lines)


def _row(bits: str, options: argparse.Namespace, work: Path) -> Row:
    source, given = setting_of(bits, options, work)
    edgeq.finetune(source, **given, epochs=0, output=work / "start.pt")
    began, cpu = time.monotonic(), time.process_time()
    edgeq.finetune(source, **given, epochs=options.epochs, output=work / "tuned.pt")
    wall, used = time.monotonic() - began, time.process_time() - cpu
    floats = edgeq.load(
        edgeq.convert(source, weights=given["weights"], data=work / "test.npz", recipe="float")
    )
    test = np.load(work / "test.npz")
    return Row(
        bits,
        top1(np.asarray(floats(test["x"])), test["labels"]),
        top1(scores_of(model_in(work / "start.pt"), test["x"]), test["labels"]),
        top1(scores_of(model_in(work / "tuned.pt"), test["x"]), test["labels"]),
        AIMS.get(bits),
        options.epochs,
        wall,
        used,
    )


def setting_of(bits: str, options: argparse.Namespace, work: Path) -> tuple[str, dict[str, Any]]:
    """The model, and what `edgeq.finetune` is given but for the epochs and where to write."""
    name, _, levels = bits.partition(":")
    weights, activations = (int(part) for part in name[1:].split("A"))
    given = {
        "weights": options.data / "cifar10" / "resnet_torch" / "resnet20-12fca82f.th",
        "data": work / "train.npz",
        "target": "x86-64-vnni",
        "weight_bits": None if levels in ("binary", "ternary") else weights,
        "activation_bits": activations,
        "levels": levels or None,
        "flip": True,
        "crop": 4,
        "device": options.device,
    }
    source = f"{zoo.MODELS / 'resnet_cifar.py'}:resnet20"
    return source, given


def model_in(tuned: Path) -> onnx.ModelProto:
    found = read_tuned(tuned)
    assert found is not None
    return onnx.load_from_string(found.model)


def scores_of(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """[n, classes] on onnxruntime, one sample at a time."""
    session = ort_session(model, threads=1)
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[i : i + 1]})[0] for i in range(len(x))])


def top1(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(scores.argmax(axis=1) == labels) * 100)


def save_images(path: Path, data: Path, batches: list[str], most: int | None) -> None:
    images, labels = zoo.cifar(data, batches=tuple(batches))
    x = ((images[:most] / 255.0 - _MEAN) / _STD).astype(np.float32).transpose(0, 3, 1, 2)
    np.savez(path, x=x, labels=labels[:most])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bits", default=",".join(AIMS))
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
