"""An ONNX graph as a torch module that computes what the file computes, for a batch of samples, with gradients.

Weights are parameters under the names that the file gives them. Single nodes can be replaced by modules: by a fake quantization,
or by a convolution with its batch norm. What is laid out once per input shape is in steps.py, operators in operators/.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import onnx
import torch
from torch import nn

from edgeq.errors import DataRefused, ModelRefused
from edgeq.graphs.onnx_index import OnnxIndex, attributes, has_body, index_of
from edgeq.graphs.onnx_io import opset_of
from edgeq.graphs.op_sets import ONNX_DOMAINS

from .element_types import torch_tensor, torch_type
from .node import Operand
from .operators import operators
from .steps import Graph, GraphNode, Steps, fixed_outputs, lay_out, node_of
from .trainable import trainable

_NONE_REPLACED: Mapping[str, nn.Module] = {}
# Of onnxruntime's own domain: the same operators, for integers of 16 and 4 bits in files below opset 21.
_SAME_IN_MICROSOFT = ("QuantizeLinear", "DequantizeLinear", "Gelu")
_KEPT_SHAPES = 16
_REMEDY = "leave the model at post-training quantization, or write it with other operators"


class GraphModule(nn.Module):
    """Computes what the graph computes, with a batch in front.

    float32 constants that an operator reads as weights are parameters, `weights[name]` by the name in the file; all other
    constants are buffers that no state_dict holds. `replaced` gives by the name of a node a module that is called with the node's
    inputs (None for one that is absent) in place of the operator, and returns its output, or a tuple of several.

    A value of shape [1, a, b] in the graph is [N, a, b] in a batch, any other [a, b] is [N, a, b]; weights and constants are as they
    are. That holds for what a replacing module is given and has to return, and for inputs and outputs of the graph. Every sample is
    computed as if it were alone, whatever the graph does along its first axis.

    With `channels_last` set, 4-D inputs and weights are laid out so in memory, and with them all that convolutions compute.

    Raises ModelRefused naming every operator without a torch counterpart, and, here or at the first batch, one that is used in a
    way that has none.
    """

    def __init__(self, model: onnx.ModelProto, replaced: Mapping[str, nn.Module] = _NONE_REPLACED) -> None:
        super().__init__()
        index = index_of(model.graph)
        nodes = _nodes(index)
        self._refuse_unknown(nodes, replaced)
        stored = _stored(index)
        self.weights = Named((name, nn.Parameter(stored.pop(name))) for name in trainable(index))
        self.replaced = Named(replaced.items())
        self.channels_last = False
        self._inputs = tuple(i for i in model.graph.input if index.initializer(i.name) is None)
        self._graph = Graph(
            tuple(_graph_node(node, index) for node in nodes),
            tuple(i.name for i in self._inputs),
            tuple(o.name for o in model.graph.output),
            opset_of(model),
            {name: int(tensor.data_type) for name, tensor in index.constants.items()},
        )
        self._fold(stored)
        self._laid_out: dict[Any, Steps] = {}
        self._try()

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """All outputs of the graph. Raises DataRefused where the inputs do not fit it."""
        steps = self._steps_for(inputs)
        values: list[torch.Tensor | None] = [None] * steps.slots
        for slot, known in steps.fixed.items():
            values[slot] = known
        for name, slot in steps.weights.items():
            values[slot] = self.weights[name]
        for slot, x in zip(steps.inputs, inputs, strict=True):
            values[slot] = self._formatted(x)
        for step in steps.steps:
            compute = self.replaced[step.name] if step.replaced else step.compute
            made = compute(*[values[slot] for slot in step.reads])
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
            operands = self._operands(inputs)
            if len(self._laid_out) >= _KEPT_SHAPES:
                self._laid_out.pop(next(iter(self._laid_out)))
            fixed = dict(self.fixed.items())
            self._laid_out[key] = lay_out(
                self._graph,
                [x[:1] for x in inputs],
                operands,
                dict(self.weights.items()),
                fixed,
                frozenset(self.replaced),
            )
        return self._laid_out[key]

    def _operands(self, inputs: tuple[torch.Tensor, ...]) -> list[Operand]:
        if len(inputs) != len(self._inputs):
            names = ", ".join(self._graph.inputs)
            raise DataRefused(
                f"the model takes {len(self._inputs)} inputs and was given {len(inputs)}",
                f"give {names}, in this order",
            )
        return [_operand(stated, x) for stated, x in zip(self._inputs, inputs, strict=True)]

    def _fold(self, stored: dict[str, torch.Tensor]) -> None:
        """Computes once what constants alone decide, and keeps what is still read."""
        known = {n: _fixed(n, v, self._graph.element_types) for n, v in stored.items()}
        left = []
        for node in self._graph.nodes:
            if node.name not in self.replaced and all(name in known for name in node.inputs if name):
                results = fixed_outputs(node_of(node, self._graph.opset, known))
                known |= {n: _fixed(n, v, {}) for n, v in zip(node.outputs, results, strict=False) if n}
            else:
                left.append(node)
        self._graph = Graph(
            tuple(left),
            self._graph.inputs,
            self._graph.outputs,
            self._graph.opset,
            self._graph.element_types,
        )
        read = {name for node in left for name in node.inputs} | set(self._graph.outputs)
        self.fixed = Named((n, o.fixed) for n, o in known.items() if n in read and o.fixed is not None)

    def _try(self) -> None:
        """Lays the graph out where its shapes are stated, so that what cannot be computed is refused now."""
        shapes = [_stated_shape(i) for i in self._inputs]
        types = [torch_type(i.type.tensor_type.elem_type) for i in self._inputs]
        stated = all(shape is not None and None not in shape[1:] for shape in shapes)
        if stated and None not in types:
            batch = ((1, *(s[1:] if s[:1] in ((1,), (None,)) else s)) for s in shapes if s is not None)
            self._steps_for(tuple(torch.zeros(s, dtype=t) for s, t in zip(batch, types, strict=True)))

    def _refuse_unknown(self, nodes: Iterable[onnx.NodeProto], replaced: Mapping[str, nn.Module]) -> None:
        names = {node.name for node in nodes}
        if strangers := sorted(set(replaced) - names):
            raise ValueError(f"the graph has no nodes {strangers}")
        unknown = [f"{_title(node)} (node {node.name})" for node in nodes if not _known(node)]
        if unknown:
            raise ModelRefused(
                f"{len(unknown)} operators of the model have no torch counterpart: {', '.join(unknown)}",
                _REMEDY,
            )

    def _apply(self, fn: Any, recurse: bool = True) -> "GraphModule":
        self._laid_out = {}
        super()._apply(fn, recurse)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Without the steps, which hold functions: a copy lays them out again."""
        return {**self.__dict__, "_laid_out": {}}


