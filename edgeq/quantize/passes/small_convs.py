"""Leaves convolutions in float that sum so few products that onnxruntime's int8 kernels on x86 are slower than float.

Its im2col of 8-bit values costs more than the multiplication saves where each output sums few products (the 3 x 3 over 3
channels that networks on images begin with: int8 2.5 to 4 times slower), and its int8 depthwise kernel is made for many
channels (16 and fewer: 5 times slower). Measured on a CPU with VNNI, one thread: MNIST 1.2 to 1.3 times float's speed
without this rule, 1.5 to 1.7 with it; ResNet-8 1.1 to 1.4 and 1.25 to 1.5; UltraFace 0.85 and 1.1.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.op_sets import ACTIVATIONS
from edgeq.nouns.passes import PassResult
from edgeq.plain_text import counted
from edgeq.quantize.quantization import PREPARE, Context, Quantization

if TYPE_CHECKING:
    import onnx

NAME = "thin"
STAGE = PREPARE

_FEW_CHANNELS = 4
_FEWEST_PRODUCTS = 64
_FEW_GROUPS = 16
PASSED_THROUGH = (*ACTIVATIONS, "LeakyRelu")


def run(q: Quantization, context: Context) -> Quantization:
    """On targets where these kernels are slow."""
    if not runs_for(q, context):
        return q
    found = convolutions(q, context)
    why = counted(len(found), "convolution") if found else "no convolution is that small"
    q = replace(q, in_float={**found, **q.in_float})  # first among the layers in float that are listed
    return q.with_result(PassResult(NAME, bool(found), why))


def convolutions(q: Quantization, context: Context) -> dict[str, str]:
    """Those that this pass leaves in float, and why; none where it does not run."""
    return unprofitable_convolutions(q.graph) if runs_for(q, context) else {}


def runs_for(q: Quantization, context: Context) -> bool:
    """Whether this pass is enabled, and the target's kernels are slow."""
    return NAME in context.enabled and q.scheme is not None and q.scheme.thin_in_float


def unprofitable_convolutions(model: "onnx.ModelProto") -> dict[str, str]:
    """Nodes that are faster in float, and why."""
    index = index_of(model.graph)
    found = {}
    for node in (n for n in index.nodes if n.op_type == "Conv"):
        weight = index.initializer(node.input[1])
        why = "" if weight is None else why_unprofitable(node, tuple(weight.dims))
        if why and not _is_pooled(node, index):
            found[node.name] = why
    return found


def why_unprofitable(node: "onnx.NodeProto", weight: tuple[int, ...]) -> str:
    """Why a Conv with weights of that shape is faster in float; empty where it is not."""
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    products = math.prod(weight[1:])
    if groups == 1 and weight[1] <= _FEW_CHANNELS and products < _FEWEST_PRODUCTS:
        return f"reduction length {products}: onnxruntime's int8 kernel is slower than float here"
    if 1 < groups == weight[0] and groups <= _FEW_GROUPS:
        return f"depthwise over {groups} channels: onnxruntime's int8 kernel is slower than float here"
    return ""


def _is_pooled(node: "onnx.NodeProto", index: OnnxIndex) -> bool:
    """By a MaxPool that onnxruntime would run on integers in a layout without a fast kernel behind a float convolution, unless
    a Max prevents that (fuse/in_float.py).
    """
    found = index.consumers(node.output[0])
    while len(found) == 1 and found[0].op_type in PASSED_THROUGH:
        found = index.consumers(found[0].output[0])
    pools = [reader for reader in found if reader.op_type == "MaxPool"]
    return any([reader.op_type for reader in index.consumers(pool.output[0])] != ["Max"] for pool in pools)
