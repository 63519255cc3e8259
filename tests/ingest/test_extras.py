import sys

import pytest

from edgeq.errors import ExtraMissing
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request


@pytest.fixture
def without(monkeypatch):
    """Makes packages look as if they were not installed."""

    def hide(*packages):
        for package in packages:
            for name in [n for n in sys.modules if n == package or n.startswith(package + ".")]:
                monkeypatch.delitem(sys.modules, name)
            monkeypatch.setitem(sys.modules, package, None)

    return hide


def test_torch_missing_names_the_command_and_the_small_build(without, tmp_path):
    without("torch")
    with pytest.raises(ExtraMissing) as missing:
        open_model(Request("model.pt2", workdir=tmp_path))
    assert 'pip install "edgeq[torch]"' in missing.value.remedy
    assert "CPU build" in missing.value.remedy


def test_litert_missing_for_a_tflite_source(without, tmp_path):
    without("ai_edge_litert")
    (tmp_path / "m.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3")
    with pytest.raises(ExtraMissing) as missing:
        open_model(Request(str(tmp_path / "m.tflite"), workdir=tmp_path / "w"))
    assert 'pip install "edgeq[litert]"' in missing.value.remedy


def test_litert_torch_missing_is_a_format_that_is_absent_or_the_end(without, tmp_path):
    without("litert_torch")
    (tmp_path / "net.py").write_text("import torch\ndef net():\n    return torch.nn.Linear(3, 2)\n")
    source, shapes = f"{tmp_path}/net.py:net", {"input": (1, 3)}
    model = open_model(Request(source, workdir=tmp_path, shapes=shapes, formats=("onnx", "tflite")))
    assert 'pip install "edgeq[android]"' in model.absent["tflite"]
    with pytest.raises(ExtraMissing):
        open_model(Request(source, workdir=tmp_path, shapes=shapes, formats=("tflite",)))
