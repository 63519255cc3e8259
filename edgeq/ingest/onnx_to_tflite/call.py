"""Calls onnx2tf as a process in its environment, and translates its errors."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from edgeq import child_python
from edgeq.errors import ConversionFailed
from edgeq.ingest.onnx_to_tflite.pins import CONVERTER

_TIMEOUT_S = 1800
_CHILD = "import json, sys, onnx2tf; onnx2tf.convert(**json.loads(sys.argv[1]))"
REMEDY = "give the model as .tflite or its torch source, or choose a runtime that reads ONNX"


def call(python: Path, source: Path, inputs: tuple[str, ...], folder: Path) -> Path:
    """The float .tflite in `folder`, whose inputs keep their shapes. Raises ConversionFailed naming the operator.

    onnx2tf gives nodes names of its own and writes them into the file that it was given, so it gets a copy.
    """
    given = folder / "given"
    given.mkdir()
    shutil.copyfile(source, given / source.name)
    options = {
        "input_onnx_file_path": str(given / source.name),
        "output_folder_path": str(folder),
        "tflite_backend": "flatbuffer_direct",
        "keep_shape_absolutely_input_names": list(inputs),
        "not_use_onnxsim": True,  # the graph is clean already
        "verbosity": "error",
    }
    command = child_python.isolated((python,), "-c", _CHILD, json.dumps(options))
    try:
        done = child_python.run(command, _TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise ConversionFailed(f"{CONVERTER} did not finish within {_TIMEOUT_S // 60} minutes") from None
    made = folder / f"{source.stem}_float32.tflite"
    if done.returncode or not made.is_file():
        raise _failure(done.returncode, done.stdout + done.stderr)
    return made


def _failure(code: int, printed: str) -> ConversionFailed:
    said = [line.strip() for line in printed.splitlines() if line.strip() and "it/s" not in line]
    reason = said[-1] if said else f"exit code {code}"
    reason = re.sub(r"^\w+: ", "", reason)  # the class of the exception
    what = _operator(reason)
    return ConversionFailed(
        f"{CONVERTER} cannot convert {what or 'the model'} to TFLite: {_plain(reason)[:300]}",
        REMEDY,
        details=said[-10:],
    )


def _operator(reason: str) -> str | None:
    """The operator that the reason is about: `op=NAME` in onnx2tf's messages, sng_KIND_NUMBER where it had no name."""
    found = re.search(r"\bop=(\S+)", reason)
    if found is None:
        return None
    made_up = re.fullmatch(r"sng_(\w+)_\d+", found[1])
    return f"the operator {made_up[1]}" if made_up else f"the node {found[1]}"


def _plain(reason: str) -> str:
    """Without what only onnx2tf's own developers know."""
    return re.sub(r" (for|in) flatbuffer_direct|\bop=\S+ ?", "", reason).strip()
