"""Rewrites an Einsum of an activation and a constant as a MatMul, the only product that quantizers know.

Of the indices some are summed over (in both factors), some are rows (in the values and the result) and some columns (in
the constant and the result). The values are put as [rows, summed], the constant as [summed, columns].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeq.graphs.onnx_edit import copied, drop_unread, free_name, set_nodes
from edgeq.graphs.onnx_index import tensor_names
from edgeq.graphs.op_sets import ONNX_DOMAINS
from edgeq.graphs.weightless import weightless

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class NoProduct(Exception):
    """Why an Einsum is no product of one matrix."""


@dataclass(frozen=True)
class Indices:
    """Of the values, the constant and the result, one letter for each axis."""

    values: str
    constant: str
    result: str

    @property
    def summed(self) -> str:
        return "".join(i for i in self.constant if i in self.values)

    @property
    def rows(self) -> str:
        return "".join(i for i in self.result if i in self.values)

    @property
    def columns(self) -> str:
        return "".join(i for i in self.result if i in self.constant)


def indices_of(equation: str, constant: int, rank: int | None) -> Indices:
    """Of an equation of two factors; the one at `constant`, 0 or 1, is the constant, the other has `rank` axes, where that
    is known. Raises NoProduct.
    """
    given, arrow, result = equation.replace(" ", "").partition("->")
    factors = given.split(",")
    weight, values = factors[constant], factors[1 - constant]
    if not arrow:  # then every letter that occurs once, in the alphabet's order
        once = sorted(i for i in set(given) - set(".,") if given.count(i) == 1)
        result = ("..." if "..." in values else "") + "".join(once)
    if "..." in weight:
        raise NoProduct("the constant's axes are not all named")
    if "..." in values:
        if rank is None or "..." not in result:
            raise NoProduct("the axes of its values are not all known")
        free = [i for i in _LETTERS if i not in equation]
        named = "".join(free[: rank - len(values) + 3])
        values, result = values.replace("...", named), result.replace("...", named)
    for term in (values, weight, result):
        if len(set(term)) < len(term):
            raise NoProduct("an index stands twice in one factor")
    if both := [i for i in result if i in values and i in weight]:
        raise NoProduct(f"index {both[0]} stands in both factors and in the result")
    if lost := [i for i in values + weight if (i in values) != (i in weight) and i not in result]:
        raise NoProduct(f"index {lost[0]} of one factor is summed over")
    if not set(values) & set(weight):
        raise NoProduct("nothing is summed over")
    return Indices(values, weight, result)


def as_products(model: "ModelProto") -> "tuple[ModelProto, dict[str, str]]":
    """A copy where Einsums of values and a stored float32 constant are MatMuls, `model` itself where there are none; and by
    node the reason why such an Einsum is none.
    """
    stored = {t.name: t for t in model.graph.initializer}
    if all(_place_of_constant(node, stored) is None for node in model.graph.node):
        return model, {}
    ranks = _ranks(model)
    copy = copied(model)
    parts = _Parts(copy)
    why: dict[str, str] = {}
    done: list[NodeProto] = []
    for node in model.graph.node:
        place = _place_of_constant(node, stored)
        if place is None:
            done.append(node)
            continue
        equation = next(a.s.decode() for a in node.attribute if a.name == "equation")
        try:
            indices = indices_of(equation, place, ranks.get(node.input[1 - place]))
        except NoProduct as error:
            why[node.name or node.output[0]] = f"{equation}: {error}"
            done.append(node)
        else:
            done += parts.product(node, node.input[1 - place], stored[node.input[place]], indices)
    if not parts.stored:
        return model, why
    set_nodes(copy.graph, done)
    drop_unread(copy.graph)
    return copy, why


class _Parts:
    """Nodes and constants that take an Einsum's place in `model`; each constant is stored once."""

    def __init__(self, model: "ModelProto") -> None:
        self._model = model
        self._taken = tensor_names(model) | {node.name for node in model.graph.node}
        self.stored: dict[tuple[object, ...], str] = {}

    def product(
        self, node: "NodeProto", values: str, constant: "TensorProto", indices: Indices
    ) -> "list[NodeProto]":
        """[rows, summed] by [summed, columns]; axes that are several are one for the product. A 0 in a Reshape's shape takes
        over what stands there, so that the rows may be open.
        """
        from onnx import numpy_helper

        array = numpy_helper.to_array(constant)
        size = dict(zip(indices.constant, array.shape, strict=True))
        inner = int(np.prod([size[i] for i in indices.summed]))
        order = indices.summed + indices.columns
        axes = [indices.constant.index(i) for i in order]
        matrix = array.transpose(axes).reshape(inner, -1)
        weight = self._constant(matrix, constant.name, constant.name, inner, *axes)
        name, rows = node.name or node.output[0], [0] * len(indices.rows)
        steps: list[tuple[str, str, list[int]]] = []
        before = indices.rows + indices.summed
        if before != indices.values:
            steps.append(("Transpose", "", [indices.values.index(i) for i in before]))
        if len(indices.summed) > 1:
            steps.append(("Reshape", "", [*rows, inner]))
        steps.append(("MatMul", weight, []))
        if len(indices.columns) != 1:
            steps.append(("Reshape", "", [*rows, *(size[i] for i in indices.columns)]))
        after = indices.rows + indices.columns
        if after != indices.result:
            steps.append(("Transpose", "", [after.index(i) for i in indices.result]))
        made = []
        for k, (kind, weight, numbers) in enumerate(steps):
            into = node.output[0] if k == len(steps) - 1 else free_name(f"{name}_{kind.lower()}", self._taken)
            called = node.name if kind == "MatMul" else free_name(f"{name}_{kind.lower()}", self._taken)
            made.append(self._node(kind, called, values, weight, numbers, into))
            values = into
        return made

    def _node(
        self, kind: str, name: str, values: str, weight: str, numbers: list[int], into: str
    ) -> "NodeProto":
        from onnx import helper

        if kind == "Transpose":
            return helper.make_node(kind, [values], [into], name, perm=numbers)
        if kind == "Reshape":
            weight = self._constant(np.array(numbers, np.int64), f"{name}_shape", "shape", *numbers)
        return helper.make_node(kind, [values, weight], [into], name)

    def _constant(self, values: np.ndarray, name: str, *key: object) -> str:
        from onnx import numpy_helper

        if key not in self.stored:
            self.stored[key] = free_name(f"{name}_matrix" if values.ndim == 2 else name, self._taken)
            tensor = numpy_helper.from_array(np.ascontiguousarray(values), self.stored[key])
            self._model.graph.initializer.append(tensor)
        return self.stored[key]


def _place_of_constant(node: "NodeProto", stored: "Mapping[str, TensorProto]") -> int | None:
    """Of two factors the one that is a stored float32 constant; None where that is none or both."""
    from onnx import TensorProto

    if node.op_type != "Einsum" or node.domain not in ONNX_DOMAINS or len(node.input) != 2:
        return None
    constant = [i in stored and stored[i].data_type == TensorProto.FLOAT for i in node.input]
    return constant.index(True) if sum(constant) == 1 else None


def _ranks(model: "ModelProto") -> dict[str, int]:
    from onnx import shape_inference

    try:
        graph = shape_inference.infer_shapes(weightless(model)).graph
    except (
        Exception
    ):  # InferenceError, or RuntimeError by version; the ranks that the graph tells itself are left
        graph = model.graph
    known = (v for v in (*graph.value_info, *graph.input) if v.type.tensor_type.HasField("shape"))
    return {v.name: len(v.type.tensor_type.shape.dim) for v in known}
