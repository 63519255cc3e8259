"""--weight-bits: int8 files on few levels, which are smaller to send."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.bundle import read_bundle
from edgeq.compress.pack import pack
from edgeq.demo import demo_files
from edgeq.errors import DataRefused, TargetRefused
from edgeq.graphs.onnx_io import read_onnx
from edgeq.nouns.progress import Note
from edgeq.workflow.convert import convert
from tests.quantize.networks import images, model_of

TARGET = "x86-64-vnni"
MODEL = "candidates/onnxruntime-int8_static/model.onnx"


def converted(folder: Path, **options: object) -> bytes:
    model, data = demo_files()
    made = convert(model, target=TARGET, data=data, runtime="onnxruntime", recipe="int8_static", **options)
    assert made.plan is not None
    said = next(c.reason for c in made.plan.candidates if c.recipe == "int8_static")
    assert ("4-bit weights" in said) == ("weight_bits" in options)
    with read_bundle(made.path) as bundle:
        return bundle.artifact(MODEL)


def test_four_bits_are_smaller_to_send_and_as_large_on_disk(tmp_path: Path) -> None:
    eight, four = converted(tmp_path), converted(tmp_path, weight_bits=4)
    assert abs(len(four) - len(eight)) < 0.05 * len(eight)
    assert len(pack(four)) < 0.75 * len(pack(eight))
    (tmp_path / "four.onnx").write_bytes(four)
    stored = [numpy_helper.to_array(i) for i in read_onnx(tmp_path / "four.onnx").graph.initializer]
    weights = [w for w in stored if w.dtype == np.int8 and w.ndim > 1]
    assert any(len(np.unique(w)) <= 16 for w in weights)


def test_without_the_pass_that_makes_them_it_is_refused() -> None:
    model, data = demo_files()
    with pytest.raises(TargetRefused, match="is the work of the pass `fit`"):
        convert(model, target=TARGET, data=data, weight_bits=4, passes="-fit")


def test_with_too_few_samples_it_is_refused(tmp_path: Path) -> None:
    model, data = demo_files()
    with np.load(data) as stored:
        np.savez(tmp_path / "few.npz", **{name: stored[name][:6] for name in stored.files})
    with pytest.raises(DataRefused, match="too few are left to learn from"):
        convert(model, target=TARGET, data=tmp_path / "few.npz", weight_bits=4, ignore_labels=True)


def test_a_mean_that_shared_weights_leave_out_of_reach_is_told(tmp_path: Path) -> None:
    """Two layers of the same weights, which keep 8 bits, and a small one of its own."""
    rng = np.random.default_rng(0)
    shared, own = (rng.normal(size=(n, 16, 3, 3)).astype("f") / 12 for n in (16, 8))
    first = rng.normal(size=(16, 3, 3, 3)).astype("f") / 5
    pads = [1, 1, 1, 1]
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], name="first", pads=pads),
        helper.make_node("Conv", ["a", "shared"], ["b"], name="one", pads=pads),
        helper.make_node("Relu", ["b"], ["c"], name="relu"),
        helper.make_node("Conv", ["c", "shared"], ["d"], name="other", pads=pads),
        helper.make_node("Conv", ["d", "own"], ["y"], name="own", pads=pads),
    ]
    tensors = [numpy_helper.from_array(v, n) for n, v in (("first", first), ("shared", shared), ("own", own))]
    onnx.save(
        model_of(nodes, tensors, [("x", (1, 3, 16, 16))], [("y", (1, 8, 16, 16))]), tmp_path / "net.onnx"
    )
    np.savez(tmp_path / "d.npz", x=images(64))
    told: list[object] = []
    convert(
        tmp_path / "net.onnx",
        data=tmp_path / "d.npz",
        target="x86-64-vnni",
        runtime="onnxruntime",
        recipe="int8_static",
        weight_bits=3,
        min_sqnr=-20,
        tell=told.append,
    )
    [note] = [e.text for e in told if isinstance(e, Note) and "on average, not 3" in e.text]
    assert "weights that layers share keep 8" in note
