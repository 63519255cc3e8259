"""An exported program -> TFLite by litert-torch, in a process of its own.

litert-torch brings jax and a gigabyte of libraries that talk on stderr and may end the process; none of that happens here.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from edgeq import child_python
from edgeq.errors import ConversionFailed
from edgeq.ingest.pytorch import run_litert_torch
from edgeq.ingest.pytorch.constants import with_plain_constants
from edgeq.ingest.pytorch.traced import Program
from edgeq.ingest.tflite_run import run_tflite

_TIMEOUT_S = 1800
_ERROR = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit|Unsupported)\w*(?:: |$)")


def to_tflite(program: Program, path: Path) -> Path:
    """Writes `path`, checked against torch on the program's input. Raises ConversionFailed in the converter's words."""
    import torch

    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        saved, made = Path(folder) / "program.pt2", Path(folder) / "made.tflite"
        torch.export.save(with_plain_constants(program.exported, program.inputs), saved)
        _convert(saved, made)
        program.refuse_other_values("TFLite", run_tflite(made.read_bytes(), program.arrays))
        path.write_bytes(made.read_bytes())
    return path


def _convert(saved: Path, made: Path) -> None:
    command = child_python.script(run_litert_torch.__file__, saved, made)
    try:
        done = child_python.run(command, _TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise ConversionFailed(f"litert-torch did not finish within {_TIMEOUT_S // 60} minutes") from None
    if done.returncode or not made.is_file():
        raise ConversionFailed(
            f"litert-torch cannot convert the model to TFLite: {_reason(done.stderr, done.returncode)}",
            "rewrite what it names, or choose a --target or --runtime with onnxruntime, which does not need litert-torch",
        )


def _reason(said: str, code: int) -> str:
    """The last error that the converter's traceback names, without the traceback; torch prints advice behind it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]
    return (errors or lines or [f"exit code {code}"])[-1][:300]
