"""Writes dynamic int8 for onnxruntime: MatMul, Gemm and LSTM with fixed weights; convolutions never.

ConvInteger is several times slower than a float convolution on every CPU we measured.
"""

from pathlib import Path
from typing import Any

from edgeq.quantize.float_graph import write
from edgeq.quantize.foreign import quiet, translated
from edgeq.quantize.graph_work import DYNAMIC


def emit(model: Any, out: Path, *, reduce_range: bool = False) -> None:
    """Quantizes the weights of `model` (float_graph.read) into `out`, per channel. Raises ConversionFailed."""
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.onnx_quantizer import ONNXQuantizer
    from onnxruntime.quantization.quant_utils import QuantizationMode

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
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
            [],
            list(DYNAMIC),
            {"MatMulConstBOnly": True, "EnableSubgraph": True},
        )
        quantizer.quantize_model()
        quantized = quantizer.model.model
    write(quantized, out)
