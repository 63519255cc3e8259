"""NNCF's quantization-aware training from its post-training result. Its extension for the CPU is compiled on first use."""

import os
from pathlib import Path

os.environ.setdefault(
    "NNCF_EXTENSION_LOAD_TIMEOUT", "0"
)  # its compilation may take longer than the minute that it waits

import nncf
import torch
from torch import Tensor, nn

SETTINGS = {"W8A8": (("Adam", 0.00001), ("Adam", 0.0001))}  # the first is that of its example (ResNet-18)


def prepared(net: nn.Module, images: Tensor) -> nn.Module:
    samples = nncf.Dataset([images], lambda batch: batch)
    made = nncf.quantize(net.eval(), samples, preset=nncf.QuantizationPreset.MIXED, subset_size=1)
    return made.train()


def calibrated(net: nn.Module, weights: int, activations: int, images: Tensor) -> nn.Module:
    samples = nncf.Dataset(list(images.split(1)), lambda image: image)
    return nncf.quantize(
        net.eval(), samples, preset=nncf.QuantizationPreset.MIXED, subset_size=len(images)
    ).eval()


def set_training(net: nn.Module, training: bool) -> None:
    net.train(training)


def freeze_norms(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def export(net: nn.Module, image: Tensor, path: Path) -> None:
    made = nncf.strip(net.eval(), example_input=image)
    torch.onnx.export(made, (image,), str(path), dynamo=False, opset_version=17)
