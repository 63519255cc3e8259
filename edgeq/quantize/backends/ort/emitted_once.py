"""Static int8 for onnxruntime, quantized once for each choice of layers and then only given other ranges."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.foreign import translated
from edgeq.nouns.fidelity import Remedy
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import Ranges
from edgeq.quantize.float_graph import write
from edgeq.quantize.passes.ranges.patch_ranges import Reranged

if TYPE_CHECKING:
    import onnx

_KEPT = 2  # choices: all layers, and all but the head


class EmittedOnce:
    """Writes `model` to `path` as `qdq.emit` does; that takes as long as 200 inferences for MobileNetV2."""

    def __init__(self, model: Any, path: Path, scheme: Scheme, *, moves: bool) -> None:
        self._model, self._path, self._scheme, self._moves = model, path, scheme, moves
        self._made: dict[frozenset[str], tuple[Reranged, tuple[Remedy, ...]]] = {}

    def is_of(self, model: "onnx.ModelProto", path: Path) -> bool:
        return self._model is model and self._path == path

    def write(self, ranges: Ranges, leave: frozenset[str]) -> tuple[Remedy, ...]:
        """What `emit` returns. Raises ConversionFailed."""
        if leave not in self._made or not self._made[leave][0].takes(ranges):
            self._made = dict(list(self._made.items())[1 - _KEPT :])
            self._made[leave] = self._emitted(ranges, leave)
        reranged, moved = self._made[leave]
        write(reranged.model(ranges), self._path)
        return moved

    def _emitted(self, ranges: Ranges, leave: frozenset[str]) -> tuple[Reranged, tuple[Remedy, ...]]:
        import onnx

        moved = qdq.emit(self._model, self._path, self._scheme, ranges, leave, moves=self._moves)
        with translated(f"cannot read {self._path.name} as ONNX"):
            return Reranged(onnx.load(str(self._path)), ranges), moved
