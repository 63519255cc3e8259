"""A small residual network that tells four classes of images apart, and its QDQ file: what the tests of training begin with."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeq.graphs.ort_session import ort_session
from edgeq.graphs.stages import ending_at
from edgeq.graphs.weightless import infer_shapes
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort.qdq import emitted
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of

U8 = Scheme("uint8", "int8", True)
S8 = Scheme("int8", "int8", True)
SIZE, CLASSES, WIDTH = 8, 4, 8


@dataclass(frozen=True)
class Images:
    """Blobs of a class each: samples [1, 3, 8, 8] and labels."""

    images: np.ndarray
    labels: np.ndarray | None
    sha256: str = "1" * 64

    @property
    def count(self) -> int:
        return len(self.images)

    @property
    def truth(self) -> np.ndarray | None:
        return self.labels

    def __getitem__(self, i: int) -> tuple[np.ndarray, ...]:
        return (self.images[i : i + 1],)


def images(count: int = 256, *, labelled: bool = True) -> Images:
    random = np.random.default_rng(1)
    labels = np.arange(count) % CLASSES
    patterns = np.random.default_rng(2).normal(0, 1, (CLASSES, 3, SIZE, SIZE))
    values = patterns[labels] + random.normal(0, 0.7, (count, 3, SIZE, SIZE))
    return Images(values.astype(np.float32), labels.astype(np.int64) if labelled else None)


def network(*, inner: bool = True) -> onnx.ModelProto:
    """A stem, two convolutions with an addition of the stem's output, mean, dense; without `inner` no convolution but the stem."""
    return onnx.load_from_string(_network(inner))


def quantized(model: onnx.ModelProto, scheme: Scheme = U8) -> onnx.ModelProto:
    """The QDQ file that edgeq's backend writes, ranges by the extremes of some samples."""
    return onnx.load_from_string(_quantized(model.SerializeToString(), scheme))


def weights_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


@cache
def _quantized(model: bytes, scheme: Scheme) -> bytes:
    floats = onnx.load_from_string(model)
    seen = calibrate_onnx(floats, images(64), histogram=False)
    return emitted(floats, scheme, ranges_of(seen, "minmax"))[0].SerializeToString()


@cache
def _network(inner: bool) -> bytes:
    random = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        spread = (2.0 / np.prod(shape[1:])) ** 0.5
        return numpy_helper.from_array(random.normal(0, spread, shape).astype(np.float32), name)

    def conv(name: str, x: str, y: str) -> onnx.NodeProto:
        return helper.make_node("Conv", [x, f"{name}.w", f"{name}.b"], [y], name=name, pads=[1, 1, 1, 1])

    nodes = [
        conv("stem", "x", "a"),
        helper.make_node("Relu", ["a"], ["ar"], name="stem.relu"),
    ]
    middle = [
        conv("first", "ar", "b"),
        helper.make_node("Relu", ["b"], ["br"], name="first.relu"),
        conv("second", "br", "c"),
        helper.make_node("Add", ["c", "ar"], ["d"], name="add"),
        helper.make_node("Relu", ["d"], ["dr"], name="add.relu"),
    ]
    end = [
        helper.make_node("GlobalAveragePool", ["dr" if inner else "ar"], ["e"], name="mean"),
        helper.make_node("Flatten", ["e"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "dense.w", "dense.b"], ["y"], name="dense", transB=1),
    ]
    stored = [
        weight("stem.w", WIDTH, 3, 3, 3),
        weight("first.w", WIDTH, WIDTH, 3, 3),
        weight("second.w", WIDTH, WIDTH, 3, 3),
        weight("dense.w", CLASSES, WIDTH),
    ]
    for name, length in (("stem", WIDTH), ("first", WIDTH), ("second", WIDTH), ("dense", CLASSES)):
        values = random.normal(0, 0.1, length).astype(np.float32)
        stored.append(numpy_helper.from_array(values, f"{name}.b"))
    graph = helper.make_graph(
        [*nodes, *(middle if inner else []), *end],
        "residual",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, CLASSES])],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    infer_shapes(model)
    return _with_fitted_classes(model).SerializeToString()


def _with_fitted_classes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The dense layer fitted by least squares to the labels, so that the network is right on most images."""
    session = ort_session(ending_at(model, ["f"]), threads=1)
    known = images()
    features = np.concatenate([session.run(None, {"x": known[i][0]})[0] for i in range(known.count)])
    wanted = 4.0 * np.eye(CLASSES)[known.labels] - 1.0
    fitted = np.linalg.lstsq(np.hstack([features, np.ones((known.count, 1))]), wanted, rcond=None)[0]
    for tensor in model.graph.initializer:
        values = {"dense.w": fitted[:-1].T, "dense.b": fitted[-1]}.get(tensor.name)
        if values is not None:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
    return model