class Named(nn.Module):
    """Parameters, modules or buffers by any name. torch takes no dot in a name and no name that a module has itself; in a
    state_dict such characters are written as in a URL: "." as "%2E".
    """

    def __init__(self, entries: Iterable[tuple[str, Any]]) -> None:
        super().__init__()
        self._own: dict[str, str] = {}
        for name, entry in entries:
            key = self._own[name] = _key(name)
            if isinstance(entry, nn.Parameter):
                self.register_parameter(key, entry)
            elif isinstance(entry, nn.Module):
                self.add_module(key, entry)
            else:
                self.register_buffer(key, entry, persistent=False)

    def __getitem__(self, name: str) -> Any:
        key = self._own[name]
        for kind in (self._parameters, self._modules, self._buffers):
            if key in kind:
                return kind[key]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in self._own

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)

    def keys(self) -> Iterable[str]:
        return self._own.keys()

    def values(self) -> Iterator[Any]:
        return (self[name] for name in self._own)

    def items(self) -> Iterator[tuple[str, Any]]:
        return ((name, self[name]) for name in self._own)


def _key(name: str) -> str:
    key = name.replace("%", "%25").replace(".", "%2E")
    return f"%{ord(key[0]):02X}{key[1:]}" if hasattr(Named, key) or key == "training" else key


