"""NNCF's quantization-aware training from its post-training result. Its extension for the CPU is compiled on first use."""

import nncf
from torch import Tensor, nn


def prepared(net: nn.Module, images: Tensor) -> nn.Module:
    samples = nncf.Dataset([images], lambda batch: batch)
    made = nncf.quantize(net.eval(), samples, preset=nncf.QuantizationPreset.MIXED, subset_size=1)
    return made.train()
