"""Runs in a peer's environment: quantizes one model in one of the peer's ways and says how long that took.

    python -I run_apart.py peers/NAME.py JOB.json

The job: `way`, `threads`, `source`, `target` (model files), `input` (the model's input), `calibration` and `judged` (.npy, samples
first). Only the peer's own work is timed, not its import. The last line of stdout is JSON: `seconds`, and `error` when it
failed; `cpu_seconds` is the processor time that it took, `peak_bytes` the most that the process had in memory so far, its
imports and samples included; where the peer wrote no file, its simulation's outputs on the judged samples lie at `outputs`. Imports nothing of
edgeq: it is not installed there.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    peer_file, job_file = map(Path, sys.argv[1:])
    job = json.loads(job_file.read_text())
    try:
        answer = _work(_loaded(peer_file), job)
    except ModuleNotFoundError as error:
        print(json.dumps({"error": f"not installed: {error.name}"}))
        sys.exit(1)
    except BaseException as error:
        answer = {"error": f"{type(error).__name__}: {_first_lines(str(error))}"}
        print(json.dumps(answer))
        raise
    print(json.dumps(answer))


def _work(peer: Any, job: dict[str, Any]) -> dict[str, Any]:
    give_threads(job["threads"])
    feeds = [{job["input"]: row[None]} for row in np.load(job["calibration"])]
    quantize = peer.quantizer(job["way"])
    target = Path(job["target"])
    began, worked = time.monotonic(), time.process_time()
    simulated = quantize(Path(job["source"]), target, feeds)
    took = {
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - worked,
        "peak_bytes": peak_bytes(),
    }
    if simulated is not None:
        outputs = [simulated({job["input"]: row[None]})[0][0] for row in np.load(job["judged"])]
        np.save(job["outputs"], np.stack(outputs))
    return took


def peak_bytes() -> int | None:
    """VmHWM of proc_pid_status(5), None where there is none. getrusage's begins with what the parent had at the fork."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def give_threads(count: int) -> None:
    """To onnxruntime's sessions, for which there is no variable: a peer's have one thread a core, which wait by spinning."""
    try:
        import onnxruntime
    except ImportError:
        return
    begin = onnxruntime.InferenceSession.__init__

    def with_threads(
        self: Any, path_or_bytes: Any, sess_options: Any = None, *rest: Any, **named: Any
    ) -> None:
        sess_options = sess_options or onnxruntime.SessionOptions()
        sess_options.intra_op_num_threads = sess_options.intra_op_num_threads or count
        begin(self, path_or_bytes, sess_options, *rest, **named)

    onnxruntime.InferenceSession.__init__ = with_threads


def _loaded(path: Path) -> Any:
    # By path and under another name: a peer's file has the name of the library that it imports.
    spec = importlib.util.spec_from_file_location(f"peer_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _first_lines(text: str, count: int = 3) -> str:
    return " ".join(line.strip() for line in text.strip().splitlines()[:count])


if __name__ == "__main__":
    main()
