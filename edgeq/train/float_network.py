"""A float graph as a module that learns, as QuantizedNetwork is one of a QDQ file: what is trained before it is quantized."""

from typing import TYPE_CHECKING

import numpy as np
from onnx import numpy_helper
from torch import Tensor, nn

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.stages import ending_at
from edgeq.train.graph_module import GraphModule
from edgeq.train.relative_adam import unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onnx import ModelProto


class FloatNetwork(nn.Module):
    """`outputs`: the tensors that it computes, by default those of the graph."""

    def __init__(self, model: "ModelProto", outputs: "Sequence[str]" = ()) -> None:
        super().__init__()
        self._model, index = model, index_of(model.graph)
        self.graph = GraphModule(ending_at(model, outputs) if outputs else model).use_channels_last()
        self._first = {
            n.input[1]: 0 if n.op_type == "Conv" else None for n in index.nodes if len(n.input) > 1
        }
        for name, parameter in self.graph.weights.items():
            parameter.requires_grad_(index.initializer(name) is not None and parameter.numel() > 1)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs, [N, ...] each."""
        return self.graph(*inputs)  # type: ignore[no-any-return]

    def freeze_norms(self) -> None:
        """Has none: batch norms of a float graph are folded."""

    def model(self) -> "ModelProto":
        """The graph with what was trained."""
        made = copied(self._model)
        stored = {tensor.name: tensor for tensor in made.graph.initializer}
        for name, parameter in self.graph.weights.items():
            if parameter.requires_grad:
                array = np.ascontiguousarray(parameter.detach().cpu().numpy(), np.float32)
                stored[name].CopyFrom(numpy_helper.from_array(array.reshape(tuple(stored[name].dims)), name))
        return made

    def parameters_with_units(self) -> list[tuple[nn.Parameter, Tensor]]:
        """What learns, and the unit of each that RelativeAdam takes: the root mean square of a channel, or of all."""
        learned = ((name, p) for name, p in self.graph.weights.items() if p.requires_grad)
        return [(p, unit_of(p, self._first.get(name) if p.ndim > 1 else None)) for name, p in learned]
