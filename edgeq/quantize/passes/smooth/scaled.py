"""Puts factors into a copy of the graph: every product gives what it gave, from smaller activations and larger weights."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.passes.smooth.sites import Site, sites_of
from edgeq.quantize.scopes import drop_unread, scopes

Floats = npt.NDArray[np.float32]


def scaled(model: Any, factors: dict[str, Floats]) -> Any:
    """`factors` by tensor, [channels] each; `model` has inferred shapes, and so has the copy."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = next(scopes(copy.graph)).constants
    for site in sites_of(copy):
        if site.tensor in factors:
            _Scaling(copy.graph, constants, site).by(factors[site.tensor])
    drop_unread(copy.graph)
    return copy


class _Scaling:
    """Of one site, in place."""

    def __init__(self, graph: Any, constants: Any, site: Site) -> None:
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

    def _multiply(self, node: Any, k: int, by: Floats) -> None:
        """The constant that `node` reads, for this node alone: others may share it."""
        from onnx import numpy_helper

        name = node.input[k]
        values = numpy_helper.to_array(self.constants[name]) * by
        node.input[k] = self._constant(f"{name}.for.{node.output[0]}", values)

    def _between(self, by: Floats, suffix: str, readers: Iterable[tuple[Any, int]]) -> None:
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
            shape = onnx.ValueInfoProto()
            shape.CopyFrom(value)
            shape.name = output
            self.graph.value_info.append(shape)

    def _constant(self, name: str, values: Floats) -> str:
        from onnx import numpy_helper

        self.graph.initializer.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name
