"""The same input gives the same file: whatever the caches hold, in which order sets are walked, and on how many threads."""

import json
import shutil

import numpy as np
import pytest

from tests.end_to_end.command_line import edgeq
from tests.ingest.onnx_to_tflite.networks import residual
from tests.quantize.networks import images


@pytest.fixture
def convert(tmp_path, own_cache, monkeypatch):
    """convert("--threads", "2", hash_seed="7"): the JSON of `edgeq convert` of a network of convolutions for both runtimes,
    whose gate holds with some layers in float only.
    """
    residual(tmp_path / "net.onnx")
    np.savez(tmp_path / "x.npz", image=images(120, shape=(3, 8, 8)))

    def converted(*words, hash_seed):
        monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
        asked = ("--target", "x86-64-vnni", "--data", "x.npz", "--min-sqnr", "44", "--json")
        done = edgeq(tmp_path, "convert", "net.onnx", *asked, *words)
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert not document["reused"]
        (tmp_path / "net.edgeq").unlink()
        return document

    return converted


def models(document):
    """Hashes of the model files; a contract beside each of them names the threads too."""
    return {a["path"]: a["sha256"] for a in document["manifest"]["artifacts"] if "/model." in a["path"]}


@pytest.mark.slow
def test_caches_hash_seeds_and_threads_change_nothing(convert, own_cache):
    cold = convert("--threads", "1", hash_seed="1")
    assert {c["runtime"] for c in cold["manifest"]["candidates"]} == {"litert", "onnxruntime"}
    assert any(f["search"] for f in cold["fidelity"])
    warm = convert("--threads", "1", hash_seed="2")
    shutil.rmtree(own_cache / "calibration")
    cold_again = convert("--threads", "1", hash_seed="3")
    assert cold["digest"] == warm["digest"] == cold_again["digest"]
    assert models(convert("--threads", "2", hash_seed="4")) == models(cold)
