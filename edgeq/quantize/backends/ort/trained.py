"""Writes a network that was trained in its integers: the QDQ file that the training made, in the target's activation type."""

from collections.abc import Collection
from pathlib import Path

from edgeq.graphs.onnx_io import read_onnx, write_onnx
from edgeq.quantize.activation_type import with_activation_type
from edgeq.quantize.passes.int16_saturation import clamp_pairs
from edgeq.quantize.quantization import Backend, Quantization, Written


class OrtTrained(Backend):
    """Nothing of it is decided here; where the target's kernels add pairs in 16 bits, those that would overflow are clamped."""

    def write(
        self, q: Quantization, path: Path, in_float: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        assert q.scheme is not None and q.trained is not None  # the planner gives both
        model = with_activation_type(read_onnx(q.trained), q.scheme.activations)
        if q.scheme.pairs_fit:
            clamp_pairs(model)
        write_onnx(model, path)
        return Written(path)
