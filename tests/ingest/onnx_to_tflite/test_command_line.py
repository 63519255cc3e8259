"""`edgeq convert net.onnx` for a target that runs nothing but TFLite, typed as a user does."""

import json

import numpy as np
import pytest

from edgeq.ingest.onnx_to_tflite import VERSION
from edgeq.ingest.onnx_to_tflite.find_python import VARIABLE
from tests.end_to_end.command_line import edgeq
from tests.ingest.onnx_to_tflite.networks import perceptron, residual
from tests.quantize.networks import images

TARGET = ("--target", "rpi4-32bit")


@pytest.mark.usefixtures("own_cache")
def test_an_onnx_file_is_quantized_for_a_device_without_onnxruntime(tmp_path):
    residual(tmp_path / "net.onnx")
    np.savez(tmp_path / "x.npz", image=images(120, shape=(3, 8, 8)))
    done = edgeq(tmp_path, "convert", "net.onnx", *TARGET, "--data", "x.npz", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    judged = {f["candidate"]: f for f in document["fidelity"]}
    assert judged.keys() == {"tflite-runtime-int8_static", "tflite-runtime-float"}
    assert all(f["passed"] for f in judged.values())
    inputs = document["manifest"]["inputs"]
    assert [(i["name"], i["shape"]) for i in inputs] == [("image", [1, 3, 8, 8])]
    again = json.loads(edgeq(tmp_path, "convert", "net.onnx", *TARGET, "--data", "x.npz", "--json").stdout)
    assert again["reused"]


@pytest.mark.usefixtures("own_cache")
def test_where_its_environment_is_there_litert_comes_along(tmp_path):
    perceptron(tmp_path / "net.onnx")
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(120, 16)).astype(np.float32))
    done = edgeq(tmp_path, "convert", "net.onnx", "--target", "rpi4", "--data", "x.npz", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    runtimes = {candidate["runtime"] for candidate in document["plan"]["candidates"]}
    assert runtimes == {"litert", "onnxruntime"}
    assert f"onnx2tf {VERSION}" in document["model"]["notes"][-1]


def test_without_a_python_for_it_the_refusal_says_which_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "/nowhere/python3.13")
    residual(tmp_path / "net.onnx")
    done = edgeq(tmp_path, "convert", "net.onnx", *TARGET)
    assert done.returncode == 13
    assert "EDGEQ_PYTHON312=/nowhere/python3.13 is no Python 3.12 or 3.13 that runs here" in done.stderr
    assert "uv python install 3.13" in done.stderr
    assert not list(tmp_path.glob("*.edgeq"))
