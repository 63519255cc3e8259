"""Candidates that were made before: for another gate, name or target the same file is judged again, not made again.

What a candidate becomes depends on the gate only where it asks it, and then only on whether a file passed. So a candidate
is kept where each file that was judged passed, and it is the same again where each of them passes the gate of now.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Optional

import numpy as np

from edgeq import __version__
from edgeq.graphs.ort_session import host_saturates
from edgeq.installed import installed_versions, own_sources
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan
from edgeq.nouns.record import Record, canonical_json
from edgeq.nouns.tensor import TensorSpec
from edgeq.quantize.calibration.array_cache import ArrayCache, Arrays
from edgeq.quantize.evaluate.verdict_cache import sha256_of
from edgeq.quantize.options import Options
from edgeq.quantize.samples import SamplesLike

SCRATCH = "judged"  # beside a candidate's file: copies of what the gate was asked about
_FORMAT = 2  # rises with a change by which the same facts give another candidate
_MOST = 2**30  # bytes
_CONVERTERS = ("numpy", "onnx", "onnxruntime", "litert-quantizer", "ai-edge-litert")


@dataclass(frozen=True)
class Kept(Record):
    """A candidate without its path: the fields of `Made`, its file as judged before."""

    plan: CandidatePlan
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    min_runtime: Optional[str]
    memory_bytes: int
    fidelity: Fidelity
    input_types: tuple[str, ...]
    quantized_inputs: tuple[TensorSpec, ...]
    quantized_outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class Entry(Record):
    """`judged` counts the files that the gate was asked about, the candidate's own first; `few` may be the second of them,
    `all_int8` that at `all_int8_file`.
    """

    plain: Kept
    few: Optional[Kept]
    judged: int
    all_int8: Optional[Kept] = None
    all_int8_file: int = 0


class KeptCandidates:
    """`facts` are all that a candidate depends on besides the gate. Without a `cache` nothing is kept and nothing found. `asked` notes what
    the gate was asked about while a candidate is made.
    """

    def __init__(self, cache: Path | None, facts: dict[str, object]) -> None:
        self._cache = _below(cache)
        self._facts = facts
        self._files: list[Path] = []
        self._passed = True

    def asked(self, path: Path, fidelity: Fidelity) -> Fidelity:
        """As it is given."""
        self._passed = self._passed and fidelity.passed
        if self._cache.folder is not None and self._passed:
            aside = path.parent / SCRATCH / f"{len(self._files)}"
            aside.parent.mkdir(exist_ok=True)
            self._files.append(Path(shutil.copyfile(path, aside)))
        return fidelity

    def find(self) -> tuple[Entry, tuple[bytes, ...]] | None:
        """What was kept, with the files in the order in which they were judged."""
        arrays = self._cache.find(**self._facts)
        if arrays is None:
            return None
        try:
            entry = Entry.from_dict(json.loads(arrays["json"].tobytes()))
            return entry, tuple(arrays[f"file{i}"].tobytes() for i in range(entry.judged))
        except (KeyError, ValueError):
            return None

    @property
    def holds(self) -> bool:
        """Whether something is kept, at the cost of no more than a look."""
        return self._cache.holds(**self._facts)

    @property
    def judged(self) -> int:
        """How many files the gate was asked about, of those that are kept."""
        return len(self._files)

    def put(self, plain: Kept, few: Kept | None, all_int8: Kept | None, all_int8_file: int) -> None:
        """Where all files passed and nothing is in float for the gate's sake."""
        if self._cache.folder is None or not (self._passed and self._files and plain.fidelity.passed):
            return
        entry = canonical_json(Entry(plain, few, len(self._files), all_int8, all_int8_file).to_dict())
        arrays: Arrays = {f"file{i}": np.memmap(file, np.uint8, "r") for i, file in enumerate(self._files)}
        self._cache.put({**arrays, "json": np.frombuffer(entry, np.uint8)}, **self._facts)


def of(
    candidate: CandidatePlan,
    model: Model,
    calibration: SamplesLike | None,
    heldout: SamplesLike,
    options: Options,
    *,
    same_samples: bool,
) -> KeptCandidates:
    """Below the cache of `options`, without which nothing is kept. A metric of the user's own may read anything: what it judges is not
    to be kept.
    """
    if options.cache is None:
        return KeptCandidates(None, {})
    options = options.of(candidate)
    about: dict[str, Any] = replace(
        model, name="", source="", files={}, notes=(), absent={}, networks=()
    ).to_dict()
    return KeptCandidates(
        options.cache,
        {
            "format": _FORMAT,
            "edgeq": [__version__, own_sources()],
            "versions": installed_versions(_CONVERTERS),
            "saturates": host_saturates(),
            "candidate": replace(candidate, reason="").to_dict(),
            "model": about,
            "files": {kind: sha256_of(Path(file)) for kind, file in model.files.items()},
            "calibration": None if calibration is None else [calibration.sha256, calibration.count],
            "heldout": [heldout.sha256, heldout.count],
            "same_samples": same_samples,
            "options": {**asdict(replace(options, cache=None)), "passes": sorted(options.passes)},
        },
    )


def known(
    candidates: Iterable[CandidatePlan],
    model: Model,
    calibration: SamplesLike | None,
    heldout: SamplesLike,
    options: Options,
    *,
    same_samples: bool,
) -> frozenset[str]:
    """The ids of those that are kept: what is left to do of them is to be judged, unless the gate of now refuses them."""
    if _below(options.cache).is_empty:  # or the files of the model would be hashed for nothing
        return frozenset()
    facts = {"same_samples": same_samples}
    return frozenset(c.id for c in candidates if of(c, model, calibration, heldout, options, **facts).holds)


def _below(cache: Path | None) -> ArrayCache:
    return ArrayCache(None if cache is None else cache / "candidates", _MOST, compressed=False)


def judged_again(kept: Fidelity, now: Fidelity) -> Fidelity:
    """The judgement of `now`, with all that was found out about the file when it was made, but no times: those were of another
    conversion.
    """
    return replace(
        now,
        candidate=kept.candidate,
        float_layers=kept.float_layers,
        fusion=kept.fusion,
        calibrator=kept.calibrator,
        remedies=kept.remedies,
        repairs=kept.repairs,
        seconds=0.0,
        costs=(),
    )
