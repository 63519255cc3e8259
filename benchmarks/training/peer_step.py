"""Runs in a peer's environment: float and quantized training steps in turn, as JSON on the last line of stdout.

    python peer_step.py NAME STEPS BATCH THREADS nchw|channels_last

Imports nothing of edgeq: it is not installed there.
"""

import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.training.steps import measure
from tests.models.resnet_cifar import resnet20

PEERS = Path(__file__).resolve().parent / "peers"


def main() -> None:
    name, (steps, batch, threads), form = sys.argv[1], map(int, sys.argv[2:5]), sys.argv[5]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    prepared = peer_module(name).prepared(resnet20().train(), torch.randn(batch, 3, 32, 32))
    times = measure({"float": resnet20(), name: prepared}, batch, steps, form == "channels_last")
    print(json.dumps([asdict(t) for t in times]))


def peer_module(name: str) -> Any:
    # By path and under another name: a peer's file has the name of the library that it imports.
    spec = importlib.util.spec_from_file_location(f"peer_{name}", PEERS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
