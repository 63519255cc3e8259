"""An exported program -> TFLite by litert-torch, in a process of its own.

litert-torch brings jax and a gigabyte of libraries that talk on stderr and may end the process; none of that happens here.
"""

import subprocess
import tempfile
from pathlib import Path

from edgeq import child_python
from edgeq.errors import ConversionFailed
from edgeq.ingest.pytorch import run_litert_torch
from edgeq.ingest.pytorch.program import Program
from edgeq.ingest.tflite_run import run_tflite

_TIMEOUT_S = 1800


def to_tflite(program: Program, path: Path) -> Path:
    """Writes `path`, checked against torch on the program's input. Raises ConversionFailed in the converter's words."""
    import torch

    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        saved, made = Path(folder) / "program.pt2", Path(folder) / "made.tflite"
        torch.export.save(program.exported, saved)
        _convert(saved, made)
        program.refuse_other_values("TFLite", run_tflite(made.read_bytes(), program.arrays))
        path.write_bytes(made.read_bytes())
    return path


def _convert(saved: Path, made: Path) -> None:
    command = child_python.script(run_litert_torch.__file__, saved, made)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            env=child_python.environment(),
        )
    except subprocess.TimeoutExpired:
        raise ConversionFailed(f"litert-torch did not finish within {_TIMEOUT_S // 60} minutes") from None
    if done.returncode or not made.is_file():
        said = [line for line in done.stderr.splitlines() if line.strip()]
        reason = said[-1].strip() if said else f"exit code {done.returncode}"
        raise ConversionFailed(
            f"litert-torch cannot convert the model to TFLite: {reason[:300]}",
            "the ONNX candidates do not need it",
            details=said[-10:],
        )
