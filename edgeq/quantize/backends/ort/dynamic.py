"""Dynamic int8 by onnxruntime's own quantizer: MatMul, Gemm and LSTM with fixed weights; convolutions never.

ConvInteger is several times slower than a float convolution on every CPU we measured.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import Graph, index_of
from edgeq.graphs.onnx_io import write_onnx
from edgeq.graphs.op_sets import DYNAMIC
from edgeq.quantize.backends.refused_layers import found_by_trying, runs
from edgeq.quantize.passes import embeddings, recurrent
from edgeq.quantize.quantization import Context, GraphBackend, Quantization, Written, run_passes

if TYPE_CHECKING:
    import onnx


class OrtDynamic(GraphBackend):
    """Weights get 7 bits where pairs of products would saturate."""

    def refused(self, q: Quantization, context: Context) -> dict[str, str]:
        lowered = run_passes((recurrent, embeddings), q, context)
        sample = context.samples[0] if context.samples is not None else None
        path = context.path.with_name("refused.onnx")

        def attempt(in_float: frozenset[str]) -> None:
            write_onnx(quantized(lowered.graph, in_float=in_float), path)
            runs(path, "onnx", sample)

        layers = [n.name for n in lowered.graph.graph.node if n.op_type in DYNAMIC]
        return found_by_trying(layers, attempt, path)

    def write(
        self, q: Quantization, path: Path, in_float: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        write_onnx(self._quantized(q, frozenset(in_float)), path)
        return Written(path)

    def quantized(self, q: Quantization) -> "onnx.ModelProto":
        return self._quantized(q, frozenset())

    def _quantized(self, q: Quantization, in_float: frozenset[str]) -> "onnx.ModelProto":
        seven_bits = q.scheme is not None and q.scheme.reduce_range
        return quantized(q.graph, reduce_range=seven_bits, in_float=in_float.union(q.in_float))


def quantized(
    model: "onnx.ModelProto", *, reduce_range: bool = False, in_float: frozenset[str] = frozenset()
) -> "onnx.ModelProto":
    """A copy of `model` (float_graph.read) whose weights are quantized per channel; nodes named in `in_float` stay in float.
    Raises ConversionFailed.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.onnx_quantizer import ONNXQuantizer
    from onnxruntime.quantization.quant_utils import QuantizationMode

    copy = copied(model)
    _forget_shapes_of_weights(copy.graph)
    with (
        quiet(),
        as_conversion_failed("onnxruntime's quantizer refused the graph", "deploy with --recipe float"),
    ):
        quantizer = ONNXQuantizer(
            copy,
            True,  # per channel
            reduce_range,
            QuantizationMode.IntegerOps,
            False,  # not static
            QuantType.QInt8,
            QuantType.QUInt8,  # the only type for which onnxruntime has dynamic quantization of activations
            None,
            [],
            _names(in_float.union(without_kernel(copy.graph))),
            list(DYNAMIC),
            {"MatMulConstBOnly": True, "EnableSubgraph": True},
        )
        quantizer.quantize_model()
        return quantizer.model.model


def _names(in_float: frozenset[str]) -> frozenset[str]:
    """onnxruntime's quantizer writes a Gemm as a MatMul and an Add before it looks for what to leave."""
    return in_float.union(f"{name}_MatMul" for name in in_float)


def without_kernel(graph: Graph) -> dict[str, str]:
    """By name the MatMuls that onnxruntime quantizes and its kernel then refuses to run, with the reason."""
    index = index_of(graph)
    products = ((n, index.initializer(n.input[1])) for n in index.nodes if n.op_type == "MatMul")
    return {
        node.name: f"its weight is {'a vector' if len(weight.dims) == 1 else 'a stack of matrices'}, for which onnxruntime "
        "has no dynamic int8 kernel"
        for node, weight in products
        if weight is not None and len(weight.dims) != 2
    }


def _forget_shapes_of_weights(graph: "onnx.GraphProto") -> None:
    """The quantizer transposes the weights of a Gemm in place and trips over shapes that an exporter noted for them."""
    index = index_of(graph)
    kept = [info for info in graph.value_info if index.initializer(info.name) is None]
    del graph.value_info[:]
    graph.value_info.extend(kept)
