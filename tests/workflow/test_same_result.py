"""The same order gives the same result, whatever Python's hashes of strings are: sets have another order with each."""

import json
import os
import subprocess
import sys

import numpy as np
import onnx

from tests.end_to_end.command_line import ROOT
from tests.quantize.networks import images, residual

TIMES = ("seconds", "cpu_seconds", "path")


def converted(folder, seed):
    out = folder / f"{seed}.edgeq"
    words = ("net.onnx", "--data", "samples.npz", "--target", "x86-64-vnni", "--json", "-o", str(out))
    own = {"PYTHONHASHSEED": seed, "XDG_CACHE_HOME": str(folder / f"cache{seed}"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "edgeq", "convert", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **own},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if key not in TIMES}
    return [without_times(one) for one in value] if isinstance(value, list) else value


def test_hashes_decide_nothing(tmp_path):
    onnx.save(residual(), str(tmp_path / "net.onnx"))
    np.savez(tmp_path / "samples.npz", x=images(60))
    said = without_times(converted(tmp_path, "0"))  # the digest of what goes to a device is in it
    for seed in ("1", "2", "3"):
        assert without_times(converted(tmp_path, seed)) == said
