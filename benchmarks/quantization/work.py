"""Gets one model quantized in one way, by edgeq here or by a peer in its environment. What was made is kept in a folder."""

import json
import os
import subprocess
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.own_home import ROOT
from benchmarks.quantization import edgeq_ways
from benchmarks.quantization.cases import Case
from benchmarks.quantization.contestants import EDGEQ, PEERS, Way
from benchmarks.quantization.environment import NotBuilt, environment
from edgeq.errors import EdgeqError

RUNNER = Path(__file__).parent / "run_apart.py"
_TIMEOUT_S = 3600


@dataclass(frozen=True)
class Made:
    """`cpu_seconds` is the processor time of all threads, which a busy machine disturbs far less than `seconds`. `file` or, from a peer that only simulates, `outputs` [samples, ...] on the judged samples. `kept` says that it was
    made in an earlier run, so its seconds are of then.
    """

    way: Way
    seconds: float
    cpu_seconds: float
    file: Path | None = None
    outputs: Path | None = None
    kept: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    way: Way
    why: str


@dataclass(frozen=True)
class Workshop:
    """Where and how files are made: `cache` holds the peers' environments, `install` says whether a missing one is built;
    `threads` while quantizing.
    """

    cache: Path
    install: bool
    threads: int


def make(case: Case, way: Way, source: Path, folder: Path, shop: Workshop) -> Made | Failed:
    """Files go to `folder`, which is this way's alone; a peer's are taken from there when they lie there already."""
    folder.mkdir(parents=True, exist_ok=True)
    if way.who == EDGEQ:
        return _by_edgeq(case, way, folder, shop.threads)
    return _by_peer(case, way, source, folder, shop)


def _by_edgeq(case: Case, way: Way, folder: Path, threads: int) -> Made | Failed:
    began, worked = time.monotonic(), time.process_time()
    try:
        with threadpool_limits(threads):  # what the variables of `answer_of` are to a peer
            file, notes = edgeq_ways.quantize(case, way, folder, threads)
    except EdgeqError as error:
        return Failed(way, error.what)
    except Exception as error:  # a fault of edgeq is a row of the table like any peer's
        traceback.print_exc()
        return Failed(way, f"{type(error).__name__}: {error}")
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - worked
    return Made(way, seconds, cpu_seconds, file=file, notes=notes)


def _by_peer(case: Case, way: Way, source: Path, folder: Path, shop: Workshop) -> Made | Failed:
    job = {**_job(case, way, source, folder), "threads": shop.threads}
    kept = _kept(folder, job)
    answer = kept or _asked(way, job, folder, shop)
    if "error" in answer:
        return Failed(way, answer["error"])
    file, outputs = Path(job["target"]), Path(job["outputs"])
    return Made(
        way,
        answer["seconds"],
        answer["cpu_seconds"],
        file=file if file.is_file() else None,
        outputs=outputs if outputs.is_file() else None,
        kept=kept is not None,
    )


def _job(case: Case, way: Way, source: Path, folder: Path) -> dict[str, Any]:
    calibration, judged = folder.parent / "calibration.npy", folder.parent / "judged.npy"
    for path, rows in ((calibration, case.calibration.rows), (judged, case.judged.rows)):
        if not path.is_file():
            np.save(path, rows)
    return {
        "way": way.setting,
        "source": str(source),
        "target": str(folder / f"model.{way.format}"),
        "input": _input_name(source, way.format),
        "calibration": str(calibration),
        "judged": str(judged),
        "outputs": str(folder / "outputs.npy"),
    }


def _kept(folder: Path, job: dict[str, Any]) -> dict[str, Any] | None:
    """The answer to this very job, if it was asked before."""
    path = folder / "answer.json"
    if not path.is_file():
        return None
    stored = json.loads(path.read_text())
    answer: dict[str, Any] = stored["answer"]
    return answer if stored["job"] == job else None


def _asked(way: Way, job: dict[str, Any], folder: Path, shop: Workshop) -> dict[str, Any]:
    try:
        python = environment(way.who, shop.cache, shop.install)
    except NotBuilt as why:
        return {"error": str(why)}
    question = folder / "job.json"
    question.write_text(json.dumps(job))
    for old in (job["target"], job["outputs"]):
        Path(old).unlink(missing_ok=True)
    answer = answer_of(
        [str(python), "-I", str(RUNNER), str(PEERS / f"{way.who}.py"), str(question)], shop.threads
    )
    (folder / "answer.json").write_text(json.dumps({"job": job, "answer": answer}))
    return answer


def answer_of(command: list[str], threads: int, limit_s: float = _TIMEOUT_S) -> dict[str, Any]:
    """The JSON that the process prints last, in the folder of the checkout; `error` where it has none or takes longer."""
    variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=limit_s,
            cwd=ROOT,
            env={**os.environ, **variables},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"did not end within {limit_s:g} s"}
    answers = [line for line in done.stdout.splitlines() if line.startswith('{"')]
    if answers:
        answer: dict[str, Any] = json.loads(answers[-1])
        return answer
    return {"error": f"exit code {done.returncode}: {' '.join(done.stderr.split()[-40:])}"}


def _input_name(source: Path, format: str) -> str:
    """As the format's own runtime calls it; for .tflite the name in its signature."""
    if format == "onnx":
        import onnx

        graph = onnx.load(str(source), load_external_data=False).graph
        fixed = {i.name for i in graph.initializer}
        return str(next(i.name for i in graph.input if i.name not in fixed))
    from ai_edge_litert.interpreter import Interpreter

    signature: dict[str, list[str]]
    (signature,) = Interpreter(str(source)).get_signature_list().values()
    return signature["inputs"][0]
