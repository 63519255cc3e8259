"""What a layer multiplies: groups, rows, the length of a row, and how many columns in one run."""

from pathlib import Path

import numpy as np
import onnx

from edgeq.graphs.macs import heavy_operators, onnx_macs
from edgeq.graphs.products import Product, onnx_products, tflite_products
from tests.quantize.tflite_networks import convolution, dense

TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[1,8,6,6] x, float[16,8,3,3] full, float[16,1,3,3] depthwise, float[10,576] last) => (float[1,10] y)
{
    a = Conv <pads = [1,1,1,1]> (x, full)
    b = Conv <pads = [1,1,1,1], group = 16> (a, depthwise)
    f = Flatten (b)
    y = Gemm <transB = 1> (f, last)
}
"""


def net() -> onnx.ModelProto:
    """All inputs but x are weights."""
    model = onnx.parser.parse_model(TEXT)
    for value in list(model.graph.input)[1:]:
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
        weight = onnx.numpy_helper.from_array(np.zeros(shape, np.float32), value.name)
        model.graph.initializer.append(weight)
        model.graph.input.remove(value)
    for node in model.graph.node:
        node.name = node.input[-1]
    return onnx.shape_inference.infer_shapes(model)


def macs_of(product: Product) -> int:
    return product.groups * product.rows * product.length * product.columns


def test_of_an_onnx_graph() -> None:
    model = net()
    found = list(onnx_products(model))
    assert found == [
        Product("full", 1, 16, 72, 36),
        Product("depthwise", 16, 1, 9, 36),
        Product("last", 1, 10, 576, 1),
    ]
    assert sum(map(macs_of, found)) == onnx_macs(model)


def test_of_a_tflite_file(tmp_path: Path) -> None:
    for path in (dense(tmp_path / "dense.tflite"), convolution(tmp_path / "conv.tflite")):
        products = list(tflite_products(path))
        assert sum(map(macs_of, products)) == sum(op.macs for op in heavy_operators(path)) > 0
