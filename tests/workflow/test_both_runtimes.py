"""A torch network reaches both runtimes: what is said of the two compared with each other, as a user sees it."""

import json

import numpy as np
import pytest

from tests.end_to_end.command_line import edgeq
from tests.quantize.networks import images

pytest.importorskip("litert_torch")
pytest.importorskip("litert_quantizer")

NET = """import torch
from torch import nn
def build():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 16, 3, padding=1, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5)
    return nn.Sequential(*layers).eval()
"""


@pytest.mark.slow
def test_how_they_agree_and_which_tensors_they_share(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "net.py").write_text(NET)
    np.savez(tmp_path / "samples.npz", x=images(60))
    words = ("explain", "net.py:build", "--data", "samples.npz", "--target", "x86-64-vnni")
    shown = edgeq(tmp_path, *words)
    assert shown.returncode == 0, shown.stderr
    text = " ".join(shown.stdout.split()) + " ".join(shown.stderr.split())
    assert "matched to ONNX tensors by value" in text
    made = edgeq(tmp_path, "convert", *words[1:], "-v")
    said = " ".join(made.stdout.split())
    assert "litert-int8_static and onnxruntime-int8_static compared with each other SQNR" in said
    told = json.loads(edgeq(tmp_path, *words, "--json").stdout)["explanations"]
    shared = {e["candidate"]: e["partners"] for e in told}
    assert shared["onnxruntime-int8_static"] is None
    litert = shared["litert-int8_static"]
    assert litert["tensors"] - litert["matched"] == len(litert["without"]) == 1
    assert litert["without"][0]["what"].startswith(
        "PAD: "
    )  # a stride of two: ONNX pads inside of the convolution
