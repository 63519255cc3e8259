import hashlib
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeq.bundle import (
    CheckSet,
    assemble,
    read_bundle,
    read_check,
    read_fidelity,
    sidecar_files,
    write_bundle,
)
from edgeq.errors import BundleRefused
from edgeq.nouns.fidelity import Fidelity, OutputError
from edgeq.nouns.tensor import TensorSpec

from .conftest import candidate, parts


def test_same_parts_give_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for folder in (tmp_path / "one", tmp_path / "two"):
        manifest, artifacts = parts(folder)
        os.utime(folder / "a.onnx", (0, 0))
        write_bundle(folder / "m.edgeq", manifest, dict(reversed(artifacts.items())), {"b": b"2", "a": b"1"})
    assert (tmp_path / "one/m.edgeq").read_bytes() == (tmp_path / "two/m.edgeq").read_bytes()


def test_digest_is_sha256_of_manifest_json(bundle_file: Path, tmp_path: Path) -> None:
    with read_bundle(bundle_file) as bundle:
        bundle.extract(tmp_path / "out")
        assert hashlib.sha256((tmp_path / "out/manifest.json").read_bytes()).hexdigest() == bundle.digest


def test_what_stands_beside_does_not_change_the_digest(tmp_path: Path) -> None:
    manifest, artifacts = parts(tmp_path)
    write_bundle(tmp_path / "1.edgeq", manifest, artifacts, {})
    write_bundle(tmp_path / "2.edgeq", manifest, artifacts, {"note.txt": b"measured twice"})
    with read_bundle(tmp_path / "1.edgeq") as one, read_bundle(tmp_path / "2.edgeq") as two:
        assert one.digest == two.digest
        assert two.beside("note.txt") == b"measured twice"
        assert one.beside("note.txt") is None


def test_the_contract_tells_an_application_all_it_needs(bundle_file: Path) -> None:
    with read_bundle(bundle_file) as bundle:
        said = json.loads(bundle.artifact("candidates/onnxruntime-float/contract.json"))
    assert said["model"] == "model.onnx"
    assert (said["runtime"], said["threads"]) == ("onnxruntime", 4)
    assert said["inputs"] == [
        {"name": "x", "source_name": "image", "dtype": "float32", "shape": [None, 1, 8, 8]}
    ]
    assert said["preprocessing"]["size"] == [8, 8]


def test_check_samples_and_figures_come_back(tmp_path: Path) -> None:
    manifest, artifacts = parts(tmp_path)
    samples = np.arange(128, dtype=">f4").reshape(2, 1, 8, 8)
    check = CheckSet((samples,), np.array([3, 7]), {"onnxruntime-float": (np.eye(2, 10, dtype=np.float32),)})
    fidelity = Fidelity("onnxruntime-float", 2, (OutputError("logits", None, 0.0),))
    write_bundle(
        tmp_path / "m.edgeq", manifest, artifacts, sidecar_files([fidelity], {"onnx": "1.19"}, check)
    )
    with read_bundle(tmp_path / "m.edgeq") as bundle:
        back = read_check(bundle)
        assert back is not None and back.labels is not None
        assert np.array_equal(back.inputs[0], samples) and back.labels.tolist() == [3, 7]
        assert list(back.outputs) == ["onnxruntime-float"]
        assert read_fidelity(bundle) == (fidelity,)
        assert json.loads(bundle.beside("tools.json") or b"") == {"onnx": "1.19"}


def test_a_bundle_without_data_has_no_check_samples(bundle_file: Path) -> None:
    with read_bundle(bundle_file) as bundle:
        assert read_check(bundle) is None and read_fidelity(bundle) == ()


def test_an_artifact_that_changed_since_it_was_hashed_is_not_written(tmp_path: Path) -> None:
    manifest, artifacts = parts(tmp_path)
    (tmp_path / "a.onnx").write_bytes(b"trained again meanwhile")
    (tmp_path / "m.edgeq").write_bytes(b"the bundle of yesterday")
    with pytest.raises(BundleRefused, match=r"model\.onnx is not what the manifest says"):
        write_bundle(tmp_path / "m.edgeq", manifest, artifacts, {})
    assert (tmp_path / "m.edgeq").read_bytes() == b"the bundle of yesterday"
    assert not list(tmp_path.glob(".*.tmp"))


def test_parts_that_are_missing_or_too_many_are_named_together(tmp_path: Path) -> None:
    manifest, artifacts = parts(tmp_path)
    del artifacts["candidates/onnxruntime-float/contract.json"]
    artifacts["candidates/x/model.onnx"] = b""
    with pytest.raises(BundleRefused) as refused:
        write_bundle(tmp_path / "m.edgeq", manifest, artifacts, {"../up": b""})
    assert len(refused.value.details) == 3


def test_names_that_are_no_file_names_make_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="cannot be made into a bundle") as refused:
        parts(tmp_path, name="../digits")
    assert "is not a plain file name" in refused.value.details[0]


@pytest.mark.parametrize(
    ("ids", "inputs", "problem"),
    [
        (["a-b", "a-b"], 1, "'a-b' is listed 2 times"),
        (["a-b"], 2, "'a-b' has 1 inputs and 1 outputs, the model 2 and 1"),
        ([], 1, "there is no candidate"),
    ],
)
def test_parts_that_make_no_bundle(tmp_path: Path, ids: list[str], inputs: int, problem: str) -> None:
    (tmp_path / "m.onnx").write_bytes(b"m")
    with pytest.raises(BundleRefused) as refused:
        assemble(
            name="digits",
            target="rpi4",
            source_sha256="0" * 64,
            data_sha256=None,
            inputs=[TensorSpec("image", "float32", (1, 8))] * inputs,
            outputs=[TensorSpec("logits", "float32", (1, 10))],
            preprocessing=None,
            threads=1,
            built=[(candidate(id), tmp_path / "m.onnx") for id in ids],
        )
    assert any(problem in said for said in refused.value.details)


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    manifest, artifacts = parts(tmp_path)
    with pytest.raises(BundleRefused, match="cannot write"):
        write_bundle(tmp_path / "no/such/folder/m.edgeq", manifest, artifacts, {})


def test_any_unzip_reads_it(bundle_file: Path, tmp_path: Path) -> None:
    subprocess.run(["python3", "-m", "zipfile", "-e", str(bundle_file), str(tmp_path / "out")], check=True)
    assert (tmp_path / "out/candidates/onnxruntime-float/model.onnx").read_bytes() == b"float graph" * 100
