"""A float sample becomes the integers that the runtime's own QuantizeLinear makes of it, at ties too."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnxruntime import InferenceSession

from edgeq.graphs.input_integers import input_integers


def by_onnxruntime(values, scale, zero_point, dtype):
    kind = {np.int8: TensorProto.INT8, np.uint8: TensorProto.UINT8, np.int16: TensorProto.INT16}[dtype]
    constants = [
        helper.make_tensor("s", TensorProto.FLOAT, [], [scale]),
        helper.make_tensor("z", kind, [], [zero_point]),
    ]
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
        [helper.make_tensor_value_info("y", kind, [None])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (found,) = InferenceSession(model.SerializeToString()).run(None, {"x": values})
    return found


@pytest.mark.parametrize(("dtype", "zero_point"), [(np.int8, -128), (np.uint8, 3), (np.int16, 0)])
@pytest.mark.parametrize("scale", [0.1, 1 / 255, 0.0235])
def test_it_is_what_quantize_linear_makes_of_it(dtype, zero_point, scale):
    ties = (np.arange(-200, 200) + 0.5) * scale
    values = np.concatenate([ties, np.linspace(-1e6, 1e6, 99)]).astype(np.float32)
    expected = by_onnxruntime(values, scale, zero_point, dtype)
    found = input_integers(values, dtype, scale, zero_point)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)


def test_a_quotient_in_float64_would_round_to_another_integer():
    values = ((np.arange(-200, 200) + 0.5) * 0.1).astype(np.float32)
    in_double = np.clip(np.rint(values.astype(np.float64) / 0.1), -128, 127)
    assert (input_integers(values, np.int8, 0.1, 0) != in_double).any()
