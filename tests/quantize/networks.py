"""Small networks and samples that the tests of quantization share."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.nouns.tensor import TensorSpec

STATIC = CandidatePlan(
    "onnxruntime-int8_static",
    "onnxruntime",
    "int8_static",
    "onnx",
    "a test",
    scheme=Scheme("uint8", "int8", True),
)


@dataclass(frozen=True)
class Rows:
    """Samples of one input, the batch of one added."""

    rows: np.ndarray
    labels: np.ndarray | None = None
    sha256: str = "0" * 64
    boxes: np.ndarray | None = None

    @property
    def truth(self):
        return self.labels if self.boxes is None else self.boxes

    @property
    def count(self):
        return len(self.rows)

    def __getitem__(self, i):
        return (self.rows[i : i + 1],)


def images(count, seed=0, shape=(3, 16, 16)):
    """Noise with a different mean per image, so that the classes of a random network differ."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, *shape)) + rng.normal(scale=2, size=(count, shape[0], 1, 1))
    return rows.astype(np.float32)


def residual(channels=16, classes=10, opset=17):
    """Two blocks with shortcuts, the shape that trips a careless quantizer; about 10,000 weights."""
    rng = np.random.default_rng(1)
    weights, nodes = [], []

    def conv(name, source, inputs, outputs):
        w = rng.normal(scale=(2 / (inputs * 9)) ** 0.5, size=(outputs, inputs, 3, 3)).astype(np.float32)
        b = rng.normal(scale=0.1, size=outputs).astype(np.float32)
        weights.extend([numpy_helper.from_array(w, f"{name}.w"), numpy_helper.from_array(b, f"{name}.b")])
        node = helper.make_node(
            "Conv", [source, f"{name}.w", f"{name}.b"], [name], name=name, pads=[1, 1, 1, 1]
        )
        nodes.append(node)
        return name

    def then(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [output], name=f"{output}_{op}", **attributes))
        return output

    x = then("Relu", [conv("stem", "x", 3, channels)], "r0")
    for block in ("one", "two"):
        y = then("Relu", [conv(f"{block}.a", x, channels, channels)], f"{block}.r")
        y = conv(f"{block}.b", y, channels, channels)
        x = then("Relu", [then("Add", [y, x], f"{block}.sum")], f"{block}.out")
    pooled = then("Flatten", [then("GlobalAveragePool", [x], "pool")], "flat")
    weights.append(numpy_helper.from_array(rng.normal(size=(classes, channels)).astype(np.float32), "head.w"))
    then("Gemm", [pooled, "head.w"], "scores", transB=1)
    return model_of(nodes, weights, [("x", (1, 3, 16, 16))], [("scores", (1, classes))], opset)


def two_scales():
    """Three convolutions and a detection head, whose output concatenates values of 0..1 and of 0..10,000."""
    rng = np.random.default_rng(3)
    weights = [
        numpy_helper.from_array(rng.normal(scale=0.2, size=s).astype(np.float32), n)
        for n, s in {"a": (8, 3, 3, 3), "b": (8, 8, 3, 3), "c": (8, 8, 3, 3)}.items()
    ]
    weights.append(numpy_helper.from_array(np.array([10_000.0], np.float32), "big"))
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "a"], ["ca"], name="ca", pads=[1, 1, 1, 1]),
        node("Relu", ["ca"], ["ra"], name="ra"),
        node("Conv", ["ra", "b"], ["cb"], name="cb", pads=[1, 1, 1, 1]),
        node("Relu", ["cb"], ["rb"], name="rb"),
        node("Conv", ["rb", "c"], ["cc"], name="cc", pads=[1, 1, 1, 1]),
        node("Sigmoid", ["cc"], ["score"], name="score"),
        node("Mul", ["score", "big"], ["box"], name="box"),
        node("Concat", ["score", "box"], ["joined"], name="joined", axis=1),
        node("Slice", ["joined", "from", "to", "axes"], ["scores"], name="scores"),
    ]
    weights += [
        numpy_helper.from_array(np.array([v], np.int64), n) for n, v in (("from", 0), ("to", 8), ("axes", 1))
    ]
    shape = (1, 8, 16, 16)
    return model_of(nodes, weights, [("x", (1, 3, 16, 16))], [("joined", (1, 16, 16, 16)), ("scores", shape)])


def inside_if():
    """A convolution in either branch of an If: the static quantizer does not go in there."""
    rng = np.random.default_rng(0)

    def branch(name):
        weight = numpy_helper.from_array(rng.normal(size=(4, 3, 3, 3)).astype(np.float32), f"{name}.w")
        nodes = [
            helper.make_node("Conv", ["x", f"{name}.w"], [f"{name}.c"], name=f"{name}.conv"),
            helper.make_node("Tanh", [f"{name}.c"], [f"{name}.y"], name=f"{name}.tanh"),
        ]
        out = helper.make_tensor_value_info(f"{name}.y", TensorProto.FLOAT, (1, 4, 14, 14))
        return helper.make_graph(nodes, name, [], [out], [weight])

    yes, no = branch("yes"), branch("no")
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0, name="sum"),
        helper.make_node("Cast", ["sum"], ["positive"], to=TensorProto.BOOL, name="cast"),
        helper.make_node("If", ["positive"], ["y"], then_branch=yes, else_branch=no, name="if"),
    ]
    return model_of(nodes, [], [("x", (1, 3, 16, 16))], [("y", (1, 4, 14, 14))])


def model_of(nodes, weights, inputs, outputs, opset=17):
    def infos(pairs):
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in pairs]

    graph = helper.make_graph(nodes, "net", infos(inputs), infos(outputs), weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def saved(model, folder: Path, name="net") -> Model:
    """The Model noun of an onnx model, its file in `folder`."""
    path = folder / f"{name}.onnx"
    onnx.save(model, str(path))

    def specs(values):
        return tuple(
            TensorSpec(v.name, "float32", tuple(d.dim_value for d in v.type.tensor_type.shape.dim))
            for v in values
        )

    return Model(
        name=name,
        source=str(path),
        source_format="onnx",
        sha256=name.ljust(64, "0"),
        inputs=specs(model.graph.input),
        outputs=specs(model.graph.output),
        float_bytes=path.stat().st_size,
        files={"onnx": str(path)},
    )
