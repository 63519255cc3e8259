"""What of a model file decides which kernels run, as a digest: all but the values of its weights."""

import hashlib

from edgeq.foreign import as_conversion_failed

from .tflite import tflite_of
from .weightless import with_initializers


def kernels_of(content: bytes, format: str) -> str:
    """Equal for files that differ in the values of weights, scales and zero points alone; `format` is onnx or tflite.

    Raises ConversionFailed for what is no such file, ExtraMissing for .tflite without LiteRT.
    """
    if format == "tflite":
        graph = tflite_of(content)
        described = repr((graph.tensors, graph.operators, graph.inputs, graph.outputs)).encode()
        return hashlib.sha256(described).hexdigest()
    from onnx import ModelProto, TensorProto

    with as_conversion_failed("cannot read a candidate as ONNX"):
        model = ModelProto.FromString(content)
    shapes = (TensorProto(name=t.name, data_type=t.data_type, dims=t.dims) for t in model.graph.initializer)
    alone = with_initializers(model, shapes)
    del alone.metadata_props[:]
    return hashlib.sha256(alone.SerializeToString(deterministic=True)).hexdigest()
