"""What `edgeq finetune` makes smaller: ResNet-56 pruned, in few bits, and with zeros, beside static int8 of the whole network.

    python -m benchmarks.training.smaller [--settings prune=0.5 weight_bits=3,sparsity=0.6] [--model resnet56] [--epochs 4]
                                          [--images 20000] [--runtimes onnxruntime,litert] [--data ../shared/data] [--work DIR] [--json]

For each setting the network is trained without labels, with flips and shifts, exported for each runtime, and judged as that file: top-1
on the 1,000 images of `test_0`, bytes on the wire (edgeq, `xz -9`), and the time of an inference with one thread over that of int8 of
the whole network, in turns.
"""

import argparse
import contextlib
import json
import lzma
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import edgeq
from benchmarks.training.accuracy import save_images, top1
from benchmarks.training.train_classic import DATA
from edgeq.bundle.read import read_bundle
from edgeq.compress.pack import pack
from edgeq.loaded.model import LoadedModel
from edgeq.train.tuned_file import read_tuned
from tests.models import zoo

_ROUNDS = 300
_OPEN = {"max_drop": 100.0, "min_agreement": 0.0}  # the figures judge


@dataclass(frozen=True)
class Row:
    """`top1` in percent; sizes in bytes; `faster`: int8 of the whole network takes so many times as long."""

    setting: str
    runtime: str
    macs_share: float
    float_top1: float
    whole_top1: float
    top1: float
    float_bytes: int
    size: int
    packed: int
    xz: int
    faster: float
    train_s: float

    @property
    def times(self) -> float:
        return self.float_bytes / self.packed


def main() -> None:
    options = _options()
    with own_folder(options.work) as work:
        train = [f"train_batch_{i}" for i in range(-(-options.images // 1000))]
        save_images(work / "train.npz", options.data, train, options.images)
        save_images(work / "calibrate.npz", options.data, train[:1], options.images)
        save_images(work / "test.npz", options.data, ["test_0"], None)
        rows = [row for setting in options.settings for row in _rows(setting, options, work)]
    print(json.dumps([asdict(row) for row in rows], indent=2) if options.json else table(rows))


@contextlib.contextmanager
def own_folder(kept: Path | None) -> Iterator[Path]:
    """One that stays, in which an interrupted training goes on, or one of this run alone."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def table(rows: list[Row]) -> str:
    lines = [
        "| setting | runtime | MACs | float | int8 | top-1 | file | on the wire | under float | xz -9 | faster than int8 |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.setting} | {r.runtime} | {r.macs_share:.0%} | {r.float_top1:.1f} % | {r.whole_top1:.1f} % | {r.top1:.1f} % | {r.size:,} | "
        f"{r.packed:,} | {r.times:.1f}x | {r.xz:,} | {r.faster:.2f}x |"
        for r in rows
    ]
    return "\n".join(lines)


def _rows(setting: str, options: argparse.Namespace, work: Path) -> list[Row]:
    source = f"{zoo.MODELS / 'resnet_cifar.py'}:{options.model}"
    weights = next((options.data / "cifar10" / "resnet_torch").glob(f"{options.model}-*.th"))
    tuned, began = work / f"{setting}.pt", time.monotonic()
    if not tuned.exists():
        _train(source, weights, setting, options, tuned, work)
    seconds = time.monotonic() - began
    found = read_tuned(tuned)
    assert found is not None
    share = found.training.macs_share or 1.0
    rows = []
    for runtime in options.runtimes.split(","):
        networks = {
            way: _loaded(source, which, runtime, recipe, work)
            for way, which, recipe in (
                ("float", weights, "float"),
                ("whole", weights, "int8_static"),
                ("trained", tuned, "trained_static"),
            )
        }
        rows.append(_row(setting, runtime, share, networks, work, seconds))
    return rows


def _train(
    source: str, weights: Path, setting: str, options: argparse.Namespace, tuned: Path, work: Path
) -> None:
    given: dict[str, Any] = {
        name: float(value) for name, value in (part.split("=") for part in setting.split(","))
    }
    edgeq.finetune(
        source,
        weights=weights,
        data=work / "train.npz",
        target="x86-64-vnni",
        epochs=options.epochs,
        flip=True,
        crop=4,
        output=tuned,
        **given,
    )


def _loaded(source: str, weights: Path, runtime: str, recipe: str, work: Path) -> LoadedModel:
    converted = edgeq.convert(
        source,
        weights=weights,
        data=work / "calibrate.npz",
        target="x86-64-vnni",
        runtime=runtime,
        recipe=recipe,
        **_OPEN,
    )
    return edgeq.load(converted, candidate=f"{runtime}-{recipe}", threads=1)


def _row(
    setting: str, runtime: str, share: float, networks: dict[str, LoadedModel], work: Path, seconds: float
) -> Row:
    test = np.load(work / "test.npz")
    scores = {way: top1(np.asarray(network(test["x"])), test["labels"]) for way, network in networks.items()}
    content = _file(networks["trained"])
    return Row(
        setting,
        runtime,
        share,
        scores["float"],
        scores["whole"],
        scores["trained"],
        len(_file(networks["float"])),
        len(content),
        len(pack(content)),
        len(lzma.compress(content, preset=9)),
        _faster(networks["whole"], networks["trained"], test["x"][:1]),
        seconds,
    )


def _file(network: LoadedModel) -> bytes:
    """That the runtime loads."""
    with read_bundle(network.path) as bundle:
        [model] = [c.model for c in bundle.manifest.candidates if c.id == network.candidate]
        return bundle.artifact(model)


def _faster(whole: LoadedModel, trained: LoadedModel, x: np.ndarray) -> float:
    """The median of the first's time over that of the second's, in turns."""
    taken: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(_ROUNDS):
        for k, network in enumerate((whole, trained)):
            began = time.perf_counter()
            network(x)
            taken[k].append(time.perf_counter() - began)
    return median(taken[0]) / median(taken[1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--settings", nargs="+", default=["prune=0.5", "weight_bits=3,sparsity=0.6"])
    parser.add_argument("--model", default="resnet56")
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--runtimes", default="onnxruntime,litert")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument(
        "--work", type=Path, help="a folder for what is trained: an interrupted run goes on there"
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
