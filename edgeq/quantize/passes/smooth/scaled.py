"""Applies factors in a copy of the graph: divides activations and multiplies the weights behind them, with the same products."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import copied, drop_unread
from edgeq.graphs.onnx_index import Use, index_of
from edgeq.quantize.passes.smooth.sites import Site, sites_of

if TYPE_CHECKING:
    import onnx

Floats = npt.NDArray[np.float32]


def scaled(model: "onnx.ModelProto", factors: dict[str, Floats]) -> "onnx.ModelProto":
    """`factors` by tensor, [channels] each; `model` has inferred shapes, and so has the copy."""
    copy = copied(model)
    constants = index_of(copy.graph).constants
    for site in sites_of(copy):
        if site.tensor in factors:
            _Scaling(copy.graph, constants, site).by(factors[site.tensor])
    drop_unread(copy.graph)
    return copy


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
