"""A bundle of two tiny candidates, and a way to rewrite its zip as an attacker or a bad disk would."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.bundle import assemble, write_bundle
from edgeq.nouns.bundle import Candidate, Manifest
from edgeq.nouns.tensor import Preprocessing, TensorSpec

Entries = dict[str, bytes]


def candidate(id: str) -> Candidate:
    runtime, _, recipe = id.partition("-")
    return Candidate(id, runtime, recipe, model="", inputs=("x",), outputs=("y",))


def parts(folder: Path, name: str = "digits") -> tuple[Manifest, dict[str, Path | bytes]]:
    (folder / "a.onnx").write_bytes(b"float graph" * 100)
    (folder / "b.onnx").write_bytes(b"int8 graph" * 30)
    manifest, artifacts = assemble(
        name=name,
        target="rpi4",
        source_sha256=hashlib.sha256(b"source").hexdigest(),
        data_sha256=None,
        inputs=(TensorSpec("image", "float32", (None, 1, 8, 8)),),
        outputs=(TensorSpec("logits", "float32", (None, 10)),),
        preprocessing=Preprocessing(size=(8, 8), mean=(0.5,)),
        threads=4,
        built=[
            (candidate("onnxruntime-int8_static"), folder / "b.onnx"),
            (candidate("onnxruntime-float"), folder / "a.onnx"),
        ],
    )
    return manifest, dict(artifacts)


@pytest.fixture
def bundle_file(tmp_path: Path) -> Path:
    manifest, artifacts = parts(tmp_path)
    write_bundle(tmp_path / "model.edgeq", manifest, artifacts, {"tools.json": b"{}\n"})
    return tmp_path / "model.edgeq"


@pytest.fixture
def rewrite(bundle_file: Path) -> Callable[[Callable[[Entries], None]], Path]:
    """Applies a change to the entries and packs them again, with sound checksums of the zip."""

    def pack(change: Callable[[Entries], None]) -> Path:
        with zipfile.ZipFile(bundle_file) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        change(entries)
        with zipfile.ZipFile(bundle_file, "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        return bundle_file

    return pack
