"""A training is evaluated by the kernels of the target: LiteRT's where it has no onnxruntime."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from edgeq import catalog
from edgeq.conversion.training_start import start_of
from edgeq.quantize.options import Options
from edgeq.train.finetune import network_of
from edgeq.train.kernels.sum import LitertSum, OnnxruntimeSum
from tests.quantize.networks import saved
from tests.train.residual_network import images, network

SAMPLES = images(32)


@pytest.mark.parametrize(("target", "kernel"), [("android-arm64", LitertSum), ("rpi4", OnnxruntimeSum)])
def test_whose_kernels(target: str, kernel: type, tmp_path: Path) -> None:
    model = saved(network(), tmp_path)
    start = start_of(
        catalog.target(target), model, SAMPLES, tmp_path, Options(threads=1), lambda stage, done: None
    )
    replaced = network_of(start, {}, SAMPLES).graph.replaced.values()
    assert any(isinstance(module, kernel) for module in replaced)
