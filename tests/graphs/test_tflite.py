"""TFLite files as facts and as objects, and the interpreters that run them."""

from pathlib import Path

import numpy as np
import pytest

from edgeq.errors import ConversionFailed
from edgeq.graphs.tflite import kind_of, opcode_of, packed, read_model, read_tflite, tflite_of
from edgeq.graphs.tflite_session import feed, interpreter_of, open_interpreter
from tests.quantize.tflite_networks import dense

pytest.importorskip("ai_edge_litert")


def test_facts_are_tensors_operators_and_weights_of_the_main_graph(tmp_path: Path) -> None:
    graph = read_tflite(dense(tmp_path / "net.tflite", width=8))
    assert [o.kind for o in graph.operators] == ["FULLY_CONNECTED"]
    operator = graph.operators[0]
    data, weights = (graph.tensors[i] for i in operator.inputs[:2])
    assert (data.constant, weights.constant, weights.type, weights.shape) == (False, True, "FLOAT32", (8, 8))
    assert weights.bytes == 256 <= graph.weight_bytes
    assert graph.outputs == operator.outputs


def test_objects_are_changed_and_packed_again(tmp_path: Path) -> None:
    model = read_model(dense(tmp_path / "net.tflite"))
    operator = model.subgraphs[0].operators[0]
    assert kind_of(model, operator) == "FULLY_CONNECTED"
    assert opcode_of(model, 9) == operator.opcodeIndex  # BuiltinOperator.FULLY_CONNECTED
    model.subgraphs[0].tensors[operator.outputs[0]].name = b"renamed"
    again = tflite_of(packed(model))
    assert again.tensors[again.outputs[0]].name == "renamed"


def test_what_is_no_tflite_is_a_conversion_that_failed(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(b"no model")
    for read in (read_tflite, read_model):
        with pytest.raises(ConversionFailed, match=r"cannot read net\.tflite as TFLite"):
            read(file)
    with pytest.raises(ConversionFailed, match=r"LiteRT does not load net\.tflite"):
        interpreter_of(file, 1)


def test_an_interpreter_takes_inputs_of_another_shape(tmp_path: Path) -> None:
    file = dense(tmp_path / "net.tflite", width=8)
    one, three = np.ones((1, 8), np.float32), np.ones((3, 8), np.float32)
    interpreter = interpreter_of(file, 1)
    found = []
    for array in (one, three):
        feed(interpreter, (array,))
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    assert found[1].shape == (3, 8)
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-5)
    opened = open_interpreter(file.read_bytes(), 1, shapes=[(3, 8)])
    assert tuple(opened.get_input_details()[0]["shape"]) == (3, 8)


def test_feed_refuses_another_number_of_inputs(tmp_path: Path) -> None:
    interpreter = interpreter_of(dense(tmp_path / "net.tflite", width=8), 1)
    with pytest.raises(ConversionFailed, match="takes 1 inputs and the samples have 0"):
        feed(interpreter, ())
