"""Minus infinity is an answer of float, as a mask or a logarithm gives it: int8 is made of such a model and judged in words."""

import json
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.errors import GateFailed
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.project import Gates
from edgeq.quantize.evaluate.layer_noise import onnx_noise
from edgeq.workflow.convert import convert
from edgeq.workflow.explain import explain
from tests.quantize.networks import Rows, model_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 16)).astype(np.float32)
node = helper.make_node


def network(path: Path, tail: list, **constants: np.ndarray) -> str:
    """Two layers, and `tail` behind what they give, z."""
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(16, 32)) / 4, "v": rng.normal(size=(32, 9)) / 4}
    weights = [numpy_helper.from_array(a.astype(np.float32), n) for n, a in arrays.items()]
    weights += [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    nodes = [
        node("MatMul", ["x", "w"], ["h"], name="first"),
        node("Relu", ["h"], ["r"], name="relu"),
        node("MatMul", ["r", "v"], ["z"], name="second"),
        *tail,
    ]
    onnx.save(model_of(nodes, weights, [("x", (1, 16))], [("y", (1, 9))]), str(path))
    return str(path)


def masked(path: Path) -> str:
    """Moves that are not allowed have the logit -inf."""
    hidden = {"mask": np.arange(9) % 3 == 0, "never": np.float32(-np.inf)}
    return network(path, [node("Where", ["mask", "never", "z"], ["y"], name="where")], **hidden)


def logarithm(path: Path) -> str:
    """Of values that may be rounded to 0, or from it; the first never is."""
    tail = [
        node("Add", ["z", "most"], ["s"], name="shift"),
        node("Relu", ["s"], ["p"], name="cut"),
        node("Log", ["p"], ["y"], name="log"),
    ]
    return network(path, tail, most=np.array([9, *[0] * 8], np.float32))


@contextmanager
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def converted(folder: Path, model: str, gates: Gates, told: list, **options):
    np.savez(folder / "d.npz", x=X)
    with no_warnings():
        return convert(
            model,
            data=str(folder / "d.npz"),
            target="x86-64-vnni",
            runtime="onnxruntime",
            output=folder / "net.edgeq",
            gates=gates,
            tell=told.append,
            **options,
        )


@pytest.mark.parametrize("recipe", ["int8_static", "int8_dynamic"])
def test_a_mask_behind_the_last_layer_costs_no_candidate(tmp_path, recipe):
    model = masked(tmp_path / "net.onnx")
    done = converted(tmp_path, model, Gates(min_sqnr_db=5.0), [], recipe=recipe)
    (found,) = (f for f in done.fidelity if f.candidate == f"onnxruntime-{recipe}")
    assert found.passed
    assert found.outputs[0].sqnr_db > 20
    with no_warnings():
        explained = explain(str(done.path)).explanations
    json.dumps([e.to_dict() for e in explained], allow_nan=False)
    assert all(layer.error is not None for layer in explained[0].layers if layer.integer)


@pytest.mark.parametrize("recipe", ["int8_static", "int8_dynamic"])
def test_a_layer_that_gets_minus_infinity_costs_no_other_layer(tmp_path, recipe):
    """What it gives is minus infinity or nothing: exp makes zeros of that."""
    tail = [
        node("Where", ["mask", "never", "z"], ["m"], name="where"),
        node("MatMul", ["m", "share"], ["t"], name="third"),
        node("Exp", ["t"], ["e"], name="exp"),
        node("Add", ["z", "e"], ["y"], name="add"),
    ]
    hidden = {
        "mask": np.arange(9) == 3,
        "never": np.float32(-np.inf),
        "share": np.full((9, 9), 0.1, np.float32),
    }
    model = network(tmp_path / "net.onnx", tail, **hidden)
    told: list = []
    done = converted(tmp_path, model, Gates(min_sqnr_db=5.0), told, recipe=recipe)
    (found,) = (f for f in done.fidelity if f.candidate == f"onnxruntime-{recipe}")
    assert found.passed
    with no_warnings():
        explained = explain(str(done.path)).explanations
    json.dumps([e.to_dict() for e in explained], allow_nan=False)


def test_layers_are_ranked_where_the_gate_fails_behind_a_mask(tmp_path):
    told: list = []
    with pytest.raises(GateFailed):
        converted(
            tmp_path, masked(tmp_path / "net.onnx"), Gates(min_sqnr_db=90.0), told, recipe="int8_static"
        )
    found = next(t for t in told if isinstance(t, Fidelity) and "int8" in t.candidate)
    assert found.worst_layers
    assert all(0 < layer.sqnr_db < 90 for layer in found.worst_layers)
    assert found.outputs[0].sqnr_db > 20


def test_the_noise_of_each_layer_is_finite(tmp_path):
    model = masked(tmp_path / "net.onnx")
    done = converted(tmp_path, model, Gates(min_sqnr_db=5.0), [], recipe="int8_static")
    (int8,) = (c for c in done.bundle.manifest.candidates if c.recipe == "int8_static")
    (tmp_path / "int8.onnx").write_bytes(done.bundle.artifact(int8.model))
    with no_warnings():
        proto = onnx.shape_inference.infer_shapes(onnx.load(model))
        rows = Rows(X)
        noise = onnx_noise(proto, tmp_path / "int8.onnx", rows, threads=1, progress=lambda *_: None)
    assert noise
    assert 0 < noise[0].worst < 0.1


def test_what_is_infinite_on_one_side_alone_is_told_in_words(tmp_path):
    told: list = []
    words = "output y: not finite where float is, or vice versa"
    with pytest.raises(GateFailed, match=words) as failed:
        converted(
            tmp_path, logarithm(tmp_path / "net.onnx"), Gates(min_sqnr_db=10.0), told, recipe="int8_static"
        )
    assert "-7" not in " ".join((str(failed.value), *failed.value.details))
    assert any("not finite where float is" in line for line in failed.value.details)
