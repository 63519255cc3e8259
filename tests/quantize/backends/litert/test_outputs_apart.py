"""A .tflite whose graph goes on with one of its outputs: quantized as if it did not."""

import numpy as np
import pytest

from edgeq.graphs.tflite import read_tflite
from edgeq.quantize.backends.litert import emit
from edgeq.quantize.calibration.calibrate import calibrate_tflite, ranges_of
from edgeq.quantize.evaluate.layer_noise import tflite_noise
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.passes.fit import fit_tflite
from edgeq.quantize.run_model import load, no_progress
from tests.quantize.networks import Rows
from tests.quantize.tflite_networks import two_outputs

pytest.importorskip("litert_quantizer")

ROWS = Rows(np.random.default_rng(1).normal(size=(16, 16)).astype(np.float32))


def quantized(source, into, in_float=frozenset()):
    emit.emit(source, into, ranges_of(calibrate_tflite(source, ROWS, False), "minmax"), in_float)
    return into


def kinds(path):
    graph = read_tflite(path)
    return [(o.kind, graph.tensors[o.outputs[0]].type) for o in graph.operators]


def closeness(source, path):
    answers = zip(load(source, "tflite")(ROWS[0]), load(path, "tflite")(ROWS[0]), strict=True)
    return [sqnr_db(a, b) for a, b in answers]


@pytest.mark.parametrize("outputs", [("y", "p"), ("p", "y"), ("y", "y", "p"), ("x", "y", "p")])
def test_its_outputs_are_what_they_are_without_it(outputs, tmp_path):
    alone = two_outputs(tmp_path / "alone.tflite", ("p",))
    (wanted,) = closeness(alone, quantized(alone, tmp_path / "alone.int8.tflite"))
    source = two_outputs(tmp_path / "float.tflite", outputs)
    found = closeness(source, quantized(source, tmp_path / "int8.tflite"))
    assert len(found) == len(outputs)
    assert found[outputs.index("p")] == wanted
    assert all(db is None or db > 25 for db in found)


def test_an_operator_that_was_never_computed_stays_in_float(tmp_path):
    source = two_outputs(tmp_path / "float.tflite", ("y",))
    path = quantized(source, tmp_path / "int8.tflite")
    assert ("SOFTMAX", "FLOAT32") in kinds(path)
    assert closeness(source, path)[0] > 25


def test_an_operator_that_reads_what_has_no_range_stays_in_float(tmp_path):
    source, path = two_outputs(tmp_path / "float.tflite", ("p",)), tmp_path / "int8.tflite"
    emit.emit(source, path, {"x": (-3.0, 3.0), "p": (0.0, 1.0)})
    assert dict(kinds(path)) == {"FULLY_CONNECTED": "FLOAT32", "SOFTMAX": "FLOAT32"}


def test_both_operators_compute_on_integers_and_no_copy_is_left(tmp_path):
    source = two_outputs(tmp_path / "float.tflite")
    path = quantized(source, tmp_path / "int8.tflite")
    assert sorted(kinds(path)) == [
        ("DEQUANTIZE", "FLOAT32"),
        ("DEQUANTIZE", "FLOAT32"),
        ("FULLY_CONNECTED", "INT8"),
        ("QUANTIZE", "INT8"),
        ("SOFTMAX", "INT8"),
    ]


@pytest.mark.parametrize("name", ["y", "p"])
def test_either_operator_can_be_left_in_float(name, tmp_path):
    source = two_outputs(tmp_path / "float.tflite")
    path = quantized(source, tmp_path / "int8.tflite", frozenset({name}))
    left = dict(kinds(path))["FULLY_CONNECTED" if name == "y" else "SOFTMAX"]
    assert left == "FLOAT32"
    assert all(db is None or db > 25 for db in closeness(source, path))


def test_what_looks_at_the_file_finds_its_way(tmp_path):
    source = two_outputs(tmp_path / "float.tflite")
    path = quantized(source, tmp_path / "int8.tflite")
    assert {n.layer for n in tflite_noise(source, path, ROWS, threads=1, progress=no_progress)} == {"y", "p"}
    fit_tflite(source, path, ROWS, 1, no_progress)
