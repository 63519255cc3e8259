"""Averages over windows of quantized activations, as LiteRT computes them.

It has one scale for both ends and divides the sum of the integers themselves, zero point and all: halves go away from zero.

Where padding is not counted, and is not that of TFLite's SAME, onnx2tf pads with zeros, counts them, and multiplies by 9 / 4 in a corner of
3x3 values. That stays in float. XNNPACK adds the values of a window, up to nine of them, in pairs, column by column; of six values, at an
edge, every sixth sum or so lies on a half, and the order decides.

Sources: AveragePool in kernels/internal/optimized/integer_ops/pooling.h of LiteRT; src/f32-avgpool, 9p, of google/XNNPACK.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from edgeq.train.kernels.rounded import Plain, Rounded, steps_of, zero_point

_MOST = 9  # values of a window


class LitertAverage(Rounded):
    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        if self.given[0] is not self.result or x.ndim != 4:
            return plain(*inputs)
        if self._is_in_float(x.shape[2:]):
            return self._in_float(plain, x)
        zero = zero_point(self.result)
        means = plain(steps_of(x, self.given[0])) + zero
        away = torch.trunc(means + means.sign() * 0.5) - zero
        return away.float() * self.result.scale

    def _is_in_float(self, sizes: Sequence[int]) -> bool:
        if self.attributes.get("count_include_pad", 0) or not any(self._pads):
            return False
        axes = zip(sizes, self._kernel, self._strides, strict=True)
        totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in axes]
        return self._pads != [total // 2 for total in totals] + [total - total // 2 for total in totals]

    def _in_float(self, plain: Plain, x: Tensor) -> Tensor:
        top, left, bottom, right = self._pads
        height, width = self._kernel
        if height * width > _MOST or self.attributes.get("ceil_mode", 0):
            return plain(x)

        def windows(values: Tensor) -> list[Tensor]:
            padded = F.pad(values, (left, right, top, bottom))
            views = padded.unfold(2, height, self._strides[0]).unfold(3, width, self._strides[1])
            return [views[..., row, column] for column in range(width) for row in range(height)]

        counted = height * width
        found = windows(x)
        values = [*found, *[torch.zeros_like(found[0])] * (_MOST - counted)]
        one, two, three, four = (values[k] + values[k + 1] for k in range(0, _MOST - 1, 2))
        total = (two + three) + ((one + values[8]) + four)
        inside = sum(windows(torch.ones_like(x[:1, :1])))
        return total * (1 / counted) * (counted / inside)

    @property
    def _kernel(self) -> list[int]:
        return list(self.attributes["kernel_shape"])

    @property
    def _strides(self) -> list[int]:
        return list(self.attributes.get("strides", [1] * len(self._kernel)))

    @property
    def _pads(self) -> list[int]:
        """In front of all axes, then behind them."""
        return list(self.attributes.get("pads", [0] * 2 * len(self._kernel)))
