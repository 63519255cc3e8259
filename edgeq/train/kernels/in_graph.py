"""Where a runtime's integer kernel rounds in its own way: the nodes of a QDQ file, and the modules that round like it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from edgeq.graphs.onnx_index import OnnxIndex, attributes
from edgeq.train.activation_quantizer import ActivationQuantizer
from edgeq.train.kernels.average import Mean, OnnxruntimeAverage
from edgeq.train.kernels.interpolation import LitertInterpolation, OnnxruntimeInterpolation
from edgeq.train.kernels.litert_average import LitertAverage
from edgeq.train.kernels.litert_matmul import LitertMatMul
from edgeq.train.kernels.litert_scales import LitertConcat, LitertQuantize, TrainedUntilEvaluated, own_scale
from edgeq.train.kernels.multiply import Multiply
from edgeq.train.kernels.product import KernelProduct
from edgeq.train.kernels.rounded import Rounded
from edgeq.train.kernels.softmax import OnnxruntimeSoftmax
from edgeq.train.kernels.sum import LitertSum, OnnxruntimeSum
from edgeq.train.quantized_layer import QuantizedLayer
from edgeq.train.sites import Sites, array_of

if TYPE_CHECKING:
    from onnx import NodeProto

_AXES = {"Conv": 1, "Gemm": -1, "MatMul": -1}  # of the output's channels
_ROUNDED: dict[str, dict[str, type[Rounded]]] = {
    "onnxruntime": {
        "Add": OnnxruntimeSum,
        "Mul": Multiply,
        "AveragePool": OnnxruntimeAverage,
        "GlobalAveragePool": Mean,
        "Resize": OnnxruntimeInterpolation,
        "Softmax": OnnxruntimeSoftmax,
    },
    "litert": {
        "Add": LitertSum,
        "Sub": LitertSum,
        "Mul": Multiply,
        "MatMul": LitertMatMul,
        "AveragePool": LitertAverage,
        "GlobalAveragePool": Mean,
        "ReduceMean": Mean,
        "Concat": LitertConcat,
        "Resize": LitertInterpolation,
    },
}
_OF_ONE = ("AveragePool", "GlobalAveragePool", "ReduceMean", "Resize")  # other inputs are no activations


def kernels(
    index: OnnxIndex,
    sites: Sites,
    activations: Iterable[Any],
    layers: Iterable[Any],
    runtime: str = "onnxruntime",
) -> dict[str, nn.Module]:
    """What to replace, by name of the node. `activations` and `layers` are the modules of the `sites`, in their order. `runtime`:
    onnxruntime or litert.
    """
    by_scale: dict[str, ActivationQuantizer] = {}
    by_node: dict[str, ActivationQuantizer] = {}
    for site, activation in zip(sites.activations, activations, strict=True):
        by_scale.update(dict.fromkeys(site.scales, activation))
        by_node.update(dict.fromkeys((*site.quantize, *site.dequantize), activation))
    products = {
        site.layer: (layer, by_scale[site.input_scale])
        for site, layer in zip(sites.weights, layers, strict=True)
        if site.input_scale in by_scale
    }
    found = dict(_products(index, by_node, products))
    if runtime == "litert":
        quantizers = (n.name for n in index.nodes if n.op_type == "QuantizeLinear" and n.name in by_node)
        found = {name: LitertQuantize(by_node[name]) for name in quantizers} | found
        own = _own_scales(index, by_node)
        found |= {node: TrainedUntilEvaluated(by_node[node], q) for node, q in own.items() if node in by_node}
        by_node |= own
    return found | dict(_rounded(index, by_node, _ROUNDED[runtime]))


def _products(
    index: OnnxIndex,
    activations: Mapping[str, ActivationQuantizer],
    products: Mapping[str, tuple[QuantizedLayer, ActivationQuantizer]],
) -> Iterator[tuple[str, nn.Module]]:
    """The QuantizeLinear behind a layer whose input is quantized too, a Relu between them or not."""
    for node in index.nodes:
        activation = activations.get(node.name)
        maker = index.producer(node.input[0]) if node.op_type == "QuantizeLinear" else None
        if activation is None or maker is None:
            continue
        if maker.op_type == "Relu" and activation.implies_relu:
            maker = index.producer(maker.input[0])
        if maker is not None and maker.op_type in _AXES and maker.name in products:
            yield node.name, KernelProduct(*products[maker.name], activation, _AXES[maker.op_type])


def _rounded(
    index: OnnxIndex, activations: Mapping[str, ActivationQuantizer], kinds: Mapping[str, type[Rounded]]
) -> Iterator[tuple[str, nn.Module]]:
    """Operators between activations that are all quantized."""
    for node in (n for n in index.nodes if n.op_type in kinds):
        inputs = node.input[:1] if node.op_type in _OF_ONE else node.input
        given = [_of_operand(index, index.producer(name), activations) for name in inputs]
        result = _of(_behind(index, node), activations)
        known = tuple(q for q in given if q is not None)
        if result is not None and len(known) == len(inputs) and _has_kernel(node):
            yield node.name, kinds[node.op_type](known, result, attributes(node))


def _has_kernel(node: "NodeProto") -> bool:
    """Nearest neighbours are moved, and cubic interpolation is left in float."""
    return node.op_type != "Resize" or attributes(node).get("mode") == b"linear"


def _own_scales(
    index: OnnxIndex, activations: Mapping[str, ActivationQuantizer]
) -> dict[str, ActivationQuantizer]:
    """By QuantizeLinear and by DequantizeLinear what quantizes the results of operators with a scale of their own."""
    found: dict[str, ActivationQuantizer] = {}
    for node in index.nodes:
        own, reader = own_scale(node.op_type), _behind(index, node)
        if own is None or reader is None or _of(index.producer(node.input[0]), activations) is None:
            continue
        found[reader.name] = own
        found.update((use.name, own) for use, _ in index.uses(reader.output[0]))
    return found


def _of_operand(
    index: OnnxIndex, node: "NodeProto | None", activations: Mapping[str, ActivationQuantizer]
) -> ActivationQuantizer | None:
    """Of a constant, whose scale stays as it is, one of its own."""
    if node is None or node.op_type != "DequantizeLinear" or node.input[0] not in index.constants:
        return _of(node, activations)
    if len(node.input) < 3 or any(use.op_type in _AXES for use, _ in index.uses(node.output[0])):
        return None  # a layer's weights
    integers, scale, zero = (array_of(index, name) for name in node.input)
    if scale.size != 1 or integers.dtype not in (np.int8, np.uint8):
        return None
    limits = np.iinfo(integers.dtype)
    return ActivationQuantizer(
        float(scale.reshape(())), int(zero.reshape(())), limits.min, limits.max, learn=False
    )


def _of(
    node: "NodeProto | None", activations: Mapping[str, ActivationQuantizer]
) -> ActivationQuantizer | None:
    return None if node is None else activations.get(node.name)


def _behind(index: OnnxIndex, node: "NodeProto") -> "NodeProto | None":
    """The only reader of what the node makes, behind a Relu if there is one."""
    reader = index.only_consumer(node.output[0])
    if reader is not None and reader.op_type == "Relu":
        reader = index.only_consumer(reader.output[0])
    return reader if reader is not None and reader.op_type == "QuantizeLinear" else None
