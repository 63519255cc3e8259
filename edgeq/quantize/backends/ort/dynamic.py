"""Dynamic int8 for onnxruntime as a backend."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.quantize.backends.ort.dynamic_quantizer import quantized
from edgeq.quantize.backends.refused_layers import refused_in_dynamic
from edgeq.quantize.float_graph import write
from edgeq.quantize.passes import embeddings, recurrent
from edgeq.quantize.quantization import Context, Quantization, Written, through

if TYPE_CHECKING:
    import onnx


class OrtDynamic:
    """Weights get 7 bits where pairs of products would saturate."""

    def unsupported(self, q: Quantization) -> dict[str, str]:
        return {}

    def refused(self, q: Quantization, context: Context) -> dict[str, str]:
        lowered = through((recurrent, embeddings), q, context)
        sample = context.samples[0] if context.samples is not None else None
        return refused_in_dynamic(lowered.graph, sample, context.path.parent)

    def write(
        self, q: Quantization, path: Path, leave: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        write(self._quantized(q, frozenset(leave)), path)
        return Written(path)

    def quantized(self, q: Quantization) -> "onnx.ModelProto":
        return self._quantized(q, frozenset())

    def _quantized(self, q: Quantization, leave: frozenset[str]) -> "onnx.ModelProto":
        seven_bits = q.scheme is not None and q.scheme.reduce_range
        return quantized(q.graph, reduce_range=seven_bits, leave=leave.union(q.in_float))
