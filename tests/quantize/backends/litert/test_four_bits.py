"""Fully connected layers whose integers fit into 4 bits are stored so, and compute what they computed in int8."""

import itertools

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("litert_quantizer")

from ai_edge_litert import schema_py_generated as schema

from edgeq.graphs.tflite import kind_of, packed, read_model
from edgeq.ingest.tflite_run import run_tflite
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.backends.litert.emit import emit
from edgeq.quantize.backends.litert.four_bits import store_in_four_bits, two_to_a_byte
from edgeq.quantize.backends.litert.kernels import oldest_version
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from tests.quantize.networks import Rows
from tests.quantize.tflite_networks import model_of_file, write

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


def test_fitted_layers_of_few_bits_are_stored_so(tmp_path):
    """Of three layers the inner one has ternary weights; the file computes what it would in int8."""
    sizes = {"x": 32, "a": 48, "b": 64, "y": 10}
    names = list(sizes)
    layers = [
        ("FULLY_CONNECTED", schema.FullyConnectedOptionsT(), [x, f"{y}.w", f"{y}.b"], y)
        for x, y in itertools.pairwise(names)
    ]
    constants = {f"{y}.w": RNG.normal(size=(sizes[y], sizes[x])) for x, y in itertools.pairwise(names)}
    constants |= {f"{y}.b": RNG.normal(size=sizes[y]) for y in names[1:]}
    shapes = {name: (1, size) for name, size in sizes.items()}
    constants = {name: values.astype(np.float32) for name, values in constants.items()}
    source = write(tmp_path / "float.tflite", shapes, constants, layers, ("x",), ("y",))
    made, samples = {}, RNG.normal(size=(80, 32)).astype(np.float32)
    for runtime in ("litert", "tflite-runtime"):
        candidate = CandidatePlan(
            f"{runtime}-int8_static", runtime, "int8_static", "tflite", "", Scheme("int8", "int8", True)
        )
        made[runtime] = make(
            candidate,
            model_of_file(source),
            Rows(samples[:64]),
            Rows(samples[64:]),
            same_samples=False,
            gate=Gate(min_sqnr_db=-100.0),
            workdir=tmp_path / runtime,
            options=Options(levels="ternary", weight_bits=2, passes=("fit",)),
        )
    four, eight = (made[runtime].path for runtime in ("litert", "tflite-runtime"))
    assert types(four).count(INT4) == 1 and INT4 not in types(eight)
    assert made["litert"].min_runtime == "2.1"
    assert any("two to a byte" in change.how for change in made["litert"].fidelity.remedies)
    for x in RNG.normal(size=(20, 1, 32)).astype(np.float32):
        np.testing.assert_array_equal(*(run_tflite(path.read_bytes(), (x,))[0] for path in (four, eight)))
