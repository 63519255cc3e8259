"""Which runtime computes layers with weights of 8, 4 and 2 bits, how close to numpy, and how fast next to its own 8 bits.

    python -m benchmarks.few_bit_kernels [--runtime onnxruntime,litert] [--rows 1,8,64] [--size 1024] [--seconds 0.3] [--json]

Products of a square matrix of --size, and for LiteRT convolutions of an eighth of it (1x1) and a thirty-second (3x3) channels, with one
thread. Each case runs in a process of its own: some kernels end it. "dB" compares with exact products of the dequantized weights, so
what is lost is activations' and sums' rounding: below 30 dB a kernel is wrong. Another version of a runtime, or tflite-runtime, is tried by
`PYTHONPATH=folder` of `pip install --target folder --no-deps onnxruntime==1.23.2`.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.few_bit_files import File, onnx_file, tflite_file
from edgeq.foreign import quiet
from edgeq.quantize.evaluate.sqnr import sqnr_db

RUNTIMES = ("onnxruntime", "litert", "tflite-runtime")
_RIGHT_DB = 30.0
_LIMIT_S = 120.0
_BLOCKS = ((8, 64), (4, 32), (4, 64), (2, 32), (2, 64))


@dataclass(frozen=True)
class Case:
    """`size`: inputs, and outputs, of the layer; `baseline`: what the others of its operator and rows are compared with."""

    runtime: str
    operator: str
    weights: str
    activations: str
    rows: int
    size: int
    baseline: bool = False


@dataclass(frozen=True)
class Result:
    """`db` from numpy's products; both are None, and `failure` says why, where the runtime does not run it."""

    case: Case
    version: str = ""
    db: float | None = None
    microseconds: float | None = None
    file_bytes: int = 0
    failure: str = ""

    @property
    def runs(self) -> str:
        if self.db is None:
            return f"no: {self.failure}"
        return "yes" if self.db >= _RIGHT_DB else "wrong"


def cases(runtime: str, rows: tuple[int, ...], size: int) -> Iterator[Case]:
    if runtime == "onnxruntime":
        for count in rows:
            yield Case(runtime, "MatMul", "float", "float", count, size)
            yield Case(runtime, "MatMul", "8", "dynamic", count, size, baseline=True)
            for bits, block in _BLOCKS:
                yield Case(runtime, "MatMulNBits", f"{bits} in blocks of {block}", "dynamic", count, size)
        return
    for operator, width, counts in (
        ("FULLY_CONNECTED", size, rows),
        ("CONV_2D 1x1", max(size // 8, 8), (256,)),
        ("CONV_2D 3x3", max(size // 32, 8), (256,)),
    ):
        for count in counts:
            for activations in ("static", "dynamic"):
                for bits in (8, 4, 2):
                    yield Case(runtime, operator, str(bits), activations, count, width, baseline=bits == 8)


def run(case: Case, seconds: float) -> Result:
    """In a process of its own: what crashes there is a result too."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_run_there, args=(case, seconds, there))
    child.start()
    there.close()
    answer: Result | str = ""
    with contextlib.suppress(EOFError):
        answer = here.recv() if here.poll(_LIMIT_S) else f"took more than {_LIMIT_S:.0f} s"
    if isinstance(answer, str) and answer:
        child.kill()
    child.join()
    if isinstance(answer, Result):
        return answer
    return Result(case, failure=answer or f"the process ended with signal {-(child.exitcode or 0)}")


def _run_there(case: Case, seconds: float, there: Any) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        answer: Result | str = measured(case, seconds)
    except Exception as error:  # whatever a runtime raises is the answer
        answer = " ".join(str(error).split())[:90]
    there.send(answer)


def measured(case: Case, seconds: float) -> Result:
    onnx = case.runtime == "onnxruntime"
    file = _onnx_file(case) if onnx else _tflite_file(case)
    version, invoke = (_onnxruntime if onnx else _interpreter)(file, case.runtime)
    found = invoke().reshape(file.expected.shape).astype(np.float64) * file.scale
    times: list[int] = []
    while len(times) < 5 or sum(times) < seconds * 1e9:
        since = time.perf_counter_ns()
        invoke()
        times.append(time.perf_counter_ns() - since)
    db = float(sqnr_db(file.expected, found))
    return Result(case, version, round(db, 1), float(np.median(times)) / 1e3, len(file.content))


def _onnx_file(case: Case) -> File:
    words = case.weights.split()
    kind = (
        "float"
        if words == ["float"]
        else "dynamic 8"
        if len(words) == 1
        else f"blocks {words[0]} {words[-1]}"
    )
    return onnx_file(kind, case.rows, case.size, case.size)


def _tflite_file(case: Case) -> File:
    bits, static = int(case.weights), case.activations == "static"
    return tflite_file(case.operator, bits, static, case.rows, case.size, case.size)


def _onnxruntime(file: File, runtime: str) -> tuple[str, Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.content, options, providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, lambda: session.run(None, {"x": file.x})[0]


def _interpreter(file: File, runtime: str) -> tuple[str, Any]:
    if runtime == "litert":
        import ai_edge_litert.interpreter as found
        from ai_edge_litert import __version__ as version
    else:
        import tflite_runtime.interpreter as found
        from tflite_runtime import __version__ as version
    with quiet():
        interpreter = found.Interpreter(model_content=file.content, num_threads=1)
        interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], file.x)
    output = interpreter.get_output_details()[0]["index"]

    def invoke() -> npt.NDArray[Any]:
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(output))

    return version, invoke


def table(results: list[Result]) -> str:
    """Markdown. Speeds are times as fast as 8 bits of the same operator, rows and activations."""
    eight = {_group(r.case): r.microseconds for r in results if r.case.baseline}
    lines = [
        "| runtime | operator | weights | activations | rows | runs? | dB | µs | speed | file |",
        "|" + "---|" * 10,
    ]
    for r in results:
        base = eight.get(_group(r.case))
        speed = f"{base / r.microseconds:.2f}x" if base and r.microseconds else ""
        figures = ("", "") if r.db is None else (f"{r.db:.0f}", f"{r.microseconds:.1f}")
        cells = (f"{r.case.runtime} {r.version}".strip(), r.case.operator, r.case.weights, r.case.activations)
        size = f"{r.file_bytes / 1e3:,.0f} kB" if r.file_bytes else ""
        lines.append(f"| {' | '.join((*cells, str(r.case.rows), r.runs, *figures, speed, size))} |")
    return "\n".join(lines)


def _group(case: Case) -> tuple[str, ...]:
    kind = "MatMul" if case.operator.startswith("MatMul") else case.operator
    activations = "dynamic" if case.activations == "float" else case.activations
    return case.runtime, kind, activations, str(case.rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--runtime", default="onnxruntime,litert")
    parser.add_argument("--rows", default="1,8,64")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    runtimes = given.runtime.split(",")
    if unknown := set(runtimes) - set(RUNTIMES):
        parser.error(f"--runtime takes {', '.join(RUNTIMES)}, not {', '.join(sorted(unknown))}")
    rows = tuple(map(int, given.rows.split(",")))
    planned = [case for runtime in runtimes for case in cases(runtime, rows, given.size)]
    results = []
    for k, case in enumerate(planned, 1):
        print(f"{k} of {len(planned)}: {case.runtime} {case.operator} {case.weights}", file=sys.stderr)
        results.append(run(case, given.seconds))
    print(json.dumps([asdict(r) for r in results], indent=1) if given.json else table(results))


if __name__ == "__main__":
    main()
