"""The forms that static integers take in a .tflite: 16-bit activations, integer ends, and what older runtimes run."""

import sys

import numpy as np
import pytest

from edgeq import catalog
from edgeq.deliver.agent_archive import build_agent
from edgeq.emulate.answers import Question, ask
from edgeq.emulate.machine import Machine
from edgeq.graphs.tflite import read_model, read_tflite
from edgeq.nouns.bundle import Candidate
from edgeq.quantize.audit.kernels import tflite_fusion
from edgeq.quantize.backends.litert import emit
from edgeq.quantize.backends.litert.emit import Form
from edgeq.quantize.backends.litert.kernels import oldest_version, without_kernel
from edgeq.quantize.calibration.calibrate import calibrate_tflite, ranges_of
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.passes.fit import fit_tflite
from edgeq.quantize.run_model import load, no_progress
from tests.lab import images
from tests.quantize.networks import Rows
from tests.quantize.tflite_networks import convolution, divided, multiplied, two_outputs

pytest.importorskip("litert_quantizer")

ROWS = Rows(np.random.default_rng(1).normal(size=(16, 16)).astype(np.float32))
PIXELS = Rows(np.random.default_rng(1).normal(size=(16, 16, 16, 16)).astype(np.float32))
OLDER = "tflite-runtime"


def emitted(source, form, rows=ROWS, in_float=frozenset()):
    path = source.with_name(f"{form.activation_bits}.tflite")
    emit.emit(source, path, ranges_of(calibrate_tflite(source, rows, False), "minmax"), in_float, form)
    return path


def closeness(source, path, rows=ROWS):
    return min(
        sqnr_db(a, b)
        for a, b in zip(load(source, "tflite")(rows[0]), load(path, "tflite")(rows[0]), strict=True)
    )


def types(path):
    graph = read_tflite(path)
    return {graph.tensors[o.outputs[0]].name: graph.tensors[o.outputs[0]].type for o in graph.operators}


def test_16_bits_are_closer_than_8_by_what_activations_cost(tmp_path):
    source = convolution(tmp_path / "float.tflite")
    eight, sixteen = (closeness(source, emitted(source, Form(bits), PIXELS), PIXELS) for bits in (8, 16))
    assert sixteen > eight + 5


def test_16_bits_are_symmetric_beside_biases_of_64_and_computed_in_integers(tmp_path):
    path = emitted(convolution(tmp_path / "float.tflite"), Form(16), PIXELS)
    graph = read_model(path).subgraphs[0]
    (layer,) = (o for o in graph.operators if len(o.inputs) == 3)
    kinds = [(graph.tensors[t].type, graph.tensors[t].quantization.zeroPoint.any()) for t in layer.inputs]
    assert kinds == [(7, False), (9, False), (4, False)]  # INT16, INT8, INT64
    (audit,) = tflite_fusion(path)
    assert (audit.integer, audit.total) == (1, 1)
    assert "plain loops" in audit.method


def test_layers_are_fitted_on_16_bits_too(tmp_path):
    source = convolution(tmp_path / "float.tflite")
    alike = Rows(np.cumsum(PIXELS.rows, axis=1) / 4)  # a fit gains by what neighbours have in common
    path = emitted(source, Form(16), alike)
    fitted = fit_tflite(source, path, alike, 1, no_progress)
    assert fitted.weights.keys() == {"y"}
    assert fitted.gain_db > 0


def test_integer_io_carry_a_scale_and_are_fed_with_reals(tmp_path):
    source = two_outputs(tmp_path / "float.tflite")
    path = emitted(source, Form(integer_io=True))
    graph = read_model(path).subgraphs[0]
    ends = [graph.tensors[int(t)] for t in (*graph.inputs, *graph.outputs)]
    assert [t.type for t in ends] == [9, 9, 9]  # INT8
    assert all(len(t.quantization.scale) == 1 for t in ends)
    assert set(types(path).values()) == {"INT8"}
    assert closeness(source, path) > 25


def test_integer_io_also_where_the_layer_before_stays_in_float(tmp_path):
    source = two_outputs(tmp_path / "float.tflite")
    path = emitted(source, Form(integer_io=True), in_float=frozenset({"y"}))
    assert types(path)["y"] == "FLOAT32"
    graph = read_tflite(path)
    assert {graph.tensors[i].type for i in (*graph.inputs, *graph.outputs)} == {"INT8"}
    assert closeness(source, path) > 25


@pytest.mark.parametrize("bits", [8, 16])
def test_a_division_stays_in_float_only_for_the_older_runtime(bits, tmp_path):
    source = divided(tmp_path / "float.tflite")
    assert without_kernel(source, "litert", bits) == {}
    assert without_kernel(source, OLDER, bits) == {"d": f"tflite-runtime has no {bits}-bit kernel for it"}
    assert types(emitted(source, Form(bits)))["d"] == f"INT{bits}"
    assert types(emitted(source, Form(bits, runtime=OLDER)))["d"] == "FLOAT32"


def test_only_16_bits_ask_for_a_version_of_the_older_runtime(tmp_path):
    source = divided(tmp_path / "float.tflite")
    assert oldest_version(emitted(source, Form(8, runtime=OLDER)), OLDER) is None
    path = emitted(source, Form(16, runtime=OLDER))
    assert (oldest_version(path, OLDER), oldest_version(path, "litert")) == ("2.14.0", None)


@pytest.mark.lab
@pytest.mark.parametrize("bits", [8, 16, None])
@pytest.mark.parametrize("network", [divided, multiplied])
def test_the_older_runtime_computes_what_litert_does(network, bits, tmp_path):
    """Scales per channel of the dense layer, or of the matrix product, would leave nothing of it; None: dynamic int8."""
    source, path = network(tmp_path / "float.tflite"), tmp_path / "model.tflite"
    if bits:
        emitted(source, Form(bits, runtime=OLDER)).rename(path)
    else:
        emit.emit_dynamic(source, path, OLDER)
    np.save(tmp_path / "x.npy", ROWS.rows[:, None])
    machine = Machine(
        (sys.executable,), build_agent(tmp_path).path, images.cache_folder(), None, catalog.target("x86-64")
    )
    runner = load(path, "tflite")
    candidate = Candidate("c", OLDER, "r", path.name, runner.inputs, runner.outputs)
    answers = ask(machine, Question(candidate, tmp_path, (tmp_path / "x.npy",)), tell=print)
    assert answers.version == "2.14.0"
    here = np.concatenate([runner(ROWS[i])[0] for i in range(16)])
    assert np.array_equal(here, answers.outputs[0]) or sqnr_db(here, answers.outputs[0]) > 40


@pytest.mark.parametrize(("runtime", "scales"), [("litert", 8), (OLDER, 1)])
def test_a_dense_layer_in_dynamic_int8_has_one_scale_where_the_runtime_reads_one(runtime, scales, tmp_path):
    path = tmp_path / "dynamic.tflite"
    emit.emit_dynamic(divided(tmp_path / "float.tflite"), path, runtime)
    graph = read_model(path).subgraphs[0]
    (weight,) = (t for t in graph.tensors if t.name == b"w")
    assert len(weight.quantization.scale) == scales
