"""What calibration takes of memory above the loaded session: edgeq beside onnxruntime's percentile, by number of samples.

    python -m benchmarks.calibration_memory [--only resnet56,mobilenet_v2] [--samples 128,1024,4096] [--json]

Each figure is the peak of a process of its own (VmHWM) less what was resident once the float session had been loaded and
run. edgeq: all its calibrators, up to the written file. onnxruntime holds every activation of every sample; it may take
--limit gigabytes of address space and is not asked again with more samples once that was too little.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.own_home import ROOT, data_folder
from benchmarks.quantization import cases

_GB = 1e9
_WHO = (("edgeq", "auto"), ("onnxruntime", "percentile"))


@dataclass(frozen=True)
class Use:
    """`above` in bytes, None where it failed, which `why` then tells."""

    model: str
    who: str
    samples: int
    above: int | None
    seconds: float | None
    why: str = ""


def main() -> None:
    options = _options()
    uses: list[Use] = []
    with tempfile.TemporaryDirectory(prefix="edgeq-calibration-") as name:
        for model in options.only:
            for use in _uses(model, Path(name) / model, options.samples, options.limit):
                uses.append(use)
                print(f"{use.model}, {use.who}, {use.samples}: {_amount(use)}", file=sys.stderr, flush=True)
    print(json.dumps([asdict(u) for u in uses], indent=2) if options.json else table(uses))


def prepared(model: str, folder: Path) -> dict[str, str]:
    """The part of a job that is the model's: float .onnx, input, calibration samples as .npy."""
    case = cases.prepare(model, data_folder(), folder, folder / "cache", ("onnx",))
    samples = folder / "samples.npy"
    np.save(samples, case.calibration.rows)
    return {
        "model": str(case.file("onnx")),
        "input": case.models["onnx"].inputs[0].name,
        "samples": str(samples),
    }


def calibrate(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """What benchmarks/calibrate_once.py answers to `job`, or `error`."""
    place = folder / "work"
    place.mkdir(parents=True, exist_ok=True)
    question = folder / "job.json"
    question.write_text(json.dumps({"limit_bytes": None, "folder": str(place), **job}))
    command = [sys.executable, "-m", "benchmarks.calibrate_once", str(question)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", type=names, default=("resnet56", "mobilenet_v2"), help="models, with commas"
    )
    parser.add_argument("--samples", type=_numbers, default=(128, 1024, 4096), help="with commas, rising")
    parser.add_argument("--limit", type=float, default=8.0, help="gigabytes that onnxruntime may take")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def names(text: str) -> tuple[str, ...]:
    """What --only takes."""
    asked = tuple(text.split(","))
    unknown = [name for name in asked if name not in cases.names()]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(cases.names())}")
    return asked


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.split(","))


def _uses(model: str, folder: Path, counts: Sequence[int], limit_gb: float) -> Iterator[Use]:
    files = prepared(model, folder)
    for who, calibrator in _WHO:
        failed = ""
        for count in counts:
            if failed:
                yield Use(model, who, count, None, None, "not tried")
                continue
            limit = int(limit_gb * _GB) if who == "onnxruntime" else None
            job = {**files, "who": who, "calibrator": calibrator, "count": count, "limit_bytes": limit}
            found = calibrate(folder, job)
            failed = _reason(found["error"], limit_gb) if "error" in found else ""
            above = None if failed else found["peak"] - found["loaded"]
            yield Use(model, who, count, above, found.get("seconds"), failed)


def _reason(error: str, limit_gb: float) -> str:
    out_of_memory = any(words in error for words in ("allocate", "MemoryError", "bad_alloc"))
    return f"more than {limit_gb:g} GB" if out_of_memory else error


def table(uses: Sequence[Use]) -> str:
    """Markdown."""
    counts = sorted({u.samples for u in uses})
    lines = [
        f"| model | by | {' | '.join(f'{c} samples' for c in counts)} |",
        "| --- | --- |" + " ---: |" * len(counts),
    ]
    for model, who in dict.fromkeys((u.model, u.who) for u in uses):
        found = {u.samples: _amount(u) for u in uses if (u.model, u.who) == (model, who)}
        lines.append(f"| {model} | {who} | {' | '.join(found[c] for c in counts)} |")
    return "\n".join(lines)


def _amount(use: Use) -> str:
    return use.why if use.above is None else f"{use.above / 1e6:,.0f} MB, {use.seconds:.1f} s"


if __name__ == "__main__":
    main()
