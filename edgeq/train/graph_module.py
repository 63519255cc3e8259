"""An ONNX graph as a torch module that computes what the file computes, for a batch of samples, with gradients.

Weights are parameters under the names that the file gives them. Single nodes can be replaced by modules: by a fake quantization,
or by a convolution with its batch norm. What is laid out once per input shape is in steps.py, operators in operators/.
"""

from collections.abc import Mapping
from typing import Any

import onnx
import torch
from torch import nn

from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.onnx_io import opset_of

from .batch_inputs import example, operands_of
from .function_operators import written_out
from .kernels.rounded import Rounded
from .named import Named
from .node import Operand
from .read_graph import folded, own_inputs, read_graph, stored_constants
from .steps import Steps, lay_out
from .trainable import trainable

_NONE_REPLACED: Mapping[str, nn.Module] = {}
_KEPT_SHAPES = 16


class GraphModule(nn.Module):
    """Computes what the graph computes, with a batch in front.

    float32 constants that an operator reads as weights are parameters, `weights[name]` by the name in the file; all other
    constants are buffers that no state_dict holds. `replaced` gives by the name of a node a module that is called with the node's
    inputs (None for one that is absent) in place of the operator, and returns its output, or a tuple of several; a kernels.rounded.Rounded
    with the operator itself in front of them.

    A value of shape [1, a, b] in the graph is [N, a, b] in a batch, any other [a, b] is [N, a, b]; weights and constants are as they
    are. That holds for what a replacing module is given and has to return, and for inputs and outputs of the graph. Every sample is
    computed as if it were alone, whatever the graph does along its first axis.

    With `channels_last` set, 4-D inputs and weights are laid out so in memory, and with them all that convolutions compute.

    Raises ModelRefused naming every operator without a torch counterpart, and, here or at the first batch, one that is used in a
    way that has none.
    """

    def __init__(self, model: onnx.ModelProto, replaced: Mapping[str, nn.Module] = _NONE_REPLACED) -> None:
        super().__init__()
        model = written_out(model)
        index = index_of(model.graph)
        graph = read_graph(index, opset_of(model))
        if strangers := sorted(set(replaced).difference(node.name for node in graph.nodes)):
            raise ValueError(f"the graph has no nodes {strangers}")
        stored = stored_constants(index)
        self.weights = Named((name, nn.Parameter(stored.pop(name))) for name in trainable(index))
        self.replaced = Named(replaced.items())
        self.channels_last = False
        self._inputs = own_inputs(index)
        self._graph, fixed = folded(graph, stored, frozenset(replaced))
        self.fixed = Named(fixed.items())
        self._laid_out: dict[Any, Steps] = {}
        batch = example(self._inputs)
        if batch is not None:
            self._steps_for(tuple(batch))  # refuses now what cannot be computed

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """All outputs of the graph. Raises DataRefused where the inputs do not fit it."""
        steps = self._steps_for(inputs)
        weights, replaced = self.weights, self.replaced
        values: list[torch.Tensor | None] = [None] * steps.slots
        for slot, known in steps.fixed.items():
            values[slot] = known
        for name, slot in steps.weights.items():
            values[slot] = weights[name]
        for slot, x in zip(steps.inputs, inputs, strict=True):
            values[slot] = self._formatted(x)
        for step in steps.steps:
            compute = replaced[step.name] if step.replaced else step.compute
            given = [values[slot] for slot in step.reads]
            made = compute(step.compute, *given) if isinstance(compute, Rounded) else compute(*given)
            if isinstance(made, tuple):
                for slot, y in zip(step.writes, made, strict=False):
                    values[slot] = y
                values[0] = None
            else:
                values[step.writes[0]] = made
            for slot in step.frees:
                values[slot] = None
        return tuple(_repeated(values[slot], operand, inputs) for slot, operand in steps.outputs)

    def use_channels_last(self) -> "GraphModule":
        """Sets `channels_last`, and lays out the weights of convolutions so. Values stay the same."""
        self.channels_last = True
        for weight in self.weights.values():
            if weight.dim() == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        return self

    def _formatted(self, x: torch.Tensor) -> torch.Tensor:
        if self.channels_last and x.dim() == 4 and x.is_floating_point():
            return x.contiguous(memory_format=torch.channels_last)
        return x

    def _steps_for(self, inputs: tuple[torch.Tensor, ...]) -> Steps:
        key = tuple((x.shape[1:], x.dtype, x.device, x.dim()) for x in inputs)
        if key not in self._laid_out:
            operands = operands_of(self._inputs, inputs)
            if len(self._laid_out) >= _KEPT_SHAPES:
                self._laid_out.pop(next(iter(self._laid_out)))
            self._laid_out[key] = lay_out(
                self._graph,
                [x[:1] for x in inputs],
                operands,
                dict(self.weights.items()),
                dict(self.fixed.items()),
                frozenset(self.replaced),
            )
        return self._laid_out[key]

    def _apply(self, fn: Any, recurse: bool = True) -> "GraphModule":
        self._laid_out = {}
        super()._apply(fn, recurse)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Without the steps, which hold functions: a copy lays them out again."""
        return {**self.__dict__, "_laid_out": {}}


def _repeated(value: torch.Tensor | None, operand: Operand, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """An output that is the same for all samples gets them in front."""
    assert value is not None
    if operand.batched:
        return value
    count = inputs[0].shape[0] if inputs else 1
    one = value if operand.shape[:1] == (1,) else value.unsqueeze(0)
    return one.expand(count, *one.shape[1:])
