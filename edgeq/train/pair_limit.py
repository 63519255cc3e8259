"""Keeps two neighbouring weights of a layer from overflowing 16 bits while they are trained, as the file's backend does.

On x86 without VNNI products are added in pairs (edgeq/quantize/passes/int16_saturation.py says how, and in which order a kernel
reads the weights). Clamped in each step, the network learns with what the device computes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edgeq.quantize.passes.int16_saturation import MAX_PAIR_SUM


@dataclass(frozen=True)
class PairLimit:
    """`rows_last`: the weight is stored as [K, rows], as a MatMul's is; else [rows, K], or [rows, inputs, kernel...]."""

    rows_last: bool

    def excess(self, integers: Tensor) -> Tensor:
        """By how much each of the weights has to move, int32 of their shape: towards zero by as much as the other of its pair."""
        rows = self._rows(integers)
        length = rows.shape[1]
        even = functional.pad(rows, (0, length % 2))
        first, second = even[:, 0::2], even[:, 1::2]
        sums = torch.where(first.sign() * second.sign() > 0, first + second, 0)
        over = (sums.abs() - MAX_PAIR_SUM).clamp(min=0)
        by = torch.stack([(over + 1) // 2, over // 2], dim=2).reshape(len(rows), -1)[:, :length]
        return self._tensor(rows.sign() * by, integers)

    def _rows(self, integers: Tensor) -> Tensor:
        if self.rows_last:
            return integers.t()
        if integers.ndim > 2:
            return integers.flatten(2).transpose(1, 2).flatten(1)
        return integers

    def _tensor(self, rows: Tensor, like: Tensor) -> Tensor:
        if self.rows_last:
            return rows.t()
        if like.ndim > 2:
            return rows.reshape(len(like), -1, like.shape[1]).transpose(1, 2).reshape(like.shape)
        return rows
