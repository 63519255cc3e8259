"""The graph laid out as steps for inputs of given shapes: which function reads and writes what, and when a value is let go.

Laid out once per shape, by running one sample on torch's "meta" device, which knows shapes and no values. What depends on
constants and shapes alone is computed here and never again. Knows nothing of single operators.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from edgeq.foreign import as_conversion_failed

from .forms import Compute, Fixed, Layout, View, layout
from .node import Node, Operand
from .operators import operators

_SHAPES_ALONE = "meta"
_NOTHING = 0  # the slot of an input that is absent
# What these return is a tensor of its own that their gradient does not need, so that Relu may overwrite it.
_OVERWRITABLE = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Sub", "BatchNormalization")


@dataclass(frozen=True)
class GraphNode:
    """A node before shapes are known; names of inputs and outputs, "" for those absent or never read."""

    name: str
    operator: str
    attributes: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can run. `element_types`: of ONNX, for stored tensors."""

    nodes: tuple[GraphNode, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opset: int
    element_types: Mapping[str, int]


@dataclass(frozen=True)
class Step:
    """`reads`, `writes` and `frees` are slots. `replaced`: the module of that name is called, not `compute`."""

    name: str
    operator: str
    compute: Compute
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    frees: tuple[int, ...] = ()
    replaced: bool = False


@dataclass(frozen=True)
class Steps:
    """`weights` are slots by name, filled anew in each run; `fixed` are filled with what is known; `outputs` gives the slot of
    each and what the graph says of its shape.
    """

    steps: tuple[Step, ...]
    slots: int
    inputs: tuple[int, ...]
    weights: Mapping[str, int]
    fixed: Mapping[int, Tensor]
    outputs: tuple[tuple[int, Operand], ...]


def fixed_outputs(node: Node) -> tuple[Tensor, ...]:
    """Of a node whose inputs are all fixed. Raises ModelRefused."""
    form = operators()[node.operator](node)
    if isinstance(form, Fixed):
        return (form.value,)
    found = layout(form, node.inputs)
    given = [o if o is None else o.fixed for o in node.inputs]
    with torch.no_grad(), as_conversion_failed(f"torch cannot compute {node.operator} {node.name}"):
        return tuple(_plain(y, found) for y in _called(form.compute, found.before, found.after, given))


def node_of(node: GraphNode, opset: int, known: Mapping[str, Operand]) -> Node:
    inputs = tuple(known[name] if name else None for name in node.inputs)
    return Node(node.name, node.operator, opset, node.attributes, inputs, node.outputs)


def lay_out(
    graph: Graph,
    samples: Sequence[Tensor],
    inputs: Sequence[Operand],
    weights: Mapping[str, Tensor],
    fixed: Mapping[str, Tensor],
    replaced: Collection[str],
) -> Steps:
    """`samples`: a batch of one for each input. Raises ModelRefused for what an operator cannot do with these shapes."""
    drawn = _Drawn(graph, samples, inputs, weights, fixed)
    for node in graph.nodes:
        drawn.add(node, node.name in replaced)
    return drawn.finished()


class _Drawn:
    """Steps so far, with the values of the one sample: their shapes."""

    def __init__(
        self,
        graph: Graph,
        samples: Sequence[Tensor],
        inputs: Sequence[Operand],
        weights: Mapping[str, Tensor],
        fixed: Mapping[str, Tensor],
    ) -> None:
        self._graph = graph
        self._device = samples[0].device if samples else None
        values = {**weights, **{o.name: x for o, x in zip(inputs, samples, strict=True)}}
        self._values = {name: value.to(_SHAPES_ALONE) for name, value in values.items()}
        self._weights = weights
        self._slots: dict[str, int] = {}
        self._steps: list[Step] = []
        self.known = {o.name: o for o in inputs}
        self.known |= {n: Operand(n, tuple(w.shape), w.dtype) for n, w in weights.items()}
        self.known |= {n: self._fixed(n, v) for n, v in fixed.items()}

    def add(self, node: GraphNode, replaced: bool) -> None:
        seen = node_of(node, self._graph.opset, self.known)
        if not replaced and all(o is None or o.fixed is not None for o in seen.inputs):
            self._know(node, fixed_outputs(_on_cpu(seen)))
            return
        form = operators()[node.operator](seen)
        if isinstance(form, Fixed):
            self._know(node, (form.value,))
            return
        found = layout(form, seen.inputs)
        given = [self._value(o) for o in seen.inputs]
        with torch.no_grad(), as_conversion_failed(f"torch cannot compute {node.operator} {node.name}"):
            results = _called(form.compute, found.before, found.after, given)
        after = self._write(node, results, found)
        compute = _viewing(form.compute, found.before, after)
        reads = tuple(self._slot(name) if name else _NOTHING for name in node.inputs)
        writes = tuple(self._slot(name) if name else _NOTHING for name in node.outputs)
        self._steps.append(Step(node.name, node.operator, compute, reads, writes, replaced=replaced))

    def finished(self) -> Steps:
        outputs = tuple((self._slot(name), self.known[name]) for name in self._graph.outputs)
        steps = _letting_go(self._steps, {slot for slot, _ in outputs})
        fixed = {
            slot: o.fixed.to(self._device)
            for name, slot in self._slots.items()
            if (o := self.known[name]).fixed is not None
        }
        weights = {name: self._slots[name] for name in self._weights if name in self._slots}
        inputs = tuple(self._slot(name) for name in self._graph.inputs)
        return Steps(_overwriting(steps), len(self._slots) + 1, inputs, weights, fixed, outputs)

    def _know(self, node: GraphNode, values: Iterable[Tensor]) -> None:
        for name, value in zip(node.outputs, values, strict=False):
            if name:
                self.known[name] = self._fixed(name, value)

    def _fixed(self, name: str, value: Tensor) -> Operand:
        kind = self._graph.element_types.get(name, 0)
        return Operand(name, tuple(value.shape), value.dtype, fixed=value, element_type=kind)

    def _value(self, operand: Operand | None) -> Tensor | None:
        if operand is None:
            return None
        return self._values[operand.name] if operand.fixed is None else operand.fixed.to(_SHAPES_ALONE)

    def _write(self, node: GraphNode, results: tuple[Tensor, ...], found: Layout) -> tuple[View, ...]:
        """Notes shape and value of each output, and says which view of a result is that output."""
        views: list[View] = []
        for name, result in zip(node.outputs, results, strict=False):
            shape, view = _shape(result, found), _canonical(result, found)
            if name:
                self.known[name] = Operand(name, shape, result.dtype, batched=found.batched)
                self._values[name] = view(result) if view else result
            views.append(_then(found.after, view))
        return tuple(views)

    def _slot(self, name: str) -> int:
        return self._slots.setdefault(name, len(self._slots) + 1)


def _shape(result: Tensor, found: Layout) -> tuple[int, ...]:
    """Of one sample, from a batch of one."""
    if found.computed_by_sample:
        return tuple(result.shape[1:])
    return (1, *result.shape[1:]) if found.batched else tuple(result.shape)


def _canonical(result: Tensor, found: Layout) -> View:
    if not found.computed_by_sample:
        return None
    if not found.batched:
        return _only_sample
    return _squeeze_first if result.shape[1:2] == (1,) else None


def _plain(result: Tensor, found: Layout) -> Tensor:
    return result[0] if found.computed_by_sample else result


def _called(
    compute: Compute, before: Sequence[View], after: View, given: Sequence[Tensor | None]
) -> tuple[Tensor, ...]:
    seen = [view(x) if view and x is not None else x for view, x in zip(before, given, strict=True)]
    made = compute(*seen)
    results = made if isinstance(made, tuple) else (made,)
    return tuple(after(y) for y in results) if after else results


def _viewing(compute: Compute, before: Sequence[View], after: Sequence[View]) -> Compute:
    """`compute` between its views; itself where there are none, which is so for most of a convolutional network."""
    if not any(before) and not any(after):
        return compute

    def run(*given: Tensor | None) -> Tensor | tuple[Tensor, ...]:
        seen = [view(x) if view and x is not None else x for view, x in zip(before, given, strict=True)]
        made = compute(*seen)
        if isinstance(made, tuple):
            return tuple(view(y) if view else y for view, y in zip(after, made, strict=False))
        return after[0](made) if after[0] else made

    return run


def _then(first: View, second: View) -> View:
    if first is None or second is None:
        return first or second
    return lambda x: second(first(x))


def _letting_go(steps: Sequence[Step], kept: set[int]) -> tuple[Step, ...]:
    seen = {*kept, _NOTHING}
    found = []
    for step in reversed(steps):
        last = {*step.reads, *step.writes} - seen
        seen |= last
        found.append(_with(step, frees=tuple(sorted(last))))
    return tuple(reversed(found))


def _overwriting(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Relu in the memory of its input, where that is read by nothing else: saves a pass through memory."""
    makers = {slot: s for s in steps for slot in s.writes if not s.replaced}
    reads = [slot for s in steps for slot in s.reads]

    def fits(step: Step) -> bool:
        return (
            step.compute is torch.relu
            and step.reads[0] in step.frees
            and reads.count(step.reads[0]) == 1
            and step.reads[0] in makers
            and makers[step.reads[0]].operator in _OVERWRITABLE
        )

    return tuple(_with(s, compute=torch.relu_) if fits(s) else s for s in steps)


def _with(step: Step, *, compute: Compute | None = None, frees: tuple[int, ...] | None = None) -> Step:
    frees = step.frees if frees is None else frees
    return Step(
        step.name, step.operator, compute or step.compute, step.reads, step.writes, frees, step.replaced
    )


def _on_cpu(node: Node) -> Node:
    inputs = tuple(
        Operand(o.name, o.shape, o.dtype, fixed=o.fixed.cpu(), element_type=o.element_type)
        if o and o.fixed is not None
        else None
        for o in node.inputs
    )
    return Node(node.name, node.operator, node.opset, node.attributes, inputs, node.outputs)


def _only_sample(x: Tensor) -> Tensor:
    return x[0]


def _squeeze_first(x: Tensor) -> Tensor:
    return x.squeeze(1)