def _nodes(index: OnnxIndex) -> tuple[onnx.NodeProto, ...]:
    """Those without which there are no outputs, each behind what it reads."""
    wanted = index.ancestors(o.name for o in index.graph.output)
    waiting = list(wanted)
    made: set[str] = set()
    ours = {name for node in wanted for name in node.output}
    ordered: list[onnx.NodeProto] = []
    while waiting:
        ready = []
        for node in waiting:
            if all(name in made or name not in ours for name in node.input):
                ready.append(node)
                made.update(node.output)
        if not ready:
            raise ModelRefused("the nodes of the graph read each other in a circle", "check the file")
        ordered += ready
        waiting = [node for node in waiting if not made.issuperset(node.output)]
    return tuple(n for n in ordered if n.output[0] not in index.constants)


def _graph_node(node: onnx.NodeProto, index: OnnxIndex) -> GraphNode:
    read = (n if index.uses(n) or index.is_graph_output(n) else "" for n in node.output)
    return GraphNode(node.name, node.op_type, attributes(node), tuple(node.input), tuple(read))


def _stored(index: OnnxIndex) -> dict[str, torch.Tensor]:
    tensors = {name: torch_tensor(tensor) for name, tensor in index.constants.items()}
    refused = [name for name, tensor in tensors.items() if tensor is None and index.uses(name)]
    if refused:
        raise ModelRefused(f"torch has no type for the constants {', '.join(refused)}", _REMEDY)
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def _known(node: onnx.NodeProto) -> bool:
    if node.domain == "com.microsoft":
        return node.op_type in _SAME_IN_MICROSOFT
    return node.domain in ONNX_DOMAINS and node.op_type in operators()


def _title(node: onnx.NodeProto) -> str:
    title = node.op_type if node.domain in ONNX_DOMAINS else f"{node.domain}.{node.op_type}"
    return f"{title} with a graph inside" if has_body(node) else title


def _fixed(name: str, value: torch.Tensor, element_types: Mapping[str, int]) -> Operand:
    kind = element_types.get(name, 0)
    return Operand(name, tuple(value.shape), value.dtype, fixed=value, element_type=kind)


def _stated_shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...] | None:
    """None where even the number of dimensions is open."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim)


def _operand(stated: onnx.ValueInfoProto, x: torch.Tensor) -> Operand:
    """Of one sample of the batch `x`. Raises DataRefused."""
    shape = _stated_shape(stated)
    own = tuple(x.shape[1:])
    if shape is None or shape[:1] in ((1,), (None,)):
        own = (1, *own)
    if shape is not None and not _fits(own, shape):
        wanted = [1 if k == 0 and d is None else d or "any" for k, d in enumerate(shape)]
        raise DataRefused(
            f"input {stated.name} is {list(x.shape)}, and one sample of it is {wanted}",
            "give a batch of N samples as [N, ...], in the place of a first dimension of 1",
        )
    kind = int(stated.type.tensor_type.elem_type)
    held = torch_type(kind)
    if held is None or held.is_floating_point != x.dtype.is_floating_point:
        raise DataRefused(f"input {stated.name} is {x.dtype}, and the model takes {held}", "convert it")
    return Operand(stated.name, own, x.dtype, batched=True, element_type=kind)


def _fits(shape: tuple[int, ...], stated: tuple[int | None, ...]) -> bool:
    return len(shape) == len(stated) and all(
        s is None or s == d for d, s in zip(shape[1:], stated[1:], strict=True)
    ) and (not shape or stated[0] in (None, shape[0]))  # fmt: skip


def _repeated(value: torch.Tensor | None, operand: Operand, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """An output that is the same for all samples gets them in front."""
    assert value is not None
    if operand.batched:
        return value
    count = inputs[0].shape[0] if inputs else 1
    one = value if operand.shape[:1] == (1,) else value.unsqueeze(0)
    return one.expand(count, *one.shape[1:])
