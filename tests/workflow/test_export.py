"""A bundle, or a model, becomes files that an application loads."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edgeq
from edgeq.application import runtime_source
from edgeq.bundle import assemble, read_bundle, write_bundle
from edgeq.demo import demo_files
from edgeq.errors import BundleRefused, ModelRefused, TargetRefused
from edgeq.nouns.bundle import Artifact, Candidate
from edgeq.nouns.tensor import TensorSpec
from tests.end_to_end.command_line import edgeq as typed


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's digits for a Pi 4, in onnxruntime alone."""
    place = tmp_path_factory.mktemp("made") / "digits.edgeq"
    model, data = demo_files()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place.parent / "cache"))
        edgeq.convert(model, data=data, target="rpi4", runtime="onnxruntime", output=place)
    return place


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_a_folder_gets_the_files_of_the_first_candidate(bundle: Path, tmp_path: Path) -> None:
    done = edgeq.export(bundle, output=tmp_path / "digits")
    with read_bundle(bundle) as opened:
        first = opened.manifest.candidates[0]
        model = opened.artifact(first.model)
    assert (done.candidate, done.target, done.written) == (first, "rpi4", True)
    assert (tmp_path / "digits/model.onnx").read_bytes() == model
    assert {"model.onnx", "contract.json", "edgeq_runtime.py", "example.py", "example.cc"} <= names(
        tmp_path / "digits"
    )
    assert {Path(f.path).name for f in done.files} == names(tmp_path / "digits")
    assert json.loads((tmp_path / "digits/contract.json").read_text())["candidate"] == first.id
    assert done.fidelity is not None and done.fidelity.candidate == first.id
    accuracy = done.fidelity.accuracy
    assert accuracy is not None
    scores = f"top-1 {accuracy.float_score:.1f} -> {accuracy.candidate_score:.1f}"
    assert re.search(rf"\n +SQNR [0-9.]+ dB   {re.escape(scores)} \(", str(done))


def test_a_model_file_gets_the_others_beside_it(bundle: Path, tmp_path: Path) -> None:
    edgeq.export(bundle, output=tmp_path / "app/net.onnx", candidate="onnxruntime-float")
    contract = json.loads((tmp_path / "app/net.contract.json").read_text())
    assert (contract["model"], contract["candidate"]) == ("net.onnx", "onnxruntime-float")
    assert {"net.onnx", "net.contract.json", "edgeq_runtime.py", "net.example.py", "net.example.cc"} <= names(
        tmp_path / "app"
    )
    assert '"net.onnx"' in (tmp_path / "app/net.example.cc").read_text()


def test_nothing_is_replaced_unless_by_force(bundle: Path, tmp_path: Path) -> None:
    for place in (tmp_path / "folder", tmp_path / "net.onnx"):
        edgeq.export(bundle, output=place, candidate="onnxruntime-float")
        before = place.stat() if place.is_file() else (place / "model.onnx").stat()
        with pytest.raises(BundleRefused, match="is not empty|already"):
            edgeq.export(bundle, output=place)
        model = place if place.is_file() else place / "model.onnx"
        assert model.stat().st_mtime_ns == before.st_mtime_ns
        (model.parent / "mine.txt").write_text("mine")
        edgeq.export(bundle, output=place, force=True)
        assert model.stat().st_size < before.st_size
        assert (model.parent / "mine.txt").read_text() == "mine"


def test_without_a_place_the_command_line_is_wrong(tmp_path: Path) -> None:
    done = typed(tmp_path, "export", "net.onnx")
    assert (done.returncode, "Missing option '-o' / '--output'" in done.stderr) == (2, True)
    with pytest.raises(TypeError, match="output"):
        edgeq.export("net.onnx")
    with pytest.raises(TypeError, match="output takes text or a path, not None"):
        edgeq.export("net.onnx", output=None)
    with pytest.raises(
        TypeError, match=r"export\(\) takes only model by position, the rest by keyword: output="
    ):
        edgeq.export("net.onnx", "net.tflite")


