"""A command of its own recognises a torch factory that an earlier one traced, and traces it again where anything changed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from edgeq.code_inputs.watch import Watch
from edgeq.ingest.pytorch.module import build_module
from edgeq.ingest.request import Request

TRACED, EXPORTED, KNOWN = "trace the model", "export to ONNX", "it is not traced again"
IMPORTED = re.compile(r"\| +torch\.version$", re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A factory, its layers in another file, and weights."""
    (tmp_path / "layers.py").write_text("SCALE = 4\n")
    (tmp_path / "net.py").write_text(
        "import torch, layers\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.conv = torch.nn.Conv2d(3, 4, 3)\n"
        "    def forward(self, x):\n        return self.conv(x) * layers.SCALE\n"
        "def small():\n    return Net()\n"
    )
    torch.save({"conv.weight": torch.ones(4, 3, 3, 3), "conv.bias": torch.zeros(4)}, tmp_path / "w.pt")
    return tmp_path


def said(folder: Path, *words: str) -> str:
    options = ["--weights", "w.pt", "--shape", "x=1,3,8,8", "--recipe", "float", "--runtime", "onnxruntime"]
    command = ["-m", "edgeq", "convert", "net.py:small", *options, "-o", "net.edgeq", "-v", *words]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    return done.stdout + done.stderr


def test_unchanged_it_is_found_without_torch(folder: Path) -> None:
    first = said(folder, "--name", "net")
    assert TRACED in first
    assert EXPORTED in first
    assert IMPORTED.search(first)
    bundle = (folder / "net.edgeq").read_bytes()

    again = said(folder, "--name", "net")
    assert KNOWN in again
    assert "the earlier conversion is reused" in again
    assert not IMPORTED.search(again)
    assert (folder / "net.edgeq").read_bytes() == bundle

    other = said(folder, "--name", "other", "--target", "rpi4")
    assert KNOWN in other
    assert EXPORTED not in other
    assert not IMPORTED.search(other)

    (folder / "layers.py").write_text("SCALE = 8\n")
    changed = said(folder, "--name", "net")
    assert KNOWN not in changed
    assert "reused" not in changed
    assert (folder / "net.edgeq").read_bytes() != bundle


SEEDED = "import torch\ndef build():\n    torch.manual_seed(0)\n    return torch.nn.Linear(2, 2)\n"
UNSEEDED = SEEDED.replace("torch.manual_seed(0)", "pass")
NOISY = UNSEEDED.replace("return ", "net = ") + "    net.noise = torch.rand(2)\n    return net\n"
OF_THE_FILE = (
    "import random\nN = random.random()\n"
    + UNSEEDED.replace("return ", "net = ")
    + "    net.n = N\n    return net\n"
)


@pytest.mark.parametrize(
    ("code", "weights", "left_to_chance"),
    [
        (SEEDED, False, False),
        (UNSEEDED, False, True),
        (UNSEEDED, True, False),
        (NOISY, True, True),
        (OF_THE_FILE, True, True),
    ],
    ids=["a seed", "no seed", "weights are loaded", "not into all that is drawn", "drawn by the file"],
)
def test_chance_without_a_seed_is_noticed(
    tmp_path: Path, code: str, weights: bool, left_to_chance: bool
) -> None:
    (tmp_path / "net.py").write_text(code)
    torch.save({"weight": torch.ones(2, 2), "bias": torch.ones(2)}, tmp_path / "w.pt")
    watch = Watch()
    watch.unseen.clear()  # the modules of the tests
    given = tmp_path / "w.pt" if weights else None
    build_module(Request(f"{tmp_path}/net.py:build", tmp_path, weights=given, watch=watch))
    assert bool(watch.unseen) == left_to_chance
