"""Where a runtime's integer kernel rounds in its own way: the nodes of a QDQ file, and the modules that round like it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from edgeq.graphs.onnx_index import OnnxIndex
from edgeq.train.activation_quantizer import ActivationQuantizer
from edgeq.train.kernel_product import KernelProduct
from edgeq.train.kernel_sum import KernelSum
from edgeq.train.litert_sum import LitertSum
from edgeq.train.quantized_layer import QuantizedLayer
from edgeq.train.sites import Sites

if TYPE_CHECKING:
    from onnx import NodeProto

_AXES = {"Conv": 1, "Gemm": -1, "MatMul": -1}  # of the output's channels


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
    return dict(_products(index, by_node, products)) | dict(_sums(index, by_node, runtime))


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


def _sums(
    index: OnnxIndex, activations: Mapping[str, ActivationQuantizer], runtime: str
) -> Iterator[tuple[str, nn.Module]]:
    """Additions: of onnxruntime those of unsigned activations, which are for x86."""
    litert = runtime == "litert"
    for node in (n for n in index.nodes if n.op_type == "Add"):
        around = [_of(index.producer(name), activations) for name in node.input]
        around.append(_of(_behind(index, node), activations))
        quantizers = [q for q in around if q is not None and (litert or q.q_min == 0)]
        if len(quantizers) == 3:
            yield node.name, (LitertSum if litert else KernelSum)(*quantizers)


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
