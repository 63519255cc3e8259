"""Parts of a graph as models of their own."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.ort_session import ort_session
from edgeq.graphs.stages import ending_at, part_of, untyped

X = np.array([1.0, -2.0], np.float32)


def model() -> onnx.ModelProto:
    """y = -relu(x + w) * v"""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Add", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Mul", ["r", "v"], ["m"]),
        helper.make_node("Neg", ["m"], ["y"]),
    ]
    stored = [numpy_helper.from_array(np.full(2, n, np.float32), k) for k, n in (("w", 1), ("v", 3))]
    graph = helper.make_graph(
        nodes, "g", [value("x", TensorProto.FLOAT, [2])], [value("y", TensorProto.FLOAT, [2])], stored
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_ending_at_gives_inner_tensors_in_the_order_asked_for() -> None:
    whole = model()
    session = ort_session(ending_at(whole, ["m", "a", "m"]), threads=1)
    assert [o.name for o in session.get_outputs()] == ["m", "a"]
    m, a = session.run(None, {"x": X})
    np.testing.assert_array_equal(m, [6, 0])
    np.testing.assert_array_equal(a, [2, -1])
    assert [o.name for o in whole.graph.output] == ["y"]


def test_a_part_has_its_nodes_and_the_initializers_that_they_read() -> None:
    whole = model()
    nodes = index_of(whole.graph).ancestors(["m"], stop={"r"})
    inputs = [helper.make_tensor_value_info("r", TensorProto.FLOAT, [2])]
    part = part_of(whole, nodes, inputs, [untyped("m")])
    assert [n.op_type for n in part.graph.node] == ["Mul"]
    assert [i.name for i in part.graph.initializer] == ["v"]
    assert (part.ir_version, part.opset_import[0].version) == (8, 17)
    np.testing.assert_array_equal(ort_session(part, threads=1).run(None, {"r": X})[0], [3, -6])


def test_an_initializer_that_is_an_input_of_the_part_is_fed() -> None:
    whole = model()
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("r", "v")]
    part = part_of(whole, [whole.graph.node[2]], inputs, [untyped("m")])
    assert not part.graph.initializer
    np.testing.assert_array_equal(ort_session(part, threads=1).run(None, {"r": X, "v": X})[0], [1, 4])
