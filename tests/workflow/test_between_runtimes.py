"""How closely two runtimes agree, from what a bundle carries."""

import numpy as np
import pytest

from edgeq.bundle import CheckSet, assemble, beside_files, read_bundle, write_bundle
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.tensor import TensorSpec
from edgeq.workflow.between_runtimes import between_runtimes

SCORES = np.random.default_rng(0).normal(size=(20, 1, 10)).astype(np.float32)
NOISY = SCORES + np.float32(0.01) * np.random.default_rng(1).normal(size=SCORES.shape).astype(np.float32)


def bundle(folder, **outputs):
    """Of candidates by id, `runtime__recipe`, with their answers to the check samples."""
    (folder / "m.tflite").write_bytes(b"graph")
    ids = {name: name.replace("__", "-") for name in outputs}
    built = [
        (Candidate(id, *name.split("__"), "", ("x",), ("y",)), folder / "m.tflite")
        for name, id in ids.items()
    ]
    manifest, artifacts = assemble(
        name="m", target="rpi4", source_sha256="0" * 64, data_sha256=None, preprocessing=None, threads=1,
        inputs=(TensorSpec("x", "float32", (1, 4)),), outputs=(TensorSpec("y", "float32", (1, 10)),), built=built,
    )  # fmt: skip
    check = CheckSet((np.zeros((20, 1, 4), np.float32),), None, {ids[n]: (a,) for n, a in outputs.items()})
    write_bundle(folder / "m.edgeq", manifest, artifacts, beside_files([], {}, check))
    return read_bundle(folder / "m.edgeq")


def test_the_two_int8_candidates_are_held_against_each_other(tmp_path):
    found = between_runtimes(
        bundle(
            tmp_path,
            litert__int8_dynamic=SCORES * 0,
            litert__int8_static=SCORES,
            onnxruntime__int8_static=NOISY,
            onnxruntime__float=SCORES,
        )
    )
    assert (found.first, found.second) == ("litert-int8_static", "onnxruntime-int8_static")
    assert found.samples == 20
    assert found.sqnr_db == pytest.approx(40, abs=1)
    assert found.top1 == 100.0


def test_another_recipe_serves_where_none_is_common(tmp_path):
    found = between_runtimes(bundle(tmp_path, litert__int8_static=SCORES, onnxruntime__int8_dynamic=SCORES))
    assert (found.second, found.sqnr_db) == ("onnxruntime-int8_dynamic", None)


def test_one_runtime_has_none_to_agree_with(tmp_path):
    assert between_runtimes(bundle(tmp_path, litert__int8_static=SCORES, litert__float=SCORES)) is None
