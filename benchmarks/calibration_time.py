"""Processor time to calibrate by min-max and write the file, nothing else: edgeq beside onnxruntime's quantize_static.

    python -m benchmarks.calibration_time [--only resnet56,mobilenet_v2] [--pairs 6] [--samples N] [--json]

The same samples and one thread, a process for each figure, both in turn and each first in turn; the ratio is that of
paired rounds with its 95 % interval. Of models on which onnxruntime takes over a second.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.calibration_memory import calibrate, names, prepared
from benchmarks.goals import interval
from benchmarks.quiet import sentence, watched
from edgeq.report.statistics import paired_ratio


@dataclass(frozen=True)
class Times:
    """Processor seconds; item i of both were taken one after the other."""

    model: str
    samples: int
    edgeq: tuple[float, ...]
    onnxruntime: tuple[float, ...]


def main() -> None:
    options = _options()
    with watched() as reasons, tempfile.TemporaryDirectory(prefix="edgeq-calibration-") as name:
        found = [_times(m, Path(name) / m, options.samples, options.pairs) for m in options.only]
    if options.json:
        print(json.dumps({"times": [asdict(t) for t in found], "not_quiet": reasons}, indent=2))
        return
    print("| model | samples | edgeq | onnxruntime min-max | ratio |\n| --- | ---: | ---: | ---: | --- |")
    for t in found:
        print(
            f"| {t.model} | {t.samples} | {median(t.edgeq):.2f} s | {median(t.onnxruntime):.2f} s | {_ratio(t)} |"
        )
    print(f"\n{sentence(reasons)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", type=names, default=("resnet56", "mobilenet_v2"), help="models, with commas"
    )
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--samples", type=int, help="of each model; default: all that calibrate it")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _times(model: str, folder: Path, count: int | None, pairs: int) -> Times:
    files = prepared(model, folder)
    count = count or len(np.load(files["samples"], mmap_mode="r"))
    seconds: dict[str, list[float]] = {"edgeq": [], "onnxruntime": []}
    for pair in range(pairs):
        for who in sorted(seconds, reverse=bool(pair % 2)):
            answer = calibrate(folder, {**files, "who": who, "calibrator": "minmax", "count": count})
            if "error" in answer:
                sys.exit(f"{who} fails on {model}: {answer['error']}")
            seconds[who].append(answer["cpu_seconds"])
    return Times(model, count, tuple(seconds["edgeq"]), tuple(seconds["onnxruntime"]))


def _ratio(times: Times) -> str:
    """Of paired rounds, as every ratio of edgeq's reports."""
    rounds = ([np.array([s]) for s in side] for side in (times.edgeq, times.onnxruntime))
    found = paired_ratio(*rounds)
    return interval(found) if found else f"{median(times.edgeq) / median(times.onnxruntime):.2f}"


if __name__ == "__main__":
    main()
