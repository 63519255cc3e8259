"""Files whose operator codes stand only where schemas before 3a had them are brought up to date on opening."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from edgeq.errors import ModelRefused
from edgeq.graphs.tflite import packed, read_model
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.ingest.tflite_run import run_tflite
from edgeq.workflow.convert import convert
from tests.quantize.tflite_networks import convolution, dense, two_outputs


def aged(path, which=lambda k: True):
    """The file with the codes of `which` operators only in `deprecated_builtin_code`."""
    model = read_model(path)
    for k, code in enumerate(model.operatorCodes):
        if which(k):
            code.deprecatedBuiltinCode, code.builtinCode = (
                max(code.builtinCode, code.deprecatedBuiltinCode),
                0,
            )
    path.write_bytes(packed(model))
    return path


def codes(path):
    return [(c.builtinCode, c.deprecatedBuiltinCode) for c in read_model(Path(path)).operatorCodes]


@pytest.mark.parametrize("which", [lambda k: True, lambda k: k == 1], ids=["all", "one of two"])
def test_they_are_written_where_they_stand_now(which, tmp_path):
    source = aged(two_outputs(tmp_path / "m.tflite"), which)
    assert any(new < old for new, old in codes(source))
    model = open_model(Request(str(source), workdir=tmp_path / "w", formats=("tflite",)))
    assert all(new >= old for new, old in codes(model.files["tflite"]))
    assert any("operator codes" in note for note in model.notes)
    x = (np.random.default_rng(0).standard_normal((1, 16)).astype("f"),)
    before, after = (run_tflite(Path(p).read_bytes(), x) for p in (source, model.files["tflite"]))
    assert all(np.array_equal(b, a) for b, a in zip(before, after, strict=True))


def test_a_file_of_today_stays_byte_for_byte(tmp_path):
    source = two_outputs(tmp_path / "m.tflite")
    model = open_model(Request(str(source), workdir=tmp_path / "w", formats=("tflite",)))
    assert Path(model.files["tflite"]).read_bytes() == source.read_bytes()


@pytest.mark.parametrize(("net", "shape"), [(convolution, (16, 16, 16)), (dense, (64,))])
@pytest.mark.parametrize("recipe", ["int8_static", "int8_dynamic"])
def test_an_old_file_is_quantized(net, shape, recipe, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).standard_normal((24, *shape)).astype("f"))
    done = convert(
        str(aged(net(tmp_path / "m.tflite"))),
        target="android-arm64",
        data=str(tmp_path / "x.npz"),
        recipe=recipe,
        output=tmp_path / "m.edgeq",
    )
    (found,) = (f for f in done.fidelity if f.candidate == f"litert-{recipe}")
    assert found.passed
    assert [a.integer for a in found.fusion] == [1]


def test_a_model_without_inputs_is_refused(tmp_path):
    model = read_model(two_outputs(tmp_path / "m.tflite"))
    graph = model.subgraphs[0]
    x = graph.tensors[int(graph.inputs[0])]
    model.buffers.append(type(model.buffers[0])())
    model.buffers[-1].data = np.frombuffer(np.ones(16, "f").tobytes(), np.uint8)
    x.buffer, graph.inputs = len(model.buffers) - 1, []
    (tmp_path / "m.tflite").write_bytes(packed(model))
    with pytest.raises(ModelRefused, match="the model has no inputs"):
        open_model(Request(str(tmp_path / "m.tflite"), workdir=tmp_path / "w", formats=("tflite",)))
