"""Linear interpolation of images as kernels compute it: onnxruntime's in float32, LiteRT's on integers.

A value lies between four, (1 - h) and h apart along an axis of the input. onnxruntime multiplies the four by products of those and adds
them one after the other; the order decides where the sum lies on a half, and so does ARM's fused multiply-add. XNNPACK interpolates along the width, then the height, with 11 bits
of each h, and rounds halves up.

Sources: UpsampleBilinear in core/providers/cpu/tensor/upsample.h of onnxruntime; src/s8-ibilinear and
src/indirection.c of google/XNNPACK.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from edgeq.train.kernels.rounded import Plain, Rounded, fused, steps_of

_BITS = 11


@dataclass(frozen=True)
class Between:
    """For each output along an axis the two values of the input next to it, and how much of the upper one is taken."""

    low: Tensor
    high: Tensor
    share: Tensor


class OnnxruntimeInterpolation(Rounded):
    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        found = between(plain, *inputs)
        if found is None:
            return plain(*inputs)
        rows, columns = found
        h, w = (
            torch.where(each.high > each.low, each.share, 0.5).float() for each in found
        )  # at the end twice the same
        h = h[:, None]
        parts = (
            ((1 - w) * (1 - h), rows.low, columns.low),
            (w * (1 - h), rows.low, columns.high),
            ((1 - w) * h, rows.high, columns.low),
            (w * h, rows.high, columns.high),
        )
        shares = [share for share, _, _ in parts]
        values = [x[:, :, row][..., column] for _, row, column in parts]
        if (
            self.given[0].q_min < 0
        ):  # signed activations are for ARM, where the compiler fuses products and sums
            total = fused(shares[0], values[0], shares[1] * values[1])
            return fused(shares[3], values[3], fused(shares[2], values[2], total))
        total = shares[0] * values[0] + shares[1] * values[1]
        return total + shares[2] * values[2] + shares[3] * values[3]


class LitertInterpolation(Rounded):
    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        found = between(plain, *inputs)
        if found is None:
            return plain(*inputs)
        rows, columns = found
        x = steps_of(inputs[0], self.given[0])
        h, w = (torch.round(each.share * 2**_BITS) for each in found)
        along = x[..., columns.low] * 2**_BITS + (x[..., columns.high] - x[..., columns.low]) * w
        top, bottom = along[:, :, rows.low], along[:, :, rows.high]
        total = top * 2**_BITS + (bottom - top) * h[:, None]
        return torch.floor(total / 4**_BITS + 0.5).float() * self.result.scale


def between(plain: Plain, x: Tensor, *others: Tensor) -> tuple[Between, Between] | None:
    """Along height and width. None where an output is made of more than two values along an axis, or not of images [N, C, H, W]."""
    if x.ndim != 4:
        return None
    height, width = x.shape[2:]
    rows = torch.eye(height, dtype=torch.float64, device=x.device)[:, None, :, None]
    columns = torch.eye(width, dtype=torch.float64, device=x.device)[:, None, None, :]
    by_row = plain(rows.expand(height, *x.shape[1:]), *others)[:, 0, :, 0]
    by_column = plain(columns.expand(width, *x.shape[1:]), *others)[:, 0, 0]
    one, other = _two_of(by_row), _two_of(by_column)
    return None if one is None or other is None else (one, other)


def _two_of(shares: Tensor) -> Between | None:
    """`shares` [inputs, outputs]: how much of each input an output is."""
    present = shares.abs() > 1e-6
    low = present.int().argmax(0)
    high = (low + 1).clamp(max=len(shares) - 1)
    share = shares.gather(0, high[None])[0] * (high > low)
    if bool(((shares.gather(0, low[None])[0] + share - 1).abs() > 1e-5).any()):
        return None
    return Between(low, high, share)
