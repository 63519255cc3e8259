"""`--integer-io`: the .tflite takes and gives int8, and what is beside it says for which reals they stand."""

import json

import numpy as np
import pytest

from edgeq.bundle import read_check
from edgeq.emulate.answers import Question, ask
from edgeq.emulate.machine import this_machine
from edgeq.errors import ModelRefused, TargetRefused
from edgeq.graphs.tflite import read_tflite
from edgeq.workflow.convert import convert
from edgeq.workflow.explain import explain
from tests.quantize.tflite_networks import two_outputs

pytest.importorskip("litert_quantizer")

TARGET = "x86-64-vnni"


@pytest.fixture
def given(tmp_path):
    """A .tflite with the outputs y and softmax(y), and samples for it."""
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).normal(size=(60, 16)).astype(np.float32))
    return str(two_outputs(tmp_path / "net.tflite")), str(tmp_path / "data.npz")


@pytest.fixture
def made(given, tmp_path):
    model, data = given
    conversion = convert(model, target=TARGET, data=data, integer_io=True, output=tmp_path / "net.edgeq")
    conversion.bundle.extract(tmp_path / "files")
    return conversion


def contract(conversion, id):
    path = conversion.path.parent / "files" / "candidates" / id / "contract.json"
    return json.loads(path.read_text())


def test_the_contract_says_how_integers_stand_for_reals(made, tmp_path):
    candidate = made.bundle.manifest.candidate("litert-int8_static")
    assert candidate.scheme == "S8S8 per channel, int8 in and out"
    assert candidate.input_types == ("int8",)
    told = contract(made, candidate.id)
    assert [t["dtype"] for t in (*told["inputs"], *told["outputs"])] == ["int8"] * 3
    graph = read_tflite(tmp_path / "files" / candidate.model)
    assert {graph.tensors[i].type for i in (*graph.inputs, *graph.outputs)} == {"INT8"}
    float_one = contract(made, "litert-float")
    assert [t["dtype"] for t in float_one["inputs"]] == ["float32"]
    assert "affine" not in float_one["inputs"][0]


def test_an_application_that_keeps_to_it_gets_what_the_host_got(made, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    told, check = contract(made, "litert-int8_static"), read_check(made.bundle)
    into, out = told["inputs"][0]["affine"], told["outputs"][0]["affine"]
    model = Interpreter(
        model_path=str(tmp_path / "files" / made.bundle.manifest.candidate("litert-int8_static").model)
    )
    model.allocate_tensors()
    stored = np.clip(np.round(check.inputs[0][0] / into["scale"]) + into["zero_point"], -128, 127)
    model.set_tensor(model.get_input_details()[0]["index"], stored.astype(np.int8))
    model.invoke()
    given = model.get_tensor(model.get_output_details()[0]["index"]).astype(np.float32)
    real = (given - out["zero_point"]) * out["scale"]
    np.testing.assert_allclose(real, check.outputs["litert-int8_static"][0][0], rtol=1e-6)


def test_it_is_judged_and_a_device_answers_in_reals(made, tmp_path):
    judged = {f.candidate: f for f in made.fidelity}["litert-int8_static"]
    assert judged.passed
    assert judged.outputs[0].sqnr_db > 15
    check = read_check(made.bundle)
    np.save(tmp_path / "x.npy", check.inputs[0])
    candidate = made.bundle.manifest.candidate("litert-int8_static")
    question = Question(candidate, tmp_path / "files", (tmp_path / "x.npy",))
    answers = ask(this_machine(tmp_path), question, tell=print)
    for there, here in zip(answers.outputs, check.outputs[candidate.id], strict=True):
        np.testing.assert_allclose(there, here.reshape(there.shape), rtol=1e-6)


def test_it_is_explained_layer_by_layer(made):
    explained = {e.candidate: e for e in explain(str(made.path), target=TARGET).explanations}
    (layer,) = explained["litert-int8_static"].layers
    assert layer.integer
    assert 0 < layer.error < 0.1


def test_it_is_another_conversion(given):
    model, data = given
    integers = convert(model, target=TARGET, data=data, integer_io=True)
    assert convert(model, target=TARGET, data=data, integer_io=True).reused
    floats = convert(model, target=TARGET, data=data)
    assert (floats.reused, floats.path == integers.path) == (False, False)


def test_without_a_static_candidate_for_litert_it_is_refused(given):
    model, data = given
    with pytest.raises(TargetRefused, match="--integer-io needs a static int8 candidate for LiteRT"):
        convert(model, target=TARGET, data=data, integer_io=True, recipe="int8_dynamic")


def test_a_quantized_source_keeps_what_it_takes(made, given, tmp_path):
    quantized = tmp_path / "files" / made.bundle.manifest.candidate("litert-int8_static").model
    with pytest.raises(ModelRefused, match="what it takes and gives stays as it is"):
        convert(str(quantized), target=TARGET, data=given[1], integer_io=True)
