"""How closely two runtimes agree, from what a bundle carries."""

import numpy as np
import pytest

from edgeq.bundle import CheckSet, assemble, read_bundle, sidecar_files, write_bundle
from edgeq.conversion.cross_runtime_agreement import cross_runtime_agreement
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.fidelity import Agreement, Fidelity, OutputError
from edgeq.nouns.tensor import TensorSpec

RNG = np.random.default_rng(0)
SCORES = (RNG.normal(size=(20, 1, 10)) + 6 * np.eye(10)[RNG.integers(0, 10, (20, 1))]).astype(np.float32)
NOISY = SCORES + np.float32(0.01) * np.random.default_rng(1).normal(size=SCORES.shape).astype(np.float32)


def bundle(folder, judged=(), **outputs):
    """Of candidates by id, `runtime__recipe`, with their answers to the check samples; `judged` is recorded of them."""
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
    write_bundle(folder / "m.edgeq", manifest, artifacts, sidecar_files(judged, {}, check))
    return read_bundle(folder / "m.edgeq")


def test_the_two_int8_candidates_are_held_against_each_other(tmp_path):
    found = cross_runtime_agreement(
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
    assert found.sqnr_db == pytest.approx(46.6, abs=1)
    assert found.top1 == 100.0


@pytest.mark.parametrize("agreement", [None, Agreement(400, 99.0, None)])
def test_what_was_settled_on_more_samples_holds(tmp_path, agreement):
    """Poses are no class scores, and scores stay such where the few samples that travel do not show it."""
    judged = Fidelity(
        "litert-int8_static", 400, (OutputError("y", 30.0, 0.1),), agreement=agreement, gate="", passed=True
    )
    rows = {None: SCORES, agreement: np.abs(SCORES)}[agreement]
    found = cross_runtime_agreement(
        bundle(tmp_path, [judged], litert__int8_static=rows, onnxruntime__int8_static=rows)
    )
    assert found.top1 == (None if agreement is None else 100.0)


def test_another_recipe_serves_where_none_is_common(tmp_path):
    found = cross_runtime_agreement(
        bundle(tmp_path, litert__int8_static=SCORES, onnxruntime__int8_dynamic=SCORES)
    )
    assert (found.second, found.sqnr_db) == ("onnxruntime-int8_dynamic", None)


def test_one_runtime_has_none_to_agree_with(tmp_path):
    assert cross_runtime_agreement(bundle(tmp_path, litert__int8_static=SCORES, litert__float=SCORES)) is None
