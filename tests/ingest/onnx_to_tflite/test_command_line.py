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


def converted(folder, *words):
    """`edgeq convert` of a perceptron for a target that has both runtimes: the JSON document."""
    perceptron(folder / "net.onnx")
    np.savez(folder / "x.npz", x=np.random.default_rng(0).normal(size=(120, 16)).astype(np.float32))
    done = edgeq(folder, "convert", "net.onnx", "--target", "rpi4", "--data", "x.npz", "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def runtimes(document):
    return {candidate["runtime"] for candidate in document["plan"]["candidates"]}


def onnx_files(document):
    return {a["path"]: a["sha256"] for a in document["manifest"]["artifacts"] if a["path"].endswith(".onnx")}


@pytest.mark.usefixtures("own_cache")
def test_litert_comes_along_wherever_the_target_has_it(tmp_path):
    both = converted(tmp_path)
    assert runtimes(both) == {"litert", "onnxruntime"}
    assert f"onnx2tf {VERSION}" in both["model"]["notes"][-1]
    alone = converted(tmp_path, "--runtime", "onnxruntime")
    assert runtimes(alone) == {"onnxruntime"}
    assert (
        onnx_files(alone).items() <= onnx_files(both).items()
    )  # onnx2tf renames the nodes of what it is given


def test_what_was_made_without_the_converter_is_not_taken_for_what_is_made_with_it(
    tmp_path, own_home, onnx2tf_cache
):
    without = [converted(tmp_path) for _ in range(2)]
    assert [runtimes(d) for d in without] == [{"onnxruntime"}] * 2
    assert [d["reused"] for d in without] == [False, True]
    assert "no TFLite graph: EDGEQ_PYTHON312=" in without[0]["model"]["notes"][-1]
    assert "uv python install 3.13" in without[0]["model"]["notes"][-1]

    (own_home / "cache/edgeq/converters").symlink_to(onnx2tf_cache / "converters")
    both = converted(tmp_path)
    assert not both["reused"]
    assert runtimes(both) == {"litert", "onnxruntime"}
    assert converted(tmp_path)["digest"] == both["digest"]


def test_without_a_python_for_it_the_refusal_says_which_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "/nowhere/python3.13")
    residual(tmp_path / "net.onnx")
    done = edgeq(tmp_path, "convert", "net.onnx", *TARGET)
    assert done.returncode == 13
    assert "EDGEQ_PYTHON312=/nowhere/python3.13 is no Python 3.12 or 3.13 that runs here" in done.stderr
    assert "uv python install 3.13" in done.stderr
    assert not list(tmp_path.glob("*.edgeq"))
