"""Activations whose channels can be scaled against the weights of the products behind, and factors applied to them in a copy
of the graph: activations are divided and weights multiplied, with the same products.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import copied, drop_unread
from edgeq.graphs.onnx_index import OnnxIndex, Use, index_of
from edgeq.graphs.op_sets import NORMS, RESHAPES

if TYPE_CHECKING:
    import onnx

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Site:
    """`channels` are the last axis of `tensor`. `products` are the MatMuls and Gemms behind it with the axis of their
    weights that has the channels; `entries` the inputs through which they read it. `folds` are constants of the tensor's
    producer that factors can be folded into; empty where there are none. `others` are the inputs of other operators that
    read it.
    """

    tensor: str
    channels: int
    maker: str
    products: tuple[tuple["onnx.NodeProto", int], ...]
    entries: tuple[Use, ...]
    folds: tuple[Use, ...]
    others: tuple[Use, ...]


def sites_of(model: "onnx.ModelProto") -> tuple[Site, ...]:
    """Of the main graph; `model` has inferred shapes."""
    graph = _Graph(index_of(model.graph))
    by_tensor: dict[str, list[tuple[onnx.NodeProto, int]]] = defaultdict(list)
    for node in model.graph.node:
        axis = graph.weight_axis(node)
        if axis is not None:
            by_tensor[graph.origin(node.input[0])].append((node, axis))
    return tuple(graph.site(tensor, tuple(products)) for tensor, products in by_tensor.items())


def scaled(model: "onnx.ModelProto", factors: dict[str, Floats]) -> "onnx.ModelProto":
    """`factors` by tensor, [channels] each; `model` has inferred shapes, and so has the copy."""
    copy = copied(model)
    constants = index_of(copy.graph).constants
    for site in sites_of(copy):
        if site.tensor in factors:
            _Scaling(copy.graph, constants, site).by(factors[site.tensor])
    drop_unread(copy.graph)
    return copy


@dataclass(frozen=True, eq=False)
class _Graph:
    index: OnnxIndex

    def weight_axis(self, node: "onnx.NodeProto") -> int | None:
        """Of the weights of a product that can be quantized, the axis that is multiplied with the last one of its input."""
        if node.op_type not in ("MatMul", "Gemm") or node.input[0] in self.index.constants:
            return None
        weight = self.index.constant(node.input[1])
        if weight is None or len(weight.dims) != 2:
            return None
        turned = {a.name: a.i for a in node.attribute if a.name in ("transA", "transB")}
        return None if turned.get("transA") else turned.get("transB", 0)

    def origin(self, tensor: str) -> str:
        """Where the channels come from, through nodes that only change the shape around them."""
        while self._serves_products(tensor):
            maker = self.index.producer(tensor)
            if maker is None or not self._keeps_channels(maker):
                break
            tensor = maker.input[0]
        return tensor

    def site(self, tensor: str, products: tuple[tuple["onnx.NodeProto", int], ...]) -> Site:
        entries = [place for place in self.index.uses(tensor) if self._leads_to_product(place)]
        others = [place for place in self.index.uses(tensor) if not self._leads_to_product(place)]
        maker = self.index.producer(tensor)
        node, axis = products[0]
        return Site(
            tensor,
            int(self.index.constants[node.input[1]].dims[axis]),
            f"{maker.op_type}: {maker.name}" if maker is not None else f"input {tensor}",
            products,
            tuple(entries),
            () if self.index.is_read_elsewhere(tensor) else self._folds(maker),
            tuple(others),
        )

    def _serves_products(self, tensor: str) -> bool:
        """Whether nothing but products with fixed weights read it."""
        return not self.index.is_read_elsewhere(tensor) and all(
            map(self._leads_to_product, self.index.uses(tensor))
        )

    def _leads_to_product(self, place: Use) -> bool:
        node, k = place
        if k == 0 and self.weight_axis(node) is not None:
            return True
        return k == 0 and self._keeps_channels(node) and self._serves_products(node.output[0])

    def _keeps_channels(self, node: "onnx.NodeProto") -> bool:
        if node.op_type not in RESHAPES:
            return False
        before, after = (self.index.shapes.get(name) for name in (node.input[0], node.output[0]))
        return bool(before and after and before[-1] is not None and before[-1] == after[-1])

    def _folds(self, maker: "onnx.NodeProto") -> tuple[Use, ...]:
        """Constants that multiply the tensor as a whole, so that dividing them divides it."""
        if maker is None:
            return ()
        if maker.op_type in NORMS:
            given = [k for k in range(1, len(maker.input)) if maker.input[k]]
            fixed = all(maker.input[k] in self.index.constants for k in given) and given
            return tuple((maker, k) for k in given) if fixed and self._over_last(maker) else ()
        if maker.op_type not in ("Add", "Mul"):
            return ()
        fixed = [k for k in (0, 1) if self._is_vector(maker.input[k])]
        if len(fixed) != 1:
            return ()
        if maker.op_type == "Mul":
            return ((maker, fixed[0]),)
        before = maker.input[1 - fixed[0]]
        alone = not self.index.is_read_elsewhere(before) and len(self.index.uses(before)) == 1
        inner = self._folds(self.index.producer(before)) if alone else ()
        return ((maker, fixed[0]), *inner) if inner else ()

    def _over_last(self, norm: "onnx.NodeProto") -> bool:
        axis = next((a.i for a in norm.attribute if a.name == "axis"), -1)
        rank = len(self.index.shapes.get(norm.output[0], ()))
        return axis in (-1, rank - 1) and len(norm.output) == 1

    def _is_vector(self, name: str) -> bool:
        """One value per channel: the weight or the bias of a norm that is written as several operators."""
        tensor = self.index.constant(name)
        return tensor is not None and len(tensor.dims) >= 1 and max(tensor.dims) == tensor.dims[-1] > 1


class _Scaling:
    """Changes one site in place."""

    def __init__(
        self, graph: "onnx.GraphProto", constants: "Mapping[str, onnx.TensorProto]", site: Site
    ) -> None:
        self.graph, self.constants, self.site = graph, constants, site

    def by(self, factors: Floats) -> None:
        for node, axis in self.site.products:
            self._multiply(node, 1, factors[:, None] if axis == 0 else factors)
        if not self.site.folds:
            self._between(np.reciprocal(factors), "smooth", self.site.entries)
            return
        for node, k in self.site.folds:
            self._multiply(node, k, np.reciprocal(factors))
        if self.site.others:
            self._between(factors, "rough", self.site.others)

    def _multiply(self, node: "onnx.NodeProto", k: int, by: Floats) -> None:
        """Gives the node a scaled copy of its constant: other nodes may share the original."""
        from onnx import numpy_helper

        name = node.input[k]
        values = numpy_helper.to_array(self.constants[name]) * by
        node.input[k] = self._constant(f"{name}.for.{node.output[0]}", values)

    def _between(self, by: Floats, suffix: str, readers: Iterable[Use]) -> None:
        """A Mul behind the tensor, for some of its readers."""
        import onnx

        tensor = self.site.tensor
        output = f"{tensor}.{suffix}"
        inputs = [tensor, self._constant(f"{output}.factors", by)]
        for node, k in readers:
            node.input[k] = output
        where = next((k + 1 for k, n in enumerate(self.graph.node) if tensor in n.output), 0)
        self.graph.node.insert(where, onnx.helper.make_node("Mul", inputs, [output], f"{output}.Mul"))
        known = [v for v in (*self.graph.value_info, *self.graph.input) if v.name == tensor]
        for value in known[:1]:
            self.graph.value_info.append(value)
            self.graph.value_info[-1].name = output

    def _constant(self, name: str, values: Floats) -> str:
        from onnx import numpy_helper

        self.graph.initializer.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name
