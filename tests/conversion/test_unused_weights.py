"""A torch factory without --weights, beside files of weights: most often forgotten, and then the parameters are random."""

from pathlib import Path

import pytest

import edgeq
from edgeq.conversion.unused_weights import unused_weights
from edgeq.errors import DataRefused
from edgeq.nouns.progress import Note

NET = "from torch import nn\nclass Net(nn.Linear):\n    def __init__(self): super().__init__(4, 2)\n"


def test_files_of_weights_beside_the_factory_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    assert unused_weights("net.py:Net", None) == ()
    for name in ("a.pt", "b.pth", "c.safetensors", "d.th"):
        Path(name).touch()
    (note,) = unused_weights("net.py:Net", None)
    assert "a.pt, b.pth, c.safetensors and 1 more" in note.text
    assert unused_weights("net.py:Net", "a.pt") == unused_weights("net.onnx", None) == ()


def test_commands_say_so_before_anything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    Path("a.pt").touch()
    told: list[object] = []
    for command in (edgeq.data, edgeq.convert):
        with pytest.raises(DataRefused):
            command("net.py:Net", data="gone.npz", tell=told.append)
        (note,) = (t for t in told if isinstance(t, Note))
        assert note.text.startswith("no --weights: net.py:Net keeps the parameters that it is built with")
        told.clear()
