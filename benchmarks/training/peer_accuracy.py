"""How accurate ResNet-20 is after quantization-aware training by edgeq and by other quantizers, judged as the exported files.

    python -m benchmarks.training.peer_accuracy --cache DIR [--peers brevitas,nncf,torchao] [--bits W8A8,W4A8,W4A4,W3A3,W2A2]
                                                [--epochs 1] [--images 20000] [--trial-images 4000] [--label-share 0]
                                                [--threads 1] [--data ../shared/data] [--json]

From the float checkpoint, for all: the same training and validation images, batches, flips and shifts, float teacher, loss, number of steps
and shape of the learning rate; of all evaluations, the first of which is before training, the best is kept. The first and the last layer
have 8 bits. A peer (peers/NAME.py) is trained by peer_train.py in an environment of its own (built once below `--cache`), with the better of
two settings by `--trial-images`, and writes its file by its own exporter; edgeq has its defaults. Judged on the 1,000 images of `test_0`, on
onnxruntime, one at a time: top-1 of the file before and after training, of the trained torch network, and on how many images both say the
same class; and on how many the file says the same class as float. edgeq's torch network is read from its file.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import edgeq
from benchmarks.quantization.environment import NotBuilt, environment
from benchmarks.training.accuracy import AIMS, model_in, save_images, scores_of, setting_of, top1
from benchmarks.training.peer_train import float_resnet20
from benchmarks.training.train_classic import DATA
from edgeq.train.quantized_network import QuantizedNetwork

PEERS = Path(__file__).resolve().parent / "peers"
BITS = {
    "brevitas": tuple(AIMS),
    "nncf": ("W8A8",),
    "torchao": ("W8A8",),
}  # that they quantize a convolution to
_BATCH, _CROP, _SEED, _TEMPERATURE = 128, 4, 0, 2.0  # of edgeq.finetune's defaults and accuracy.py


@dataclass(frozen=True)
class Row:
    """Percent on `test_0`. `start_top1` and `file_top1`: of the files before and after training, None where the exporter failed,
    and `error` says how; `same`: images of which file and torch network say the same class. `only_here` and `only_edgeq`: images that only
    this file, or only edgeq's, has right. `as_float`: images of which the file and the float network say the same class. `tried`: validation losses of a peer's settings.
    """

    who: str
    bits: str
    setting: str
    start_top1: float | None
    file_top1: float | None
    torch_top1: float
    same: float | None
    as_float: float
    only_here: int | None
    only_edgeq: int | None
    cpu_s: float
    tried: dict[str, float]
    error: str | None = None

    @property
    def judged(self) -> float:
        return self.torch_top1 if self.file_top1 is None else self.file_top1


@dataclass(frozen=True)
class Trained:
    """The class scores of files and torch network, [n, classes]."""

    who: str
    setting: str
    start: np.ndarray | None
    file: np.ndarray | None
    torch: np.ndarray
    cpu_s: float
    tried: dict[str, float]
    error: str | None = None


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        train = [f"train_batch_{i}" for i in range(-(-options.images // 1000))]
        save_images(work / "train.npz", options.data, train, options.images)
        save_images(work / "test.npz", options.data, ["test_0"], None)
        for bits in options.bits.split(","):
            rows += _rows(bits, options, work)
            print(table(rows), file=sys.stderr, flush=True)
    print(json.dumps([asdict(row) for row in rows], indent=2) if options.json else table(rows))


def _rows(bits: str, options: argparse.Namespace, work: Path) -> list[Row]:
    test = np.load(work / "test.npz")
    own, floats = of_edgeq(bits, options, work, test["x"]), float_scores(options, test["x"])
    found = [own]
    for name in options.peers:
        if bits in BITS[name]:
            made = of_peer(name, bits, options, work, test["x"])
            found += [made] if made is not None else []
    return [row(bits, trained, own, floats, test["labels"]) for trained in found]


def row(bits: str, trained: Trained, own: Trained, floats: np.ndarray, labels: np.ndarray) -> Row:
    file, assumed = trained.file, trained.torch if trained.file is None else trained.file
    here, edgeqs = assumed.argmax(1) == labels, own.file.argmax(1) == labels
    return Row(
        trained.who,
        bits,
        trained.setting,
        None if trained.start is None else top1(trained.start, labels),
        None if file is None else top1(file, labels),
        top1(trained.torch, labels),
        None if file is None else top1(file, trained.torch.argmax(1)),
        top1(assumed, floats.argmax(1)),
        None if trained is own else int((here & ~edgeqs).sum()),
        None if trained is own else int((edgeqs & ~here).sum()),
        trained.cpu_s,
        trained.tried,
        trained.error,
    )


def float_scores(options: argparse.Namespace, x: np.ndarray) -> np.ndarray:
    net = float_resnet20(checkpoint(options))
    with torch.no_grad():
        return torch.cat([net(part) for part in torch.from_numpy(x).split(100)]).numpy()


def checkpoint(options: argparse.Namespace) -> Path:
    return options.data.resolve() / "cifar10" / "resnet_torch" / "resnet20-12fca82f.th"


def of_edgeq(bits: str, options: argparse.Namespace, work: Path, x: np.ndarray) -> Trained:
    source, given = setting_of(bits, options, work)
    edgeq.finetune(source, **given, epochs=0, output=work / "start.pt")
    cpu = time.process_time()
    edgeq.finetune(
        source, **given, epochs=options.epochs, label_share=options.label_share, output=work / "tuned.pt"
    )
    used = time.process_time() - cpu
    start, made = model_in(work / "start.pt"), model_in(work / "tuned.pt")
    network = QuantizedNetwork(made, {}).eval()
    with torch.no_grad():
        outputs = torch.cat([network(part)[0] for part in torch.from_numpy(x).split(100)]).numpy()
    return Trained("edgeq", "default", scores_of(start, x), scores_of(made, x), outputs, used, {})


def of_peer(name: str, bits: str, options: argparse.Namespace, work: Path, x: np.ndarray) -> Trained | None:
    """None where it cannot run, with the reason on stderr."""
    folder = work / f"{name}-{bits}"
    folder.mkdir()
    (folder / "job.json").write_text(json.dumps(_job(name, bits, options, work, folder)))
    try:
        python = environment(name, options.cache.resolve(), install=True, peers=PEERS)
    except NotBuilt as error:
        print(f"{name}: {error}", file=sys.stderr)
        return None
    command = [str(python), "-I", str(PEERS.parent / "peer_train.py"), str(folder / "job.json")]
    extensions = {"TORCH_EXTENSIONS_DIR": str(options.cache.resolve() / "torch_extensions")}
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **extensions})
    if ended.returncode:
        print(f"{name}, {bits}: ended with {ended.returncode}, for the reason above", file=sys.stderr)
        return None
    said, outputs = json.loads(ended.stdout.splitlines()[-1]), np.load(folder / "outputs.npz")
    start, file = (_scores_of(folder / f"{which}.onnx", x) for which in ("start", "trained"))
    error = said["errors"].get("trained")
    return Trained(
        name, said["setting"], start, file, outputs["trained"], said["cpu_s"], said["tried"], error
    )


def _job(name: str, bits: str, options: argparse.Namespace, work: Path, folder: Path) -> dict[str, Any]:
    weights, activations = (int(part) for part in bits[1:].split("A"))
    return {
        "peer": name,
        "bits": bits,
        "weight_bits": weights,
        "activation_bits": activations,
        "train": str(work / "train.npz"),
        "test": str(work / "test.npz"),
        "folder": str(folder),
        "checkpoint": str(checkpoint(options)),
        "epochs": options.epochs,
        "trial_images": options.trial_images,
        "batch": _BATCH,
        "crop": _CROP,
        "seed": _SEED,
        "temperature": _TEMPERATURE,
        "label_share": options.label_share,
        "threads": options.threads,
    }


def _scores_of(path: Path, x: np.ndarray) -> np.ndarray | None:
    return scores_of(onnx.load(path), x) if path.is_file() else None


def table(rows: list[Row]) -> str:
    lines = [
        "| bits | who, setting | post-training | trained | in torch | same class in torch | in float | edgeq's lead (right in edgeq's alone, in this alone) | CPU |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lead = "-"
        if row.only_edgeq is not None and row.only_here is not None:
            lead = f"{(row.only_edgeq - row.only_here) / 10:+.1f} ({row.only_edgeq}, {row.only_here})"
        lines.append(
            f"| {row.bits} | {row.who}, {row.setting} | {_percent(row.start_top1)} | {_percent(row.file_top1)} "
            f"| {_percent(row.torch_top1)} | {_percent(row.same)} | {_percent(row.as_float)} | {lead} | {row.cpu_s:.0f} s |"
        )
    failed = [
        f"{row.who}, {row.bits}: judged in torch, for its exporter failed: {row.error}"
        for row in rows
        if row.error
    ]
    return "\n".join([*lines, *failed])


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1f} %"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True, help="where the environments of the peers are")
    parser.add_argument("--peers", type=lambda words: words.split(","), default=list(BITS))
    parser.add_argument("--bits", default=",".join(AIMS))
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--trial-images", type=int, default=4_000, help="that a peer's setting is chosen by")
    parser.add_argument("--label-share", type=float, default=0.0, help="of the labels in the loss")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(device="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
