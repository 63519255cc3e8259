"""Recognises a torch factory that is unchanged, without torch: what it built is known from before.

Kept for each factory, weights and samples: what the code read (edgeq/code_inputs) and what was built of it. Where it may have
read something that is not seen, nothing is kept, and the factory is traced each time.
"""

import json
import platform
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.code_inputs.inputs import CodeInputs, inputs_of
from edgeq.code_inputs.watch import Watch, loaded_of_the_user
from edgeq.conversion import cache
from edgeq.conversion.conversion_job import ConversionJob, tool_versions
from edgeq.nouns.data_check import DataFinding
from edgeq.nouns.record import Record, canonical_json
from edgeq.quantize.calibration.array_cache import ArrayCache

if TYPE_CHECKING:
    from edgeq.ingest.pytorch.traced import Program

_FORMAT = 1  # rises with a change by which the same factory gives another program


@dataclass(frozen=True)
class Built(Record):
    """What is kept of a traced program: its digest, its notes, and the element type and shape of each example input."""

    sha256: str
    notes: tuple[str, ...]
    inputs: tuple[str, ...]

    @classmethod
    def of(cls, program: "Program") -> "Built":
        arrays = program.arrays
        return cls(program.sha256, program.notes, tuple(f"{a.dtype.str} {a.shape}" for a in arrays))


@dataclass(frozen=True)
class Recognised(Record):
    """`findings` are those of the checks of the samples on what was built."""

    read: CodeInputs
    built: Built
    findings: tuple[DataFinding, ...] = field(default=())


def find(job: ConversionJob) -> Recognised | None:
    """What the job's factory built before, where all that it read is unchanged."""
    facts = None if loaded_of_the_user() else _facts(job)
    if facts is None:
        return None
    arrays = _cache().find(**facts)
    if arrays is None:
        return None
    try:
        known = Recognised.from_dict(json.loads(arrays["json"].tobytes()))
    except (ValueError, KeyError):
        return None
    return known if known.read.unchanged() else None


def put(job: ConversionJob, watch: Watch, built: Built, findings: tuple[DataFinding, ...]) -> str:
    """Why nothing is kept, where that is so."""
    facts = _facts(job)
    if facts is None:
        return "the weights or samples cannot be recognised"
    read, why = inputs_of(watch, but=() if job.weights is None else (job.weights,))
    if read is None:
        return why
    content = canonical_json(Recognised(read, built, findings).to_dict())
    _cache().put({"json": np.frombuffer(content, np.uint8)}, **facts)
    return ""


def _cache() -> ArrayCache:
    return ArrayCache(cache.folder() / "factories", 16 * 2**20)


def _facts(job: ConversionJob) -> dict[str, object] | None:
    """Under which a factory is looked up; None where its weights or samples cannot be hashed."""
    weights, data = job.contents("weights"), job.contents("data")
    if job.module is not None or weights is None or data is None:
        return None
    place, _, name = job.model.rpartition(":")
    return {
        "format": _FORMAT,
        "factory": [str(Path(place).absolute()) if place.endswith(".py") else place, name],
        "weights": [weights, "" if job.weights is None else job.weights.suffix],
        "shapes": {name: list(shape) for name, shape in job.shapes.items()},
        "data": data,
        "preprocess": repr(job.request.preprocess),
        "checks": [job.gates.ignore_labels, job.gates.metric is not None, job.request.calibrate],
        "versions": tool_versions(),
        "python": [sys.version, sys.prefix, platform.machine()],
        "path": [str(Path.cwd()), *sys.path],
        "program": _program(),
    }


def _program() -> list[str]:
    """The user's program that calls, which may do anything before; nothing for the command line."""
    import edgeq

    file = Path(getattr(sys.modules["__main__"], "__file__", "")).resolve()
    ours = Path(edgeq.__file__).parent / "__main__.py", Path(sysconfig.get_path("scripts")) / "edgeq"
    return [] if file in (path.resolve() for path in ours) else [str(file), *sys.argv]
