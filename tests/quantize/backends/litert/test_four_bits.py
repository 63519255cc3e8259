"""Fully connected layers whose integers fit into 4 bits are stored so, and compute what they computed in int8."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("litert_quantizer")

from ai_edge_litert import schema_py_generated as schema

from edgeq.graphs.tflite import kind_of, packed, read_model
from edgeq.ingest.tflite_run import run_tflite
from edgeq.quantize.backends.litert.emit import emit
from edgeq.quantize.backends.litert.four_bits import store_in_four_bits, two_to_a_byte
from edgeq.quantize.backends.litert.kernels import oldest_version
from tests.quantize.tflite_networks import write

RNG = np.random.default_rng(0)
RANGES = {"x": (-3.0, 3.0), "y": (-12.0, 12.0), "z": (-12.0, 12.0)}
INT4 = 17


def dense(path, rows=1, inputs=64, outputs=48, readers=("y",)):
    """Static int8, with integers of -8 to 7."""
    names = {"w": RNG.normal(size=(outputs, inputs)), "b": RNG.normal(size=outputs)}
    shapes = {"x": (rows, inputs), **{name: (rows, outputs) for name in readers}}
    layers = [("FULLY_CONNECTED", schema.FullyConnectedOptionsT(), ["x", "w", "b"], y) for y in readers]
    constants = {name: values.astype(np.float32) for name, values in names.items()}
    source = write(path.with_name("float.tflite"), shapes, constants, layers, ("x",), readers)
    return with_integers(source, path)


def convolution(path):
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    weight = RNG.normal(size=(32, 1, 1, 64)).astype(np.float32)
    layers = [("CONV_2D", options, ["x", "w", "b"], "y")]
    constants = {"w": weight, "b": np.zeros(32, np.float32)}
    shapes = {"x": (1, 1, 1, 64), "y": (1, 1, 1, 32)}
    return with_integers(
        write(path.with_name("float.tflite"), shapes, constants, layers, ("x",), ("y",)), path
    )


def with_integers(source, path):
    emit(source, path, RANGES)
    model = read_model(path)
    for operator in model.subgraphs[0].operators:
        if kind_of(model, operator) in ("FULLY_CONNECTED", "CONV_2D"):
            buffer = model.buffers[model.subgraphs[0].tensors[operator.inputs[1]].buffer]
            integers = RNG.integers(-8, 8, len(buffer.data)).astype(np.int8)
            buffer.data = integers.view(np.uint8)
            weight = model.subgraphs[0].tensors[operator.inputs[1]]
            weight.quantization.scale = np.asarray(weight.quantization.scale, np.float32) * 16
    path.write_bytes(packed(model))
    return path


def types(path):
    return [t.type for t in read_model(path).subgraphs[0].tensors]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_outputs_are_those_of_int8_bit_for_bit(tmp_path, rows):
    path = dense(tmp_path / "net.tflite", rows)
    samples = RNG.normal(size=(20, rows, 64)).astype(np.float32)
    before, size = [run_tflite(path.read_bytes(), (x,)) for x in samples], path.stat().st_size
    changes = store_in_four_bits(path)
    assert [c.what for c in changes] == ["y"] and INT4 in types(path)
    assert size - path.stat().st_size > 64 * 48 / 2 - 64
    for x, outputs in zip(samples, before, strict=True):
        assert len(np.unique(outputs[0])) > 10
        np.testing.assert_array_equal(run_tflite(path.read_bytes(), (x,))[0], outputs[0])
    assert oldest_version(path, "litert") == "2.1"


def test_what_has_no_faster_kernel_stays_int8(tmp_path):
    for name, path in {
        "many rows": dense(tmp_path / "a.tflite", rows=8),
        "rows of half bytes": dense(tmp_path / "b.tflite", inputs=63),
        "few weights": dense(tmp_path / "c.tflite", outputs=8),
        "shared weights": dense(tmp_path / "d.tflite", readers=("y", "z")),
        "a convolution": convolution(tmp_path / "e.tflite"),
    }.items():
        before = path.read_bytes()
        assert store_in_four_bits(path) == () and path.read_bytes() == before, name


def test_integers_of_more_bits_stay_int8(tmp_path):
    path = dense(tmp_path / "net.tflite")
    model = read_model(path)
    [operator] = [o for o in model.subgraphs[0].operators if kind_of(model, o) == "FULLY_CONNECTED"]
    data = model.buffers[model.subgraphs[0].tensors[operator.inputs[1]].buffer].data
    changed = np.array(data)
    changed[5] = 8
    model.buffers[model.subgraphs[0].tensors[operator.inputs[1]].buffer].data = changed
    path.write_bytes(packed(model))
    assert store_in_four_bits(path) == () and oldest_version(path, "litert") is None


def test_two_to_a_byte_begins_with_the_low_half():
    assert two_to_a_byte(np.array([1, -2, 7], np.int8)).tolist() == [0xE1, 0x17]
