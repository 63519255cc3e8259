"""What a model gave on samples, cached on disk: for another target, gate or name neither float nor a candidate is run again.

Found by the contents of the file. A folder of its own, so that outputs push out nothing that took longer to make.
"""

from pathlib import Path

import numpy as np

from edgeq.graphs.ort_session import host_saturates
from edgeq.installed import installed_versions, own_sources
from edgeq.quantize.calibration.array_cache import ArrayCache
from edgeq.quantize.evaluate.verdict_cache import sha256_of
from edgeq.quantize.samples import Array, SamplesLike

_FORMAT = 1
_MOST = 128 * 2**20  # bytes
_LARGEST = 8 * 2**20  # bytes: what is larger takes as long to read
_RUNTIMES = ("numpy", "onnxruntime", "ai-edge-litert")


class KeptOutputs:
    """Of `file` on `samples`, below `cache`; without one nothing is kept and nothing found. `how` is all else that they depend on:
    how the file is loaded.
    """

    def __init__(self, cache: Path | None, file: Path, samples: SamplesLike, **how: object) -> None:
        self._cache = ArrayCache(None if cache is None else cache / "outputs", _MOST, compressed=False)
        self._facts: dict[str, object] = {}
        if cache is not None:
            self._facts = {
                "format": _FORMAT,
                "edgeq": own_sources(),
                "runtimes": installed_versions(_RUNTIMES),
                "saturates": host_saturates(),
                "file": sha256_of(file),
                "samples": [type(samples).__name__, samples.sha256, samples.count],
                **how,
            }

    def find(self) -> tuple[tuple[Array, ...], float | None] | None:
        """The outputs, and the number that was kept with them."""
        found = self._cache.find(what="outputs", **self._facts)
        if found is None:
            return None
        outputs = tuple(found[f"output{k}"] for k in range(len(found) - 1))
        return outputs, float(found["number"][0]) if found["number"].size else None

    def keep(self, outputs: tuple[Array, ...], number: float | None = None) -> None:
        """Not those of many shapes, nor large ones."""
        if any(o.dtype == object for o in outputs) or sum(o.nbytes for o in outputs) > _LARGEST:
            return
        arrays = {f"output{k}": output for k, output in enumerate(outputs)}
        self._cache.put(
            {**arrays, "number": np.array([] if number is None else [number])}, what="outputs", **self._facts
        )

    def are_finite(self) -> bool:
        """Whether that is known; False where it is not."""
        return self._cache.find(what="finite", **self._facts) is not None

    def keep_finite(self) -> None:
        self._cache.put({"finite": np.array([1])}, what="finite", **self._facts)
