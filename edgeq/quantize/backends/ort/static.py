"""Static int8 for onnxruntime as a backend: the QDQ file, then the fitted weights, then pairs clamped to 16 bits."""

from collections.abc import Collection
from pathlib import Path

from edgeq.quantize.backends.ort.emitted_once import EmittedOnce
from edgeq.quantize.backends.refused_layers import refused_in_qdq
from edgeq.quantize.passes.fit import fit_onnx
from edgeq.quantize.passes.int16_saturation import settle
from edgeq.quantize.quantization import Context, Quantization, Written


class OrtStatic:
    """The backend of static int8. With `moves`, operators that only move values do so on integers.

    The quantizer runs once for each choice of layers; other ranges are then put into what it made.
    """

    def __init__(self, *, moves: bool) -> None:
        self._moves = moves
        self._emitted: EmittedOnce | None = None

    def unsupported(self, q: Quantization) -> dict[str, str]:
        return {}

    def refused(self, q: Quantization, context: Context) -> dict[str, str]:
        assert q.scheme is not None
        return refused_in_qdq(q.graph, q.scheme, context.calibration[0], context.path.parent)

    def write(
        self, q: Quantization, path: Path, leave: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        moved = self._emission(q, path).write(q.ranges, frozenset(leave).union(q.in_float))
        if fitted:
            fit_onnx.replay(q.graph, path, q.weights)
        if fitted and q.clamp_pairs:
            settle(path)
        return Written(path, moved)

    def _emission(self, q: Quantization, path: Path) -> EmittedOnce:
        if self._emitted is None or not self._emitted.is_of(q.graph, path):
            assert q.scheme is not None  # the planner gives one to every static candidate
            self._emitted = EmittedOnce(q.graph, path, q.scheme, moves=self._moves)
        return self._emitted
