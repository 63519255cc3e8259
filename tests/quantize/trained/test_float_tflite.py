"""The float graph of a quantized .tflite file computes what its integers stand for, without rounding activations."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("litert_quantizer")

from edgeq.graphs.tflite import packed, read_model, unpacked
from edgeq.graphs.tflite_session import open_interpreter
from edgeq.quantize.backends.litert.emit import emit
from edgeq.quantize.backends.litert.four_bits import store_in_four_bits
from edgeq.quantize.trained.float_tflite import float_tflite
from tests.quantize import tflite_networks
from tests.quantize.backends.litert.test_four_bits import dense

RNG = np.random.default_rng(1)


def output(content, x):
    interpreter = open_interpreter(content, 1)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.mark.parametrize("network", [tflite_networks.dense, tflite_networks.convolution])
def test_only_weights_are_rounded(tmp_path, network):
    source, path = network(tmp_path / "float.tflite"), tmp_path / "int8.tflite"
    emit(source, path, {"x": (-3.0, 3.0), "y": (-99.0, 99.0)})
    floats = packed(float_tflite(read_model(path)))
    graph = unpacked(floats).subgraphs[0]
    assert len(graph.operators) == 1
    x = np.clip(RNG.normal(size=graph.tensors[graph.inputs[0]].shape), -3, 3).astype(np.float32)
    wanted = output(source.read_bytes(), x)
    quantized, found = (np.abs(output(c, x) - wanted).max() for c in (path.read_bytes(), floats))
    assert 0 < found < 0.02 * np.abs(wanted).max() and found < quantized


def test_weights_two_to_a_byte_are_the_same(tmp_path):
    path = dense(tmp_path / "int8.tflite")
    whole = packed(float_tflite(read_model(path)))
    assert store_in_four_bits(path)
    x = RNG.normal(size=(1, 64)).astype(np.float32)
    np.testing.assert_array_equal(output(packed(float_tflite(read_model(path))), x), output(whole, x))
