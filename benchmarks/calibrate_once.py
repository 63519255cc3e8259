"""One calibration in a process of its own, with its memory and time; calibration_memory.py and calibration_time.py run it.

    python -m benchmarks.calibrate_once JOB.json

The job: `who` ("edgeq" or "onnxruntime"), `calibrator`, `model` (.onnx), `input` (its name), `samples` (.npy, taken in turn,
again from the first when there are fewer than `count`), `folder`, `limit_bytes` of address space or null. Prints JSON:
`loaded`, the resident bytes with the float session loaded and run, `peak`, `seconds` and `cpu_seconds` of calibrating and emitting, on one thread.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.quantization.run_apart import give_threads
from edgeq.agent.probes.memory_use import resident


@dataclass(frozen=True)
class InTurn:
    """`count` samples out of fewer rows, without holding more than these."""

    rows: npt.NDArray[np.float32]
    count: int
    labels: None = None
    truth: None = None
    sha256: str = "0" * 64

    def __getitem__(self, i: int) -> tuple[npt.NDArray[np.float32], ...]:
        return (np.asarray(self.rows[i % len(self.rows)][None]),)


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    if job["limit_bytes"]:
        resource.setrlimit(resource.RLIMIT_AS, (job["limit_bytes"], job["limit_bytes"]))
    give_threads(1)
    samples = InTurn(np.load(job["samples"]), job["count"])
    calibrate = _WHO[job["who"]](job, samples)
    # Held until the end: what is asked is what calibration takes on top of it.
    session = _loaded(job["model"], samples)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew: proc(5)
    loaded, _ = resident(Path("/"))
    began, worked = time.monotonic(), time.process_time()
    with threadpool_limits(1):
        calibrate()
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - worked
    _, peak = resident(Path("/"))
    del session
    answer = {"loaded": loaded, "peak": peak, "seconds": seconds, "cpu_seconds": cpu_seconds}
    print(json.dumps(answer))


def _loaded(model: str, samples: InTurn) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    session.run(None, {session.get_inputs()[0].name: samples[0][0]})
    return session


def _edgeq(job: dict[str, Any], samples: InTurn) -> Callable[[], None]:
    """One pass over the samples, ranges, file; "auto" sees what all calibrators need and writes a file for each."""
    import platform

    from edgeq.agent.facts import read_facts
    from edgeq.graphs.float_graph import read
    from edgeq.quantize.backends.ort import qdq
    from edgeq.quantize.calibration.calibrate import calibrate_onnx, needs_histogram, ranges_of
    from edgeq.quantize.calibration.calibrators import AUTO
    from edgeq.quantize.scheme import scheme_for

    scheme, _ = scheme_for("onnxruntime", platform.machine(), read_facts("/").isa)
    calibrator = job["calibrator"]

    def calibrate() -> None:
        model = read(Path(job["model"]))
        seen = calibrate_onnx(model, samples, needs_histogram(calibrator))
        for way in AUTO if calibrator == "auto" else (calibrator,):
            qdq.emit(model, Path(job["folder"]) / "model.onnx", scheme, ranges_of(seen, way))

    return calibrate


def _onnxruntime(job: dict[str, Any], samples: InTurn) -> Callable[[], None]:
    """quantize_static on the same graph; its pre-processing is not counted, the graph is clean."""
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.feeds = ({job["input"]: samples[i][0]} for i in range(samples.count))

        def get_next(self) -> Any:
            return next(self.feeds, None)

    methods = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}

    def calibrate() -> None:
        quantize_static(
            job["model"],
            str(Path(job["folder"]) / "model.onnx"),
            Reader(),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=methods[job["calibrator"]],
        )

    return calibrate


_WHO: dict[str, Callable[[dict[str, Any], InTurn], Callable[[], None]]] = {
    "edgeq": _edgeq,
    "onnxruntime": _onnxruntime,
}

if __name__ == "__main__":
    main()
