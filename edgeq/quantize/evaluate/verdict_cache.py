"""Verdicts of files that were tried, cached on disk: an interrupted search resumes.

A verdict is found again by the content of the judged file, not by how it was made.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgeq import __version__
from edgeq.installed import installed_versions
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.model import Model
from edgeq.nouns.record import canonical_json
from edgeq.quantize.calibration.array_cache import NO_CACHE, ArrayCache
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.layer_noise import Noise
from edgeq.quantize.samples import SamplesLike

_FORMAT = 10
_MOST = 8 * 2**20  # bytes: some thousand verdicts
_RUNTIMES = ("onnxruntime", "ai-edge-litert")


class VerdictCache:
    """`facts` are all that a verdict depends on besides the judged file; None: nothing is cached. `found` counts
    the verdicts that were known from before.
    """

    def __init__(self, cache: ArrayCache, facts: dict[str, object] | None) -> None:
        self._cache = NO_CACHE if facts is None else cache
        self._facts, self.found = facts or {}, 0
        self._new: set[str] = set()  # files that were judged here

    def judged(self, path: Path, judge: Callable[[], Fidelity]) -> Fidelity:
        """The verdict of `judge` on the file at `path`, now or before."""
        file = sha256_of(path)
        known = self._find("verdict", file)
        if known is not None:
            self.found += file not in self._new
            return Fidelity.from_dict(known)
        fidelity = judge()
        self._new.add(file)
        self._put("verdict", file, fidelity.to_dict())
        return fidelity

    def noise(self, path: Path, measure: Callable[[], tuple[Noise, ...]]) -> tuple[Noise, ...]:
        """The noise of the layers of the file at `path` by `measure`, now or before."""
        file = sha256_of(path)
        known = self._find("noise", file)
        if known is not None:
            return tuple(
                Noise(
                    **{
                        **n,
                        "in_float": frozenset(n["in_float"]),
                        "noise_to_signal": tuple(n["noise_to_signal"]),
                    }
                )
                for n in known
            )
        found = measure()
        self._put("noise", file, [{**asdict(n), "in_float": sorted(n.in_float)} for n in found])
        return found

    def _find(self, what: str, file: str) -> Any:
        arrays = self._cache.find(what=what, file=file, **self._facts)
        return None if arrays is None else json.loads(arrays["json"].tobytes())

    def _put(self, what: str, file: str, value: object) -> None:
        content = {"json": np.frombuffer(canonical_json(value), np.uint8)}
        self._cache.put(content, what=what, file=file, **self._facts)


def verdict_cache(
    cache: Path | None,
    model: Model,
    heldout: SamplesLike,
    gate: Gate,
    *,
    candidate: str,
    threads: int,
    same_samples: bool,
    saturates: bool,
) -> VerdictCache:
    """Below `cache`. `saturates`: the file is judged by kernels that saturate, which another host may not have. A metric of
    the user's own may import and read anything, so its verdicts are not cached."""
    facts = None
    if gate.metric is None:
        facts = {
            "format": _FORMAT,
            "edgeq": __version__,
            "model": model.sha256,
            "reference": {kind: sha256_of(Path(file)) for kind, file in model.files.items()},
            "heldout": heldout.sha256,
            "count": heldout.count,
            "gate": asdict(gate),
            "candidate": candidate,
            "threads": threads,
            "same_samples": same_samples,
            "saturates": saturates,
            "runtimes": installed_versions(_RUNTIMES),
        }
    return VerdictCache(ArrayCache(cache / "tried" if cache else None, _MOST), facts)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
