"""What `edgeq data` says of samples that are right, and of the same samples stored in a wrong way.

    .venv/bin/python -m benchmarks.data_checks [--only resnet8,resnet20] [--json]

Real `edgeq data` processes, each with its time by the clock and of the CPU, which a busy machine disturbs less. The right data sets are those of tests/models/zoo.py and two .tflite
files under their documented preprocessing, whole and in part, with labels and without: none may be warned about. The faults:
values 255 times too small and too large, channels reversed, rows and columns exchanged, shape and bytes of the other layout,
labels one off, one class alone, gray images, one NaN. Needs ../shared/data or $EDGEQ_DATA, torch and ai-edge-litert.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.own_home import ROOT, data_folder, own_home
from edgeq.ingest.folder import open_folder
from edgeq.ingest.preprocess import parse
from tests.models import zoo

TFLITE = {
    "resnet8.tflite": "ic_pretrainedResnet.tflite",
    "resnet8.int8.tflite": "ic_pretrainedResnet_quant.tflite",
}
MODELS = ("resnet8", "resnet20", "kws", "mnist", "mobilenet_v2", "ultraface", "fastestdet", *TFLITE)
MOST = 160  # images of those that are read from files


@dataclass(frozen=True)
class Case:
    """`words` name model and weights; `array` [samples, ...] is the model's input, its channels on axis `axis`."""

    name: str
    words: tuple[str, ...]
    key: str
    array: np.ndarray
    labels: np.ndarray | None
    axis: int


@dataclass(frozen=True)
class Result:
    """`kinds` of findings, "refused" for an error; `seconds` of the whole process by the clock, `cpu_seconds` of all processors."""

    model: str
    data: str
    labelled: bool
    kinds: tuple[str, ...]
    exit_code: int
    seconds: float
    cpu_seconds: float


