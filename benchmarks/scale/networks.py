"""ONNX networks of a given shape and size with seeded weights, and images for them: nobody's, so nobody's figures are tuned to them.

resnet      bottleneck blocks with branches (ResNet-50's shape at a width of 64)
mobilenet   inverted residuals with depthwise convolutions (MobileNetV2's shape at a width of 1)
vit         a transformer on patches of 16 x 16 (ViT-B's shape at a width of 768)
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Floats = npt.NDArray[np.float32]

_SIDE = 224
_OPSET, _IR = 17, 8
_FEW = 9  # inputs of a depthwise convolution


class _Graph:
    """Nodes in running order; each method adds one and returns the name of its output."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def constant(self, values: npt.NDArray[Any]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def weights(self, *shape: int, inputs: int, gain: float = 2.0) -> str:
        """Normal, of variance gain / inputs (He et al., 2015), each output with a spread of its own as in trained networks. The
        mean of a row is 0: behind a Relu it would make all outputs alike, which a trained network's normalisation prevents.
        """
        spread = np.exp(0.3 * self._rng.standard_normal((shape[0], *[1] * (len(shape) - 1))))
        values = self._rng.standard_normal(shape, dtype=np.float32)
        if inputs > _FEW:
            values -= values.mean(axis=tuple(range(1, len(shape))), keepdims=True)
        values = values * spread
        return self.constant(np.asarray(values * math.sqrt(gain / inputs), np.float32))

    def bias(self, size: int) -> str:
        return self.constant(np.asarray(0.1 * self._rng.standard_normal(size), np.float32))

    def conv(
        self,
        x: str,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        gain: float = 2.0,
    ) -> str:
        each = inputs // groups * kernel**2
        weights = self.weights(outputs, inputs // groups, kernel, kernel, inputs=each, gain=gain)
        return self.node(
            "Conv",
            x,
            weights,
            self.bias(outputs),
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[kernel // 2] * 4,
            group=groups,
        )

    def dense(self, x: str, inputs: int, outputs: int, gain: float = 1.0) -> str:
        """For tensors of any rank: MatMul and Add, as torch exports a Linear."""
        table = numpy_helper.to_array(self._own(self.weights(outputs, inputs, inputs=inputs, gain=gain)))
        product = self.node("MatMul", x, self.constant(np.ascontiguousarray(table.T)))
        return self.node("Add", product, self.bias(outputs))

    def _own(self, name: str) -> onnx.TensorProto:
        assert self.constants[-1].name == name
        return self.constants.pop()

    def classified(self, x: str, features: int, classes: int) -> str:
        pooled = self.node("Flatten", self.node("GlobalAveragePool", x))
        weights = self.weights(classes, features, inputs=features, gain=1.0)
        return self.node("Gemm", pooled, weights, self.bias(classes), transB=1)

    def model(self, output: str, classes: int) -> onnx.ModelProto:
        images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, _SIDE, _SIDE])
        logits = helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, classes])
        graph = helper.make_graph(self.nodes, "scale", [images], [logits], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)


def resnet(width: int) -> onnx.ModelProto:
    graph = _Graph(width)
    x = graph.node("Relu", graph.conv("images", 3, width, 7, stride=2))
    x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = width
    for stage, blocks in enumerate((3, 4, 6, 3)):
        middle = width * 2**stage
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            branch = graph.node("Relu", graph.conv(x, channels, middle, 1))
            branch = graph.node("Relu", graph.conv(branch, middle, middle, 3, stride))
            branch = graph.conv(branch, middle, 4 * middle, 1, gain=0.5)
            shortcut = x if block else graph.conv(x, channels, 4 * middle, 1, stride, gain=1.0)
            x, channels = graph.node("Relu", graph.node("Add", branch, shortcut)), 4 * middle
    classes = 1000 * width // 64
    return graph.model(graph.classified(x, channels, classes), classes)


