"""The modules that stand for onnxruntime's kernels on x86 give their integers, every one, where the plain operator does not."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip("torch")

from edgeq.graphs.ort_session import ort_session  # noqa: E402
from edgeq.train.quantized_network import QuantizedNetwork  # noqa: E402

SHAPE = (1, 32, 16, 16)
ONE, OTHER, RESULT = (0.0437, 111), (0.0311, 133), (0.0523, 119)
SCALES = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")


def file(node: onnx.NodeProto, result: tuple[float, int], *stored: onnx.TensorProto) -> onnx.ModelProto:
    """`node` reads "a", or "a" and "b", and makes "y", all of them quantized."""
    numbers = {"a": ONE, "b": OTHER, "y": result}
    ends = [name for name in node.input if name in numbers]
    nodes, constants = [], [*stored]
    for name in (*ends, "y"):
        scale, zero = numbers[name]
        constants.append(numpy_helper.from_array(np.float32(scale), f"{name}_scale"))
        constants.append(numpy_helper.from_array(np.uint8(zero), f"{name}_zero"))
        pair = [f"{name}_scale", f"{name}_zero"]
        source = "made" if name == "y" else f"{name}_float"
        target = "y" if name == "y" else f"{name}_real"
        nodes.append(helper.make_node("QuantizeLinear", [source, *pair], [f"{name}_q"], name=f"{name}.q"))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", *pair], [target], name=f"{name}.dq"))
    node.input[:] = [f"{name}_real" if name in ends else name for name in node.input]
    node.output[:], node.name = ["made"], "node"
    graph = helper.make_graph(
        [*nodes[:-2], node, *nodes[-2:]],
        "one",
        [helper.make_tensor_value_info(f"{name}_float", TensorProto.FLOAT, SHAPE) for name in ends],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize(
    ("node", "result", "stored"),
    [
        (helper.make_node("Add", ["a", "b"], ["y"]), RESULT, ()),
        (helper.make_node("Mul", ["a", "b"], ["y"]), RESULT, ()),
        (helper.make_node("AveragePool", ["a"], ["y"], kernel_shape=[2, 2], strides=[2, 2]), ONE, ()),
        (helper.make_node("AveragePool", ["a"], ["y"], kernel_shape=[16, 16]), ONE, ()),
        (helper.make_node("GlobalAveragePool", ["a"], ["y"]), RESULT, ()),
        (helper.make_node("Resize", ["a", "", "scales"], ["y"], mode="linear"), ONE, (SCALES,)),
        (helper.make_node("Softmax", ["a"], ["y"], axis=1), (1 / 255, 0), ()),
    ],
    ids=["sum", "product", "windows", "one window", "mean", "resizing", "softmax"],
)
def test_every_integer(node, result, stored) -> None:
    model = file(onnx.NodeProto.FromString(node.SerializeToString()), result, *stored)
    names = [i.name for i in model.graph.input]
    random = np.random.default_rng(0)
    rows = [random.uniform(-5, 5, (64, *SHAPE[1:])).astype(np.float32) for _ in names]
    session = ort_session(model, threads=1)
    theirs = [
        session.run(None, {n: r[k : k + 1] for n, r in zip(names, rows, strict=True)}) for k in range(64)
    ]
    network = QuantizedNetwork(model, {}).eval()
    with torch.no_grad():
        own = network(*map(torch.from_numpy, rows))[0].numpy()
    steps = np.rint((own - np.concatenate([each[0] for each in theirs])) / result[0])
    assert not np.any(steps)
