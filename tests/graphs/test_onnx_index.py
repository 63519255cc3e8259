"""The index of an ONNX graph: producers, consumers, constants, bodies and functions; and changes made by it."""

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeq.graphs.onnx_edit import drop_unread, free_name
from edgeq.graphs.onnx_index import (
    captures,
    has_body,
    index_of,
    model_nodes,
    model_tensors,
    names_read,
    nodes_within,
    tensor_names,
)


def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def stored(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def branch(name: str, *read: str) -> onnx.GraphProto:
    """Adds what it reads, and a constant of its own."""
    nodes = [
        helper.make_node("Add", list(read), [f"{name}_sum"]),
        helper.make_node("Mul", [f"{name}_sum", f"{name}_w"], [f"{name}_out"]),
    ]
    return helper.make_graph(nodes, name, [], [value(f"{name}_out", 2)], [stored(f"{name}_w", 2)])


def model() -> onnx.ModelProto:
    """x -> a -> Relu -> If, whose branches read a and the constants of the graph around them."""
    constant = helper.make_node("Constant", [], ["c"], value=stored("", 2))
    choose = helper.make_node(
        "If", ["flag"], ["y"], then_branch=branch("then", "a", "w"), else_branch=branch("else", "r", "c")
    )
    nodes = [
        constant,
        helper.make_node("Add", ["x", "x"], ["a"], "add"),
        helper.make_node("Relu", ["a"], ["r"], "relu"),
        choose,
        helper.make_node("Clip", ["r", "", "c"], ["clipped"], "clip"),
        helper.make_node("Neg", ["clipped"], ["z"], "neg"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", 2, "n"), value("flag", kind=TensorProto.BOOL)],
        [value("y", 2), value("z", 2)],
        [stored("w", 2)],
    )
    twice = helper.make_function(
        "own",
        "Twice",
        ["p"],
        ["q"],
        [helper.make_node("Add", ["p", "p"], ["q"])],
        [helper.make_opsetid("", 17)],
    )
    return helper.make_model(graph, functions=[twice])


def names(nodes: Iterable[onnx.NodeProto]) -> list[str]:
    return [node.name or node.op_type for node in nodes]


def test_producer_is_the_node_that_makes_a_tensor() -> None:
    index = index_of(model().graph)
    assert index.producer("r").name == "relu"
    assert index.producer("y").op_type == "If"
    for other in ("x", "w", "then_sum", "", "nowhere"):
        assert index.producer(other) is None


def test_uses_count_each_input_and_consumers_each_node() -> None:
    index = index_of(model().graph)
    assert [(node.name, place) for node, place in index.uses("x")] == [("add", 0), ("add", 1)]
    assert names(index.consumers("x")) == ["add"]
    assert [place for _, place in index.uses("c")] == [2]
    assert index.uses("") == ()


def test_only_consumer_is_none_for_what_a_body_or_an_output_reads() -> None:
    index = index_of(model().graph)
    assert index.only_consumer("clipped").name == "neg"
    assert index.only_consumer("x") is None  # twice
    assert index.only_consumer("a") is None  # the branch of the If
    assert index.only_consumer("z") is None


def test_inputs_outputs_and_captured_tensors() -> None:
    index = index_of(model().graph)
    assert index.is_graph_input("x") and not index.is_graph_input("a")
    assert index.is_graph_output("y") and not index.is_graph_output("a")
    assert index.captured == {"a", "w", "r", "c"}
    assert index.is_captured("a") and not index.is_captured("x")
    assert index.is_read_elsewhere("y") and index.is_read_elsewhere("a") and not index.is_read_elsewhere("x")


def test_constants_are_initializers_and_constant_nodes_of_the_graphs_around_too() -> None:
    outer, other, then = index_of(model().graph).scopes()
    assert set(outer.constants) == {"w", "c"}
    assert outer.initializer("w") is not None and outer.initializer("c") is None
    assert set(then.constants) == {"w", "c", "then_w"}
    assert then.initializer("w") is None and then.constant("w") is not None
    assert then.homes["w"] is outer.graph and then.homes["then_w"] is then.graph
    assert names(other.nodes) == ["Add", "Mul"]


def test_shapes_are_those_that_the_graphs_state_open_dimensions_none() -> None:
    _, _, then = index_of(model().graph).scopes()
    assert then.shapes["x"] == (2, None)
    assert then.shapes["then_out"] == (2,)


def test_ancestors_are_in_the_order_of_the_graph_and_end_where_tensors_are_given() -> None:
    index = index_of(model().graph)
    assert names(index.ancestors(["z"])) == ["Constant", "add", "relu", "clip", "neg"]
    assert names(index.ancestors(["y"])) == ["Constant", "add", "relu", "If"]
    assert names(index.ancestors(["z"], stop={"r", "c"})) == ["clip", "neg"]


def test_a_body_captures_what_it_does_not_make_itself() -> None:
    choose = index_of(model().graph).producer("y")
    assert captures(choose) == {"a", "w", "r", "c"}
    assert names_read(choose) == {"flag", "a", "w", "r", "c"}
    assert has_body(choose)


def test_bodies_in_bodies_capture_through_both() -> None:
    inner = helper.make_node(
        "If",
        ["then_sum"],
        ["o"],
        then_branch=branch("one", "w", "then_sum"),
        else_branch=branch("two", "w", "w"),
    )
    around = helper.make_graph(
        [helper.make_node("Add", ["a", "a"], ["then_sum"]), inner], "around", [], [value("o", 2)]
    )
    node = helper.make_node("If", ["flag"], ["y"], then_branch=around, else_branch=branch("else", "r", "r"))
    assert captures(node) == {"a", "w", "r"}
    assert names(nodes_within([node])) == ["If", "Add", "Mul", "Add", "If", "Add", "Mul", "Add", "Mul"]


def test_a_function_is_a_graph_of_its_own() -> None:
    found = model()
    index = index_of(found.functions[0])
    assert index.is_graph_input("p") and index.is_graph_output("q")
    assert index.producer("q").op_type == "Add"
    assert index.constants == {} and index.shapes == {}


def test_nodes_and_tensors_of_a_model_are_those_of_bodies_and_functions_too() -> None:
    found = model()
    assert names(model_nodes(found)).count("Add") == 3
    assert {t.name for t in model_tensors(found)} == {"w", "", "then_w", "else_w"}
    assert {"x", "q", "then_sum", "else_w", "y"} <= tensor_names(found)


def test_drop_unread_keeps_what_bodies_and_outputs_read() -> None:
    found = model()
    found.graph.initializer.append(stored("unread", 2))
    found.graph.node.insert(0, helper.make_node("Constant", [], ["unread_too"], value=stored("", 2)))
    drop_unread(found.graph)
    assert {i.name for i in found.graph.initializer} == {"w"}
    assert names(found.graph.node) == ["Constant", "add", "relu", "If", "clip", "neg"]


def test_free_name_is_taken_from_then_on() -> None:
    taken = {"a"}
    assert [free_name(name, taken) for name in ("a", "b", "a", "b")] == ["a_2", "b", "a_3", "b_2"]
