"""--weight-bits: int8 files on few levels, which are smaller to send."""

from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper

from edgeq.bundle import read_bundle
from edgeq.compress.pack import pack
from edgeq.demo import demo_files
from edgeq.errors import DataRefused, TargetRefused
from edgeq.graphs.onnx_io import read_onnx
from edgeq.workflow.convert import convert

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
