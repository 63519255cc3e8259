"""Who is measured, and one of them at work on one network, in a process of its own with one thread."""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quantization.contestants import EDGEQ, PEERS, ways_of
from benchmarks.quantization.environment import NotBuilt, environment
from benchmarks.quantization.work import RUNNER, answer_of
from benchmarks.scale.networks import Floats
from benchmarks.scale.rows import Contestant, Network, Row, Took
from edgeq.errors import EdgeqError
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.run_model import Array, load, run

PEER_NAMES = ("onnxruntime", "nncf")
INPUT = "images"


@dataclass(frozen=True)
class Course:
    """What all are given: samples [n, 3, 224, 224] to calibrate, others to judge, and seconds for each. `cache` holds the peers'
    environments, `install` says whether a missing one is built.
    """

    calibration: Floats
    judged: Floats
    limit_s: float
    cache: Path
    install: bool


def everyone(efforts: Sequence[str], peers: Sequence[str]) -> tuple[Contestant, ...]:
    """edgeq with each effort, and each peer in the first of its ways."""
    own = tuple(Contestant(EDGEQ, effort) for effort in efforts)
    return (*own, *(Contestant(peer, ways_of(peer)[0].setting) for peer in peers))


def measured(contestant: Contestant, network: Network, reference: Array, course: Course) -> Row:
    """`reference` holds float's outputs on the judged samples. What fails is a row with its reason."""
    with tempfile.TemporaryDirectory(prefix="edgeq-scale-") as name:
        folder = Path(name)
        try:
            answer = _answer(contestant, network, folder, course)
        except NotBuilt as why:
            answer = {"error": str(why)}
        if "error" in answer:
            return Row(network.name, network.weights, contestant, why=answer["error"])
        took = Took(
            answer["cpu_seconds"],
            answer["seconds"],
            answer["peak_bytes"],
            answer.get("opening_cpu_seconds"),
            answer.get("opening_seconds"),
        )
        try:
            file = Path(answer.get("file", folder / "model.onnx"))
            db = sqnr_db(reference, outputs(file, course.judged, folder))
        except EdgeqError as error:
            return Row(network.name, network.weights, contestant, took, why=f"not judged: {error.what}")
        notes = tuple(answer.get("notes", ()))
        return Row(network.name, network.weights, contestant, took, db, file.stat().st_size, notes)


def outputs(file: Path, rows: Floats, scratch: Path) -> Array:
    """[samples, ...], by onnxruntime with exact integer sums. Raises EdgeqError where it refuses the file."""
    from benchmarks.quantization.cases import Rows

    return run(load(file, "onnx"), Rows(rows), scratch)[0]


def _answer(contestant: Contestant, network: Network, folder: Path, course: Course) -> dict[str, Any]:
    """Raises NotBuilt."""
    job = {
        "source": str(network.file),
        "name": network.name,
        "input": INPUT,
        "way": contestant.setting,
        "threads": 1,
        "calibration": str(folder / "calibration.npy"),
        "judged": str(folder / "judged.npy"),
        "folder": str(folder),
        "target": str(folder / "model.onnx"),
        "outputs": str(folder / "outputs.npy"),
    }
    np.save(folder / "calibration.npy", course.calibration)
    np.save(folder / "judged.npy", course.judged)
    question = folder / "job.json"
    question.write_text(json.dumps(job))
    if contestant.who == EDGEQ:
        command = [sys.executable, "-m", "benchmarks.scale.edgeq_apart", str(question)]
    else:
        python = environment(contestant.who, course.cache, course.install)
        command = [str(python), "-I", str(RUNNER), str(PEERS / f"{contestant.who}.py"), str(question)]
    return answer_of(command, 1, course.limit_s)
