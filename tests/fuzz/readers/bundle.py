"""A bundle that somebody else wrote: its zip, its manifest, and what stands beside it."""

import hashlib
import io
import json
import random
import zipfile
from pathlib import Path

import numpy as np

from edgeq.bundle import CheckSet, assemble, read_bundle, read_check, sidecar_files, write_bundle
from edgeq.conversion.finished import open_conversion
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.record import canonical_json
from edgeq.nouns.tensor import Preprocessing, TensorSpec
from tests.fuzz.archives import changed_npy, changed_zip
from tests.fuzz.mutations import changed_bytes, changed_json, changed_value

_IDS = ("onnxruntime-int8_static", "onnxruntime-float")


def examples(folder: Path) -> list[bytes]:
    built = []
    for id in _IDS:
        (folder / f"{id}.onnx").write_bytes(id.encode() * 20)
        runtime, _, recipe = id.partition("-")
        built.append((Candidate(id, runtime, recipe, "", ("x",), ("y",)), folder / f"{id}.onnx"))
    manifest, artifacts = assemble(
        name="digits",
        target="rpi4",
        source_sha256=hashlib.sha256(b"source").hexdigest(),
        data_sha256=None,
        inputs=(TensorSpec("image", "float32", (None, 1, 8, 8)),),
        outputs=(TensorSpec("logits", "float32", (None, 10)),),
        preprocessing=Preprocessing(size=(8, 8), mean=(0.5,)),
        threads=4,
        built=built,
    )
    check = CheckSet(
        (np.zeros((2, 1, 8, 8), np.float32),),
        np.array([0, 1]),
        {id: (np.zeros((2, 10), np.float32),) for id in _IDS},
    )
    beside = sidecar_files((), {"onnx": "1"}, check)
    found = []
    for more in ({}, {"model.json": b"null", "plan.json": b"{}", "data.json": b"null"}):
        write_bundle(folder / "model.edgeq", manifest, artifacts, {**beside, **more})
        found.append((folder / "model.edgeq").read_bytes())
    return found


def mutated(example: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return changed_zip(example, rng, _changed)
    return _consistent(example, rng)


def read(content: bytes, folder: Path) -> object:
    path = folder / "untrusted.edgeq"
    path.write_bytes(content)
    with read_bundle(path) as bundle:
        read_check(bundle)
        bundle.extract(folder / "out")
    conversion = open_conversion(path, lambda noun: None)
    conversion.bundle.close()
    return conversion.to_dict()


def _changed(name: str, was: bytes, rng: random.Random) -> bytes:
    if name.endswith(".json"):
        return changed_json(was, rng)
    return changed_npy(was, rng) if name.endswith(".npy") else changed_bytes(was, rng)


def _consistent(example: bytes, rng: random.Random) -> bytes:
    """Only what stands beside the core, or a manifest in canonical form: what the checks of bytes let through."""
    with zipfile.ZipFile(io.BytesIO(example)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice([n for n in members if n.startswith("beside/")] + ["manifest.json"] * 3)
    if name == "manifest.json":
        try:
            members[name] = canonical_json(changed_value(json.loads(members[name]), rng))
        except (ValueError, TypeError):
            members[name] = b"{}\n"
    else:
        members[name] = _changed(name, members[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, was in members.items():
            archive.writestr(member, was)
    return out.getvalue()
