"""Writes float16 for onnxruntime with its own converter; inputs and outputs keep their types."""

from pathlib import Path
from typing import Any

from edgeq.foreign import quiet, translated
from edgeq.quantize.float_graph import write


def emit(model: Any, out: Path) -> None:
    """Casts `model` (float_graph.read) into `out`. Raises ConversionFailed."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    with (
        quiet(),
        translated("onnxruntime's float16 converter refused the graph", "deploy with --recipe float"),
    ):
        half = convert_float_to_float16(copy, keep_io_types=True, disable_shape_infer=False)
    write(half, out)
