"""Writes dynamic int8 for onnxruntime: MatMul, Gemm and LSTM with fixed weights; convolutions never.

ConvInteger is several times slower than a float convolution on every CPU we measured.
"""

from pathlib import Path
from typing import Any

from edgeq.foreign import quiet, translated
from edgeq.quantize.float_graph import write
from edgeq.quantize.graph_work import DYNAMIC


def emit(model: Any, out: Path, *, reduce_range: bool = False) -> None:
    """Quantizes the weights of `model` (float_graph.read) into `out`, per channel. Raises ConversionFailed."""
    write(quantized(model, reduce_range=reduce_range), out)


def quantized(model: Any, *, reduce_range: bool = False) -> Any:
    """The same as a ModelProto; `model` stays as it is."""
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.onnx_quantizer import ONNXQuantizer
    from onnxruntime.quantization.quant_utils import QuantizationMode

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _forget_shapes_of_weights(copy.graph)
    with quiet(), translated("onnxruntime's quantizer refused the graph", "deploy with --recipe float"):
        quantizer = ONNXQuantizer(
            copy,
            True,  # per channel
            reduce_range,
            QuantizationMode.IntegerOps,
            False,  # not static
            QuantType.QInt8,
            QuantType.QUInt8,  # the only type that onnxruntime quantizes activations to as they come
            None,
            [],
            _by_vectors(copy.graph),
            list(DYNAMIC),
            {"MatMulConstBOnly": True, "EnableSubgraph": True},
        )
        quantizer.quantize_model()
        return quantizer.model.model


def _by_vectors(graph: Any) -> list[str]:
    """MatMuls whose weight has one dimension: onnxruntime quantizes them and its kernel then refuses to run."""
    vectors = {tensor.name for tensor in graph.initializer if len(tensor.dims) == 1}
    return [n.name for n in graph.node if n.op_type == "MatMul" and n.input[1] in vectors]


def _forget_shapes_of_weights(graph: Any) -> None:
    """The quantizer transposes the weights of a Gemm in place and trips over shapes that an exporter noted for them."""
    weights = {tensor.name for tensor in graph.initializer}
    kept = [info for info in graph.value_info if info.name not in weights]
    del graph.value_info[:]
    graph.value_info.extend(kept)
