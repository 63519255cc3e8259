"""A conversion that takes more memory than is free says so before it begins."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from benchmarks.scale.networks import images, write
from edgeq.conversion.memory_needed import memory_needed, memory_note
from edgeq.nouns.plan import Plan
from edgeq.nouns.progress import Note
from edgeq.workflow import convert as workflow
from tests.quantize.networks import model_of, residual, saved

CONVERTS_WITHIN_3_GB = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30))  # what is anonymous; mapped files are not
import numpy as np
import edgeq
done = edgeq.convert(sys.argv[1], data=sys.argv[2], target="x86-64-vnni", recipe="int8_static", runtime="onnxruntime",
                     min_sqnr=10.0, output=sys.argv[3])
print([c.recipe for c in done.bundle.manifest.candidates])
"""


def test_memory_is_that_of_weights_and_activations(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.normal(size=(1000, 1000)).astype(np.float32), "w")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")]
    needed = {
        rows: memory_needed(
            saved(model_of(nodes, weights, [("x", (rows, 1000))], [("y", (rows, 1000))]), tmp_path)
        )
        for rows in (1, 1000)
    }
    assert 18_000_000 < needed[1] - 301_000_000 < 18_100_000
    assert 23_000_000 < needed[1000] - needed[1] < 25_000_000


def test_less_than_is_free_needs_no_words() -> None:
    assert memory_note(500_000_000, 500_000_000) is None
    note = memory_note(3_100_000_000, 900_000_000)
    assert note is not None
    assert note.text.startswith("the conversion takes about 3.1 GB of memory, and 900 MB are free here")


def test_it_is_said_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "free_memory", lambda: 100_000_000)
    onnx.save(residual(), str(tmp_path / "net.onnx"))
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).normal(size=(40, 3, 16, 16)).astype(np.float32))
    told: list[object] = []
    workflow.convert(
        str(tmp_path / "net.onnx"),
        data=str(tmp_path / "d.npz"),
        target="x86-64-vnni",
        recipe="float",
        output=tmp_path / "net.edgeq",
        tell=told.append,
    )
    plan = next(k for k, event in enumerate(told) if isinstance(event, Plan))
    note = told[plan + 1]
    assert isinstance(note, Note)
    assert "100 MB are free here" in note.text


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit what is anonymous")
def test_a_network_of_25_million_weights_converts_within_3_gb(tmp_path: Path) -> None:
    """ResNet-50's shape, with all passes."""
    write("resnet-25M", tmp_path / "n.onnx")
    np.savez(tmp_path / "d.npz", x=images(40))
    arguments = [str(tmp_path / name) for name in ("n.onnx", "d.npz", "n.edgeq")]
    ran = subprocess.run(
        [sys.executable, "-c", CONVERTS_WITHIN_3_GB, *arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "int8_static" in ran.stdout