def test_a_dry_run_writes_nothing(bundle: Path, tmp_path: Path) -> None:
    done = edgeq.export(bundle, output=tmp_path / "a/b/", dry_run=True)
    assert not done.written and done.files and names(tmp_path) == set()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("x.txt", "no model file"),
        (".onnx", "no model file"),
        ("x.edgeq", "would be a bundle"),
        ("file/x.onnx", "file is a file, no folder"),
        ("file", "is a file, no folder"),
        ("full/", "full is not empty: kept.txt"),
        ("full", "full is not empty: kept.txt"),
    ],
)
def test_a_wrong_place_is_refused_before_the_model_is_looked_for(
    place: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/kept.txt").touch()
    (tmp_path / "file").touch()
    with pytest.raises(BundleRefused, match=words):
        edgeq.export("no-such-model.onnx", output=f"{tmp_path}/{place}", target="rpi4")
    assert names(tmp_path) == {"full", "file"}


@pytest.mark.parametrize(
    ("model", "place", "options", "error", "words"),
    [
        ("m.onnx", "x.onnx", {"target": "android-arm64"}, TargetRefused, "runs .tflite, and no .onnx"),
        ("m.onnx", "x.tflite", {"runtime": "onnxruntime"}, TargetRefused, "--runtime onnxruntime is a .onnx"),
        ("m.onnx", "x.tflite", {"candidate": "onnxruntime-float"}, TargetRefused, "is a .onnx file"),
        ("m.onnx", "x.tflite", {"recipe": "int8_blockwise"}, TargetRefused, "makes no .tflite"),
        ("m.tflite", "x.onnx", {}, ModelRefused, "is TFLite, which is not converted"),
        ("m.onnx", "x.onnx", {"target": "rpi9"}, TargetRefused, "no target 'rpi9'"),
    ],
)
def test_a_file_that_no_candidate_can_be_is_refused_before_the_model_is_looked_for(
    model: str, place: str, options: dict[str, str], error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        edgeq.export(model, output=tmp_path / place, **{"target": "rpi4", **options})
    assert names(tmp_path) == set()


def test_a_finished_bundle_says_what_it_has(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(TargetRefused, match=r"for rpi4 has no \.tflite file$"):
        edgeq.export(bundle, output=tmp_path / "x.tflite")
    with pytest.raises(TargetRefused, match="has no candidate litert-float"):
        edgeq.export(bundle, output=tmp_path / "x/", candidate="litert-float")
    with pytest.raises(TargetRefused, match=r"has no \.tflite file of --recipe int8_static"):
        edgeq.export(bundle, output=tmp_path / "x.tflite", recipe="int8_static")
    with pytest.raises(BundleRefused, match="made for target rpi4, not rpi5") as refused:
        edgeq.export(bundle, output=tmp_path / "x/", target="rpi5")
    assert refused.value.remedy.startswith("export it with --target rpi4")
    assert edgeq.export(bundle, output=tmp_path / "x/", recipe="float").candidate.recipe == "float"


def test_float_is_not_exported_without_saying_so(tmp_path: Path) -> None:
    """A bundle may hold nothing quantized of the format that is asked for."""
    place, told = tmp_path / "f.edgeq", []
    edgeq.convert(demo_files()[0], recipe="float", runtime="onnxruntime", target="rpi4", output=place)
    edgeq.export(place, output=tmp_path / "f.onnx", tell=told.append)
    assert [n.text for n in told] == ["no quantized .onnx file passed the gate: onnxruntime-float is float"]
    edgeq.export(place, output=tmp_path / "g.onnx", recipe="float", tell=told.append)
    assert len(told) == 1


def foreign(folder: Path, added: dict[str, bytes], model: str = "model.onnx") -> Path:
    """A bundle whose one candidate has `added` beside its model, as an untrusted source might make it."""
    (folder / "m.onnx").write_bytes(b"graph")
    spec = (TensorSpec("x", "float32", (1,)),)
    one = Candidate("onnxruntime-float", "onnxruntime", "float", "", ("x",), ("x",))
    manifest, artifacts = assemble(
        name="m", target="rpi4", source_sha256="0" * 64, data_sha256=None, inputs=spec, outputs=spec,
        preprocessing=None, threads=1, built=[(one, folder / "m.onnx")],
    )  # fmt: skip
    base = "candidates/onnxruntime-float/"
    files = {
        path: content if isinstance(content, bytes) else content.read_bytes()
        for path, content in artifacts.items()
    }
    files[base + model] = files.pop(base + "model.onnx")
    files |= {base + name: content for name, content in added.items()}
    listed = [Artifact(p, len(c), hashlib.sha256(c).hexdigest()) for p, c in sorted(files.items())]
    candidates = (replace(manifest.candidates[0], model=base + model),)
    changed = replace(manifest, artifacts=tuple(listed), candidates=candidates)
    write_bundle(folder / "m.edgeq", changed, files, {})
    return folder / "m.edgeq"


def test_the_python_of_a_bundle_is_not_taken(tmp_path: Path) -> None:
    """It may come from an untrusted source; edgeq's own module is written."""
    given = foreign(tmp_path, {"edgeq_runtime.py": b"import os"})
    edgeq.export(given, output=tmp_path / "out/")
    assert (tmp_path / "out/edgeq_runtime.py").read_bytes() == runtime_source()


def test_nothing_that_python_would_import_is_written(tmp_path: Path) -> None:
    """A python_path.json would put a wheel in front of the user's own packages; a module beside the example comes before them."""
    added = dict.fromkeys(("python_path.json", "evil.whl", "numpy.so", "numpy/init.pyc"), b"evil")
    done = edgeq.export(foreign(tmp_path, added), output=tmp_path / "out/")
    assert names(tmp_path / "out") & {Path(name).parts[0] for name in added} == set()
    assert {skipped.what for skipped in done.left_out} == set(added)
    with pytest.raises(BundleRefused, match="named like no model file"):
        edgeq.export(foreign(tmp_path, {}, model="numpy.py"), output=tmp_path / "other/")


def test_convert_writes_the_same_where_a_model_file_or_a_folder_is_named(
    bundle: Path, tmp_path: Path
) -> None:
    shutil.copy(bundle, tmp_path / "d.edgeq")
    for command in ("convert", "export"):
        done = typed(tmp_path, command, "d.edgeq", "-o", f"{command}/")
        assert done.returncode == 0, done.stderr
    assert names(tmp_path / "convert") == names(tmp_path / "export")
    done = typed(tmp_path, "convert", "d.edgeq", "-o", "d.txt", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["kind"]) == (22, "BundleRefused")
    with pytest.raises(BundleRefused, match="no name for a bundle"):
        edgeq.convert("m.onnx", output=tmp_path / "m.onnx")


def test_the_json_is_valid_and_says_what_was_written(bundle: Path, tmp_path: Path) -> None:
    from tests.report.test_schema import validate

    shutil.copy(bundle, tmp_path / "d.edgeq")
    document = json.loads(typed(tmp_path, "export", "d.edgeq", "-o", "d.onnx", "--json").stdout)
    validate(document, "export")
    assert document["files"][0]["path"] == "d.onnx"


def test_a_torch_model_becomes_a_tflite_file_for_android(tmp_path: Path) -> None:
    """With its contract and Kotlin that runs it; of the candidates for LiteRT alone."""
    pytest.importorskip("litert_torch")
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "def build():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(),\n"
        "                               torch.nn.Linear(8 * 36, 4))\n"
    )
    x = np.random.default_rng(0).normal(size=(64, 3, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "calib.npz", x=x)
    words = ("net.py:build", "--data", "calib.npz", "--target", "android-arm64", "-o", "app/model.tflite")
    done = typed(tmp_path, "export", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert names(tmp_path / "app") == {"model.tflite", "model.contract.json", "model.example.kt"}
    contract = json.loads((tmp_path / "app/model.contract.json").read_text())
    assert (contract["model"], contract["runtime"]) == ("model.tflite", "litert")
    from ai_edge_litert.interpreter import Interpreter

    Interpreter(str(tmp_path / "app/model.tflite")).allocate_tensors()
    assert "model.tflite" in (tmp_path / "app/model.example.kt").read_text()


def test_a_module_is_exported_as_a_file_is(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 4)).eval()
    x = np.random.default_rng(0).normal(size=(40, 1, 4, 4)).astype(np.float32)
    done = edgeq.export(
        module, output=tmp_path / "net.onnx", data=x, name="net", recipe="float", target="rpi4"
    )
    assert (done.candidate.id, done.files[0].path) == ("onnxruntime-float", str(tmp_path / "net.onnx"))


@pytest.mark.parametrize("place", ["digits/", "net.onnx"])
def test_the_exported_python_runs(place: str, bundle: Path, tmp_path: Path) -> None:
    done = edgeq.export(bundle, output=f"{tmp_path}/{place}")
    (program,) = (f.path for f in done.files if f.path.endswith("example.py"))
    x = np.load(demo_files()[1])["image"][:1].astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    ran = subprocess.run([sys.executable, program, str(tmp_path / "x.npy")], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    name, _, values = ran.stdout.partition(" [")
    import onnxruntime

    session = onnxruntime.InferenceSession(done.files[0].path, providers=["CPUExecutionProvider"])
    taken, given = session.get_inputs()[0], session.get_outputs()[0]
    expected = session.run(None, {taken.name: x.reshape(taken.shape)})[0]
    assert name == given.name
    printed = [float(v) for v in values.partition("[")[2].rstrip("]\n").split()]
    np.testing.assert_allclose(printed, expected.ravel()[:10], rtol=1e-3, atol=1e-3)


def test_python_without_packages_is_told_what_to_install(bundle: Path, tmp_path: Path) -> None:
    """The interpreter is the one that runs the tests, shut off from its packages."""
    edgeq.export(bundle, output=tmp_path / "digits")
    assert "pip install onnxruntime numpy\n" in (tmp_path / "digits/example.py").read_text()
    ran = subprocess.run(
        [sys.executable, "-E", "-s", "-S", "example.py"],
        cwd=tmp_path / "digits",
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, "-m pip install onnxruntime numpy\n" in ran.stderr) == (1, True), ran.stderr
    assert (
        ran.stderr.startswith("error: digits_cnn needs onnxruntime and numpy") and ran.stderr.count("\n") == 1
    )


def test_the_contract_names_no_file_that_is_not_there(bundle: Path, tmp_path: Path) -> None:
    edgeq.export(bundle, output=tmp_path / "digits")
    assert "python_path" not in json.loads((tmp_path / "digits/contract.json").read_text())


def test_stdout_takes_no_export(bundle: Path, tmp_path: Path) -> None:
    done = typed(tmp_path, "export", str(bundle), "-o", "-")
    assert (done.returncode, names(tmp_path)) == (BundleRefused.exit_code, set())
    assert "an export is several files" in done.stderr
