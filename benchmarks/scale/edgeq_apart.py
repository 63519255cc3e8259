"""One static int8 file by edgeq for onnxruntime, in this process: what it took, as one line of JSON.

    python -m benchmarks.scale.edgeq_apart JOB.json

The job: `source`, `name`, `calibration` and `judged` (.npy, samples first), `way` (an effort), `threads`, `folder`. The answer:
`seconds`, `cpu_seconds`, `opening_seconds`, `opening_cpu_seconds`, `peak_bytes`, `file`, `notes`; or `error`. Processes
that edgeq starts count; imports do not.
"""

import json
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import scipy  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits

from benchmarks.quantization.cases import Case, Rows
from benchmarks.quantization.contestants import EDGEQ, Way
from benchmarks.quantization.edgeq_ways import quantize
from benchmarks.quantization.run_apart import peak_bytes
from edgeq.errors import EdgeqError
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request

LOADED = (onnx, onnxruntime, scipy)
"""Which edgeq imports when it comes to them: a peer's are there before its clock starts, too."""


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    try:
        with threadpool_limits(job["threads"]):
            answer = _work(job)
    except EdgeqError as error:
        answer = {"error": error.what}
    except Exception as error:  # a fault of edgeq is a row of the table like any peer's
        traceback.print_exc()
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))


def _work(job: dict[str, Any]) -> dict[str, Any]:
    """Raises EdgeqError."""
    source, folder = Path(job["source"]), Path(job["folder"])
    calibration, judged = (Rows(np.load(job[part])) for part in ("calibration", "judged"))
    began, worked = time.monotonic(), _cpu_seconds()
    example = (calibration.rows[:1],)
    opened = open_model(Request(str(source), workdir=folder / "opened", name=job["name"], example=example))
    opening, opening_cpu = time.monotonic() - began, _cpu_seconds() - worked
    case = Case(job["name"], job["name"], {"onnx": opened}, source, calibration, judged)
    way = Way(EDGEQ, job["way"], "onnx", "W8A8")
    began, worked = time.monotonic(), _cpu_seconds()
    file, notes = quantize(case, way, folder, job["threads"], effort=job["way"])
    return {
        "seconds": time.monotonic() - began,
        "cpu_seconds": _cpu_seconds() - worked,
        "opening_seconds": opening,
        "opening_cpu_seconds": opening_cpu,
        "peak_bytes": peak_bytes(),
        "file": str(file),
        "notes": notes,
    }


def _cpu_seconds() -> float:
    """User and system time of this process and of those that it started and waited for."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


if __name__ == "__main__":
    main()