def main() -> None:
    options = _options()
    results: list[Result] = []
    with own_home(), tempfile.TemporaryDirectory() as name:
        for model in options.only:
            case = _case(model, data_folder(), Path(name) / model)
            for data, labelled, arrays in (*_right(case), *_wrong(case)):
                results.append(_asked(case, data, labelled, arrays, Path(name)))
                print(_line(results[-1]), file=sys.stderr, flush=True)
    print(json.dumps([asdict(r) for r in results], indent=2) if options.json else _document(results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=lambda text: tuple(text.split(",")), default=MODELS)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _case(name: str, data: Path, folder: Path) -> Case:
    entry = zoo.prepare(name.partition(".")[0], data, folder)
    options = dict(zip(entry.words[1::2], entry.words[2::2], strict=True))
    words = [entry.words[0] if name not in TFLITE else str(data / "mlperf_tiny" / TFLITE[name])]
    words += [word for flag in ("--weights", "--shape") if flag in options for word in (flag, options[flag])]
    if "--preprocess" in options:
        array, labels = _of_images(Path(options["--data"]), options["--preprocess"])
        return Case(name, tuple(words), "x", array, labels, 1)
    with np.load(options["--data"]) as stored:
        key = next(k for k in stored.files if k != "labels")
        array, labels = stored[key], stored["labels"]
    if name in TFLITE:
        array = np.ascontiguousarray(array.transpose(0, 2, 3, 1))
    return Case(name, tuple(words), "x" if name in TFLITE else key, array, labels, 3 if name in TFLITE else 1)


def _of_images(folder: Path, preprocess: str) -> tuple[np.ndarray, np.ndarray | None]:
    stored, contract = open_folder(folder), parse(preprocess)
    count = min(MOST, len(stored.keys))
    images = [preprocess(stored.read(i)[""], contract, stored.name(i)) for i in range(count)]
    return np.stack(images), None if stored.truth is None else stored.truth[:count]


Data = tuple[str, bool, dict[str, np.ndarray]]


def _right(case: Case) -> Iterator[Data]:
    count = len(case.array)
    parts = {
        "all": slice(None),
        "every third": slice(1, None, 3),
        "first 40": slice(40),
        "last half": slice(count // 2, None),
    }
    for name, part in parts.items():
        yield f"right, {name}", False, {case.key: case.array[part]}
        if case.labels is not None:
            yield f"right, {name}", True, {case.key: case.array[part], "labels": case.labels[part]}


def _wrong(case: Case) -> Iterator[Data]:
    for name, spoil in _spoilt(case).items():
        array = np.ascontiguousarray(spoil(case.array), case.array.dtype)
        for labelled in (False, True) if case.labels is not None else (False,):
            more = {"labels": case.labels} if labelled and case.labels is not None else {}
            yield name, labelled, {case.key: array, **more}
    bad = case.array.copy()
    bad[len(bad) // 2].reshape(-1)[7] = np.nan
    yield "one NaN", False, {case.key: bad}
    if case.labels is not None:
        classes = int(case.labels.max()) + 1
        yield "labels one off", True, {case.key: case.array, "labels": (case.labels + 1) % classes}
        most = np.bincount(case.labels).argmax()
        alike = case.labels == most
        if alike.sum() >= 16:
            yield "one class", False, {case.key: case.array[alike]}
            yield "one class", True, {case.key: case.array[alike], "labels": case.labels[alike]}


def _spoilt(case: Case) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    spoilt: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "255 times too small": lambda x: x / 255,
        "255 times too large": lambda x: x * 255,
    }
    if case.array.shape[case.axis] != 3:
        return spoilt
    other = (0, 2, 3, 1) if case.axis == 1 else (0, 3, 1, 2)
    return spoilt | {
        "channels reversed": lambda x: np.flip(x, case.axis),
        "shape of the other layout": lambda x: x.transpose(other),
        "bytes of the other layout": lambda x: x.transpose(other).reshape(x.shape),
        "gray": lambda x: np.broadcast_to(x.mean(case.axis, keepdims=True), x.shape),
    }


def _asked(case: Case, data: str, labelled: bool, arrays: dict[str, np.ndarray], folder: Path) -> Result:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    command = [sys.executable, "-m", "edgeq", "data", *case.words, "--data", str(path), "--json"]
    start, before = time.monotonic(), _cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    seconds = time.monotonic() - start
    document = json.loads(done.stdout)
    error = document.get("error")
    kinds = ("refused",) if error else tuple(f["kind"] for f in document["findings"])
    if error and error["kind"] != "DataRefused":
        raise SystemExit(f"{case.name}, {data}: {error['what']}")
    return Result(case.name, data, labelled, kinds, done.returncode, seconds, _cpu_seconds() - before)


def _cpu_seconds() -> float:
    """Of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _line(r: Result) -> str:
    return f"{r.model}: {r.data}{', labelled' if r.labelled else ''}: {', '.join(r.kinds) or '-'} ({r.seconds:.1f} s, {r.cpu_seconds:.1f} s of CPU)"


def _document(results: list[Result]) -> str:
    right = [r for r in results if r.data.startswith("right")]
    warned = [r for r in right if r.kinds]
    lines = [f"{len(right)} right data sets, {len(warned)} warned about", *map(_line, warned), ""]
    faults = list(dict.fromkeys(r.data for r in results if r not in right))
    models = list(dict.fromkeys(r.model for r in results))
    lines += [f"| {' | '.join(('fault', *models))} |", f"|{' --- |' * (len(models) + 1)}"]
    for fault in faults:
        lines.append(f"| {' | '.join((fault, *(_cell(results, fault, model) for model in models)))} |")
    slowest = max(results, key=lambda r: r.cpu_seconds)
    return "\n".join(
        [*lines, "", "times are of the CPU; exit code 11 is marked with !", f"slowest: {_line(slowest)}"]
    )


def _cell(results: list[Result], fault: str, model: str) -> str:
    """What was found without labels, and with labels."""
    found = [r for r in results if (r.data, r.model) == (fault, model)]
    parts = [
        f"{'labelled: ' if r.labelled else ''}{', '.join(r.kinds) or 'nothing'}{'!' if r.exit_code else ''} {r.cpu_seconds:.1f} s"
        for r in found
    ]
    return "<br>".join(parts) or "-"


if __name__ == "__main__":
    main()