def mobilenet(width: float) -> onnx.ModelProto:
    def wide(channels: int) -> int:
        return max(8, int(channels * width + 4) // 8 * 8)

    graph = _Graph(int(1000 * width))

    def relu6(x: str) -> str:
        return graph.node("Clip", x, low, high)

    low, high = (graph.constant(np.float32(value)) for value in (0, 6))
    channels = wide(32)
    x = relu6(graph.conv("images", 3, channels, 3, stride=2))
    rows = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    for expansion, out, repeats, first_stride in rows:
        for k in range(repeats):
            stride, inner = first_stride if k == 0 else 1, channels * expansion
            branch = x if expansion == 1 else relu6(graph.conv(x, channels, inner, 1))
            branch = relu6(graph.conv(branch, inner, inner, 3, stride, groups=inner))
            branch = graph.conv(branch, inner, wide(out), 1, gain=1.0)
            x = graph.node("Add", x, branch) if stride == 1 and channels == wide(out) else branch
            channels = wide(out)
    last = wide(1280)
    x = relu6(graph.conv(x, channels, last, 1))
    classes = max(10, int(1000 * width))
    return graph.model(graph.classified(x, last, classes), classes)


def vit(width: int, depth: int = 12) -> onnx.ModelProto:
    heads, tokens = max(width // 64, 1), (_SIDE // 16) ** 2
    size = width // heads
    graph = _Graph(width)
    weights = graph.weights(width, 3, 16, 16, inputs=3 * 256, gain=1.0)
    patches = graph.node(
        "Conv", "images", weights, graph.bias(width), kernel_shape=[16, 16], strides=[16, 16]
    )
    flat = graph.node("Reshape", patches, graph.constant(np.array([1, width, tokens])))
    x = graph.node("Transpose", flat, perm=[0, 2, 1])
    x = graph.node(
        "Add", x, graph.constant(np.asarray(graph._rng.standard_normal((1, tokens, width)) * 0.2, np.float32))
    )
    root = graph.constant(np.float32(math.sqrt(size)))
    half, one, two = (graph.constant(np.float32(v)) for v in (0.5, 1.0, math.sqrt(2.0)))
    apart, joined = (graph.constant(np.array(s)) for s in ([1, tokens, heads, size], [1, tokens, width]))

    def normalised(x: str) -> str:
        scale = graph.constant(np.asarray(np.exp(0.4 * graph._rng.standard_normal(width)), np.float32))
        return graph.node("LayerNormalization", x, scale, graph.bias(width), axis=-1, epsilon=1e-6)

    def split(x: str) -> str:
        return graph.node("Reshape", graph.dense(x, width, width), apart)

    for _ in range(depth):
        normal = normalised(x)
        q, v = (graph.node("Transpose", split(normal), perm=[0, 2, 1, 3]) for _ in range(2))
        k = graph.node("Transpose", split(normal), perm=[0, 2, 3, 1])
        attention = graph.node("Softmax", graph.node("Div", graph.node("MatMul", q, k), root), axis=-1)
        mixed = graph.node("Transpose", graph.node("MatMul", attention, v), perm=[0, 2, 1, 3])
        x = graph.node("Add", x, graph.dense(graph.node("Reshape", mixed, joined), width, width))
        inner = graph.dense(normalised(x), width, 4 * width)
        erf = graph.node("Add", graph.node("Erf", graph.node("Div", inner, two)), one)
        gelu = graph.node("Mul", graph.node("Mul", inner, erf), half)
        x = graph.node("Add", x, graph.dense(gelu, 4 * width, width))
    pooled = graph.node("ReduceMean", normalised(x), axes=[1], keepdims=0)
    classes = max(10, 1000 * width // 768)
    table = graph.weights(classes, width, inputs=width, gain=1.0)
    return graph.model(graph.node("Gemm", pooled, table, graph.bias(classes), transB=1), classes)


NETWORKS: Mapping[str, tuple[str, Callable[[], onnx.ModelProto]]] = {
    "resnet-0.1M": ("0.1 M", lambda: resnet(4)),
    "resnet-1M": ("1 M", lambda: resnet(12)),
    "resnet-5M": ("5 M", lambda: resnet(28)),
    "resnet-25M": ("25 M", lambda: resnet(64)),
    "mobilenet-0.1M": ("0.1 M", lambda: mobilenet(0.15)),
    "mobilenet-1M": ("1 M", lambda: mobilenet(0.5)),
    "mobilenet-5M": ("5 M", lambda: mobilenet(1.2)),
    "vit-1M": ("1 M", lambda: vit(80)),
    "vit-5M": ("5 M", lambda: vit(192)),
    "vit-25M": ("25 M", lambda: vit(448, depth=10)),
    "vit-86M": ("86 M", lambda: vit(768)),
}
"""By name: the number of weights in words, and the network."""


def images(count: int, seed: int = 0) -> Floats:
    """[count, 3, 224, 224], with more power in coarse structures than in fine ones, as photographs have."""
    rng = np.random.default_rng(seed)
    found = np.zeros((count, 3, _SIDE, _SIDE), np.float32)
    for cells in (2, 7, 28, 112, 224):
        coarse = rng.standard_normal((count, 3, cells, cells), dtype=np.float32)
        found += np.repeat(np.repeat(coarse, _SIDE // cells, axis=2), _SIDE // cells, axis=3) / math.sqrt(5)
    return found * rng.uniform(0.5, 1.5, (count, 1, 1, 1)).astype(np.float32)


def write(name: str, path: Path) -> int:
    """Writes the network to `path` and returns its number of weights."""
    model = NETWORKS[name][1]()
    onnx.save(model, str(path))
    return sum(math.prod(tensor.dims) for tensor in model.graph.initializer)
