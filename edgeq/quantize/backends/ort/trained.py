"""Writes a network that was trained in its integers: the QDQ file that the training made, in the target's activation type."""

from collections.abc import Collection
from pathlib import Path

from edgeq.graphs.onnx_io import read_onnx, write_onnx
from edgeq.nouns.passes import AppliedChange
from edgeq.plain_text import counted
from edgeq.quantize.activation_type import with_activation_type
from edgeq.quantize.passes.int16_saturation import clamp_pairs
from edgeq.quantize.quantization import Backend, Quantization, Written


class OrtTrained(Backend):
    """Nothing of it is decided here. Where the target's kernels add pairs in 16 bits, and the network was trained for one whose
    kernels do not, those that would overflow are clamped, and reported.
    """

    def write(
        self, q: Quantization, path: Path, in_float: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        assert q.scheme is not None and q.trained is not None  # the planner gives both
        model = with_activation_type(read_onnx(q.trained), q.scheme.activations)
        clamped = clamp_pairs(model) if q.scheme.pairs_fit else 0
        write_onnx(model, path)
        if not clamped:
            return Written(path)
        how = f"{counted(clamped, 'pair')} clamped so that sums fit into 16 bits: it was trained for another target"
        return Written(path, (AppliedChange("weights", how),))
