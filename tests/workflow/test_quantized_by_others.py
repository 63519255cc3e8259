"""A source that was quantized already is shipped unchanged: there is no float, so nothing is reported as equal to it."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeq.workflow.convert import convert
from tests.quantize.networks import images, residual
from tests.quantize.tflite_networks import two_outputs


def of_onnx(folder: Path) -> tuple[str, np.ndarray]:
    onnx.save(residual(), str(folder / "float.onnx"))
    return str(folder / "float.onnx"), images(20)


def of_tflite(folder: Path) -> tuple[str, np.ndarray]:
    pytest.importorskip("litert_quantizer")
    rows = np.random.default_rng(0).normal(size=(20, 16)).astype(np.float32)
    return str(two_outputs(folder / "float.tflite")), rows


@pytest.mark.parametrize(("source", "runtime"), [(of_onnx, "onnxruntime"), (of_tflite, "litert")])
def test_it_is_compared_with_no_float(source, runtime, tmp_path):
    float_model, rows = source(tmp_path)
    np.savez(tmp_path / "x.npz", x=rows)
    order = {"data": str(tmp_path / "x.npz"), "target": "rpi4", "runtime": runtime}
    made = convert(float_model, recipe="int8_static", output=tmp_path / "a.edgeq", **order)
    assert not any(f.as_it_came for f in made.fidelity)
    made.bundle.extract(tmp_path / "files")
    quantized = str(tmp_path / "files" / made.bundle.manifest.candidate(f"{runtime}-int8_static").model)
    again = convert(quantized, output=tmp_path / "b.edgeq", **order)
    (fidelity,) = again.fidelity
    assert fidelity.candidate == f"{runtime}-as_is" and fidelity.as_it_came and fidelity.passed
    assert fidelity.gate == again.data.gate
    assert fidelity.gate.startswith("none: the source is already quantized")
