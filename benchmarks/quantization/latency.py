"""Races the files of one model in interleaved rounds: edgeq's agent measures, edgeq's report compares."""

import contextlib
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.quantization.cases import Case
from benchmarks.quantization.judge import Judged
from edgeq.agent.measure import run_job
from edgeq.nouns.job import Entrant, Job, Limits
from edgeq.nouns.report import RaceReport
from edgeq.quantize.run_model import load
from edgeq.report.race import compare_runs

_SAMPLES = 16
_RUNTIMES = {"onnx": "onnxruntime", "tflite": "litert"}


def float_id(format: str) -> str:
    return f"float-{format}"


def race(
    case: Case, field: Sequence[Judged], formats: Sequence[str], threads: int, seconds: float
) -> RaceReport:
    """Float on each runtime of `formats`, the first of which is the reference, and all of `field` that is a file."""
    with tempfile.TemporaryDirectory(prefix="edgeq-race-") as name:
        root = Path(name)
        (root / "samples").mkdir()
        np.save(root / "samples" / "0.npy", case.judged.rows[:_SAMPLES, None])
        entrants = [_entrant(root, float_id(f), case.file(f), f, threads) for f in formats]
        entrants += [
            _entrant(root, j.way.id, j.made.file, j.way.format, threads) for j in field if j.made.file
        ]
        # The outputs have been judged already.
        limits = Limits(seconds=seconds, check_seconds=0.1)
        job = Job(f"{case.name}-{threads}", "race", case.name, tuple(entrants), "samples", limits=limits)
        with contextlib.redirect_stderr(io.StringIO()):  # the progress that the agent tells its host
            measured = run_job(job, str(root), "benchmark", str(root / "results"))
        return compare_runs(measured)


def _entrant(root: Path, id: str, file: Path, format: str, threads: int) -> Entrant:
    folder = root / id
    folder.mkdir()
    (folder / file.name).symlink_to(file.resolve())
    runner = load(file, format)
    return Entrant(
        id=id,
        runtime=_RUNTIMES[format],
        model=str((folder / file.name).relative_to(root)),
        digest="",
        inputs=runner.inputs,
        outputs=runner.outputs,
        threads=threads,
    )
