"""A bundle, a model file or a folder, called as a model."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from onnx.parser import parse_model

import edgeq
from edgeq.bundle import read_bundle, write_bundle
from edgeq.demo import demo_files
from edgeq.errors import BundleRefused, ConversionFailed, ExtraMissing, ModelRefused, TargetRefused

Digits = tuple[np.ndarray, np.ndarray]


def two_ended(folder: Path) -> Path:
    """A graph of two inputs, one with an open batch, and two outputs."""
    model = parse_model(
        """<ir_version: 8, opset_import: ["": 17]>
        net (float[N, 2] x, float[1, 2] bias) => (float[N, 2] total, float[N, 3] product) {
            total = Add(x, bias)
            product = MatMul(x, w)
        }"""
    )
    model.graph.initializer.append(numpy_helper.from_array(np.ones((2, 3), np.float32), "w"))
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def test_the_first_candidate_of_a_bundle_runs(bundle: Path, digits: Digits) -> None:
    images, labels = digits
    with edgeq.load(bundle) as q, read_bundle(bundle) as opened:
        assert q.candidate == opened.manifest.candidates[0].id == q.candidates[0]
        scores = q(images)
    assert isinstance(scores, np.ndarray) and scores.shape == (64, 10) and scores.dtype == np.float32
    assert (scores.argmax(1) == labels).mean() > 0.9


def test_a_candidate_is_chosen(bundle: Path, digits: Digits) -> None:
    images, _ = digits
    q = edgeq.load(bundle, candidate="onnxruntime-float")
    session = onnxruntime.InferenceSession(str(demo_files()[0]))
    expected = [session.run(None, {session.get_inputs()[0].name: image[None]})[0] for image in images[:4]]
    assert np.allclose(q(images[:4]), np.concatenate(expected), atol=1e-4)
    with pytest.raises(TargetRefused, match="has no candidate litert-float"):
        edgeq.load(bundle, candidate="litert-float")


def test_one_sample_with_and_without_its_batch(bundle: Path, digits: Digits) -> None:
    image = digits[0][0]
    q = edgeq.load(bundle)
    answers = [q(image), q(image[None]), q(image=image), q({"image": image}), q((image,)), q(image.tolist())]
    assert {a.shape for a in answers} == {(1, 10)}
    assert all(np.array_equal(a, answers[0]) for a in answers)


def test_tensors_in_tensors_out(bundle: Path, digits: Digits) -> None:
    torch = pytest.importorskip("torch")
    images = torch.from_numpy(digits[0][:3]).requires_grad_()
    q = edgeq.load(bundle)
    scores = q(images)
    assert isinstance(scores, torch.Tensor) and not scores.requires_grad
    assert np.array_equal(scores.numpy(), q(digits[0][:3]))
    assert q(images.to(torch.bfloat16)).shape == (3, 10)


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    q = edgeq.load(two_ended(tmp_path))
    x, bias = np.arange(8, dtype=np.float32).reshape(4, 2), np.array([[10, 20]], np.float32)
    answer = q(x, bias)
    assert list(answer) == ["total", "product"]
    assert np.array_equal(answer["total"], x + bias) and answer["product"].shape == (4, 3)
    assert np.array_equal(q(bias=bias, x=x)["total"], answer["total"])
    assert [str(spec) for spec in q.inputs] == ["x ?x2 float32", "bias 1x2 float32"]


def test_a_batch_of_one_input_where_the_other_is_open(tmp_path: Path) -> None:
    q = edgeq.load(two_ended(tmp_path))
    biases = np.array([[0, 1], [2, 3], [4, 5]], np.float32)
    answer = q(np.zeros((1, 2)), biases)
    assert np.array_equal(answer["total"], biases) and answer["product"].shape == (3, 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((1, 1, 9, 8), np.float32), "image: expected 1x1x8x8 float32, got float32 of shape 1x1x9x8"),
        (np.zeros((5, 1, 8, 8), np.int64), "image: expected 1x1x8x8 float32, got int64"),
        (np.full((1, 1, 8, 8), 1e300), "values beyond the range of float32"),
        ("photo.png", "converted without --preprocess"),
    ],
)
def test_what_does_not_fit_is_said(bundle: Path, given: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        edgeq.load(bundle)(given)


def test_other_inputs_than_the_models(bundle: Path, digits: Digits) -> None:
    q = edgeq.load(bundle)
    for values, named in (((), {}), (digits, {}), ((), {"picture": digits[0]})):
        with pytest.raises(ValueError, match="expected inputs: image 1x1x8x8 float32; got"):
            q(*values, **named)


def test_an_onnx_file_as_it_is(digits: Digits) -> None:
    q = edgeq.load(demo_files()[0])
    assert q.candidate == "onnxruntime-file" and str(q.inputs[0]) == "image 1x1x8x8 float32"
    assert (q(digits[0]).argmax(1) == digits[1]).mean() > 0.9


def test_weights_in_another_file(tmp_path: Path, digits: Digits) -> None:
    place = tmp_path / "net.onnx"
    onnx.save(onnx.load(demo_files()[0]), place, save_as_external_data=True, size_threshold=0)
    assert np.array_equal(edgeq.load(place)(digits[0]), edgeq.load(demo_files()[0])(digits[0]))


def test_a_tflite_file_takes_reals_for_its_integers(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("litert_quantizer")
    from tests.quantize.tflite_networks import dense

    x = np.random.default_rng(0).normal(size=(40, 64)).astype(np.float32)
    made = edgeq.convert(
        dense(tmp_path / "net.tflite"),
        data=x,
        target="rpi4",
        runtime="litert",
        recipe="int8_static",
        integer_io=True,
        output=tmp_path / "d.edgeq",
    )
    expected = edgeq.load(tmp_path / "net.tflite")(x)
    with read_bundle(made.path) as opened:
        (tmp_path / "int8.tflite").write_bytes(opened.artifact(opened.manifest.candidates[0].model))
    for place in (made, tmp_path / "int8.tflite"):
        q = edgeq.load(place)
        assert q.inputs[0].dtype == "int8" and q.inputs[0].affine is not None
        assert np.abs(q(x) - expected).max() < 0.05 * np.abs(expected).max()
    (layer,) = q.summary().layers
    assert layer.integer and (layer.operator, layer.parameters) == ("FULLY_CONNECTED", 64 * 64)


def test_what_was_exported(bundle: Path, tmp_path: Path, digits: Digits) -> None:
    edgeq.export(bundle, output=tmp_path / "folder/")
    edgeq.export(bundle, output=tmp_path / "net.onnx")
    expected = edgeq.load(bundle)(digits[0])
    for place in ("folder", "net.onnx", "net.contract.json"):
        q = edgeq.load(tmp_path / place)
        assert q.candidate == "onnxruntime-int8_static" and np.array_equal(q(digits[0]), expected)
    with pytest.raises(TargetRefused, match="no candidate onnxruntime-float.*"):
        edgeq.load(tmp_path / "folder", candidate="onnxruntime-float")


def test_a_release_has_candidates_to_choose_from(bundle: Path, tmp_path: Path, digits: Digits) -> None:
    with read_bundle(bundle) as opened:
        opened.extract(tmp_path / "release")
    q = edgeq.load(tmp_path / "release", candidate="onnxruntime-int8_static")
    assert np.array_equal(q(digits[0]), edgeq.load(bundle)(digits[0]))
    assert "onnxruntime-float" in q.candidates


def test_images_are_prepared(tmp_path: Path) -> None:
    from PIL import Image

    model = parse_model(
        """<ir_version: 8, opset_import: ["": 17]>
        net (float[1, 3, 4, 4] x) => (float[1, 3] y) { m = ReduceMean<axes: ints = [2, 3], keepdims: int = 0>(x)
            y = Identity(m) }"""
    )
    onnx.save(model, tmp_path / "m.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (12, 9, 11, 3), np.uint8)
    made = edgeq.convert(
        tmp_path / "m.onnx",
        data=[Image.fromarray(p) for p in pixels],
        preprocess="size=4x4,scale=1/255",
        target="x86-64-vnni",
        runtime="onnxruntime",
        recipe="float",
        output=tmp_path / "m.edgeq",
    )
    q = edgeq.load(made)
    Image.fromarray(pixels[0]).save(tmp_path / "0.png")
    whole = q(pixels)
    assert whole.shape == (12, 3) and 0.0 < whole.min() < whole.max() < 1.0
    assert np.array_equal(q([tmp_path / "0.png", Image.fromarray(pixels[1])]), whole[:2])
    assert np.array_equal(q(tmp_path / "0.png"), whole[:1])


def test_temporary_files_go_with_the_model(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    q = edgeq.load(bundle)
    assert len(list(tmp_path.iterdir())) == 1
    q.close()
    assert list(tmp_path.iterdir()) == [] and "closed" in repr(q)
    with pytest.raises(ValueError, match="was closed: load it again"):
        q(np.zeros((1, 1, 8, 8), np.float32))
    with pytest.raises(TargetRefused):
        edgeq.load(bundle, candidate="none")
    assert list(tmp_path.iterdir()) == []


def test_code_in_a_bundle_is_not_run(bundle: Path, tmp_path: Path) -> None:
    """Neither its edgeq_runtime.py nor what its contract would put on sys.path."""
    with read_bundle(bundle) as opened:
        manifest = opened.manifest
        files = {a.path: opened.artifact(a.path) for a in manifest.artifacts}
    first = manifest.candidates[0].id
    own = f"candidates/{first}/"
    files[f"{own}edgeq_runtime.py"] = b"raise SystemExit(1)"
    files[f"{own}python_path.json"] = b'["."]'
    files[f"{own}contract.json"] = json.dumps(
        json.loads(files[f"{own}contract.json"]) | {"model": "../../../model.onnx"}
    ).encode()
    hostile = tmp_path / "hostile.edgeq"
    _write(hostile, manifest, files)
    before = list(sys.path)
    q = edgeq.load(hostile)
    assert q.candidate == first and sys.path == before
    assert q(np.zeros((1, 1, 8, 8), np.float32)).shape == (1, 10)


def _write(path: Path, manifest: object, files: dict[str, bytes]) -> None:
    import hashlib
    from dataclasses import replace

    from edgeq.nouns.bundle import Artifact

    artifacts = tuple(
        Artifact(p, len(content), hashlib.sha256(content).hexdigest()) for p, content in sorted(files.items())
    )
    write_bundle(path, replace(manifest, artifacts=artifacts), files, {})  # type: ignore[type-var]


def test_what_cannot_be_loaded(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"")
    (tmp_path / "net.onnx").write_bytes(b"no graph")
    (tmp_path / "empty").mkdir()
    (tmp_path / "contract.json").write_text('{"schema": 1}')
    shutil.copy(bundle, tmp_path / "cut.edgeq")
    (tmp_path / "cut.edgeq").write_bytes(bundle.read_bytes()[:1000])
    for name, kind, said in (
        ("nothing.edgeq", ModelRefused, "nothing.edgeq is not there"),
        ("net.pt2", ModelRefused, "nothing that can be loaded"),
        ("net.onnx", ConversionFailed, "cannot read net.onnx as ONNX"),
        ("empty", BundleRefused, "has no contract.json, and no candidates/"),
        ("contract.json", BundleRefused, "'app' is no text"),
        ("cut.edgeq", BundleRefused, "is not a bundle, or only part of one"),
    ):
        with pytest.raises(kind, match=said):
            edgeq.load(tmp_path / name)
    with pytest.raises(TypeError, match="edgeq.quantize takes a torch module"):
        edgeq.load(object())


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ("net (bfloat16[1] x) => (bfloat16[1] y) { y = Identity(x) }", "x of .* is bfloat16, which numpy"),
        ("net (string[1] x) => (string[1] y) { y = Identity(x) }", "x of .* is no array of numbers"),
    ],
)
def test_what_is_no_array(tmp_path: Path, graph: str, said: str) -> None:
    onnx.save(parse_model(f'<ir_version: 8, opset_import: ["": 17]>\n{graph}'), tmp_path / "net.onnx")
    with pytest.raises(ModelRefused, match=said):
        edgeq.load(tmp_path / "net.onnx")


def test_a_graph_that_the_runtime_refuses(tmp_path: Path) -> None:
    model = parse_model(
        '<ir_version: 8, opset_import: ["": 17]>\nnet (float[1] x) => (float[1] y) { y = NoSuch(x) }'
    )
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(ModelRefused, match=r"onnxruntime does not load .*net.onnx: .*NoSuch"):
        edgeq.load(tmp_path / "net.onnx")


def test_a_runtime_that_is_not_installed(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "edgeq.loaded.from_bundle.why_not_here", lambda runtime: f"not installed here: {runtime}"
    )
    with pytest.raises(ExtraMissing, match="nothing that is installed here runs a candidate") as refused:
        edgeq.load(bundle)
    assert refused.value.details == ("onnxruntime: not installed here: onnxruntime",)
