"""The same model, data and target give the same decisions and figures on a host with VNNI and on one without."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeq.emulate import qemu
from tests.emulate.conftest import require_emulator
from tests.emulate.networks import images, smoothing

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

INT8 = "onnxruntime-int8_static"
SAME_DB = 0.2


def converted(folder: Path, target: str, python: list[str]) -> dict[str, Any]:
    """The JSON document of `edgeq convert` for the filter of tests/emulate/networks.py, run by `python`; nothing is found in
    a cache that the other side filled.
    """
    words = ["-P", "-m", "edgeq", "convert", "smoothing.onnx", "--data", "images.npz", "--target", target]
    words += ["--runtime", "onnxruntime", "--recipe", "int8_static", "--json", "-o", f"{len(python)}.edgeq"]
    own = {"XDG_CACHE_HOME": str(folder / f"cache{len(python)}")}
    done = subprocess.run(
        [*python, *words], capture_output=True, text=True, cwd=folder, env={**os.environ, **own}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def decisions(document: dict[str, Any]) -> dict[str, Any]:
    """All of a candidate's facts that are no measurement of this run."""
    (found,) = (f for f in document["fidelity"] if f["candidate"] == INT8)
    measured = ("seconds", "costs", "next_effort", "outputs", "fusion")
    return {k: v for k, v in found.items() if k not in measured}


def sqnr_db(document: dict[str, Any]) -> float:
    (found,) = (f for f in document["fidelity"] if f["candidate"] == INT8)
    return float(found["outputs"][0]["sqnr_db"])


@pytest.mark.parametrize("target", ["rpi4", "x86-64", "x86-64-vnni"])
def test_a_conversion_does_not_depend_on_the_host(tmp_path: Path, target: str) -> None:
    """The filter's pairs of products overflow 16 bits: saturated sums would show 12 dB and decide by them. Scales may differ in
    their last bit, since AVX2 and AVX-512 add floats in another order.
    """
    require_emulator("qemu-x86_64")
    smoothing(tmp_path / "smoothing.onnx")
    images(tmp_path / "images.npz")
    emulated = [str(qemu.find("x86_64").path), "-cpu", "Haswell", sys.executable]
    here, there = (converted(tmp_path, target, python) for python in ([sys.executable], emulated))
    assert sqnr_db(here) > 35
    assert sqnr_db(there) == pytest.approx(sqnr_db(here), abs=SAME_DB)
    assert decisions(there) == decisions(here)
