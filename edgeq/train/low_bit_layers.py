"""Which layers of a QDQ file take fewer than 8 bits: all with integer weights but the first and the last ones, and those that
only select values.

What the first layer loses is in everything behind it, and the last makes the answer: both keep 8 bits in what is published of
low bits (LSQ, arXiv:1902.08153, section 3; APoT, arXiv:1909.13144, section 4).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import TargetRefused
from edgeq.graphs.onnx_index import OnnxIndex, index_of, names_read
from edgeq.graphs.op_sets import HEAVY
from edgeq.train.low_bits import Bits
from edgeq.train.sites import WeightSite, array_of, sites_of

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


def low_bit_layers(model: "ModelProto", bits: Bits) -> dict[str, Bits]:
    """By node; empty for 8 bits. Raises TargetRefused where no layer stands between the first and the last."""
    if min(bits.weights, bits.activations) == 8:
        return {}
    index = index_of(model.graph)
    layers = [site.layer for site in sites_of(model).weights if not _selects(index, site)]
    outer = _first(index) | _last(index)
    inner = [name for name in layers if name not in outer]
    if not inner:
        raise TargetRefused(
            f"the network has no layer for fewer than 8 bits: its {len(layers)} layers in int8 are first and last ones",
            "leave out --weight-bits and --activation-bits",
        )
    return dict.fromkeys(inner, bits)


def _selects(index: OnnxIndex, site: WeightSite) -> bool:
    """Whether each channel gives one value as it is: a shortcut that was written as a convolution."""
    rows = np.moveaxis(array_of(index, site.integers), site.axis or 0, 0)
    return bool((np.count_nonzero(rows.reshape(len(rows), -1), axis=1) <= 1).all())


def _first(index: OnnxIndex) -> set[str]:
    """Layers that an input of the graph reaches by way of no other layer."""
    inputs = [i.name for i in index.graph.input if index.initializer(i.name) is None]
    return _walk(index, inputs, lambda name: ((n, n.output) for n, _ in index.uses(name)))


def _last(index: OnnxIndex) -> set[str]:
    """Layers that reach an output of the graph by way of no other layer."""

    def behind(name: str) -> "Iterator[tuple[NodeProto, Iterable[str]]]":
        node = index.producer(name)
        return iter(()) if node is None else iter([(node, names_read(node))])

    return _walk(index, [o.name for o in index.graph.output], behind)


def _walk(
    index: OnnxIndex,
    tensors: list[str],
    onward: "Callable[[str], Iterable[tuple[NodeProto, Iterable[str]]]]",
) -> set[str]:
    """The first layers on every way from `tensors`."""
    left, known, found = list(tensors), set(tensors), set[str]()
    while left:
        for node, following in onward(left.pop()):
            if _has_weights(index, node):
                found.add(node.name)
                continue
            new = set(following) - known
            known |= new
            left += new
    return found


def _has_weights(index: OnnxIndex, node: "NodeProto") -> bool:
    """Stored ones, in float or behind a DequantizeLinear."""
    return node.op_type in HEAVY and any(_is_stored(index, name) for name in node.input[1:])


def _is_stored(index: OnnxIndex, name: str) -> bool:
    maker = index.producer(name)
    if maker is not None and maker.op_type == "DequantizeLinear":
        return maker.input[0] in index.constants
    return name in index.constants
