"""Softmax as onnxruntime's integer kernel computes it: shares of a whole number of steps.

    q = round(p floor(1 / s)) + z

A scale of 1 / 255 in float32 is a last bit above that, so its shares are of 254 steps: two classes of 0.5 are 127, not 128. The
exponentials come from a table of float32. Source: contrib_ops/cpu/quantization/qlinear_softmax.cc of onnxruntime.
"""

import torch
from torch import Tensor

from edgeq.train.kernels.rounded import Plain, Rounded


class OnnxruntimeSoftmax(Rounded):
    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        scale = self.result.scale
        return torch.round(plain(*inputs) * torch.floor(1 / scale)) * scale
