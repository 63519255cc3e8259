"""A layer with integer weights while it is trained: its weights and bias as the file will have them."""

import numpy as np
import torch
from torch import Tensor, nn

from edgeq.train.activation_quantizer import ActivationQuantizer
from edgeq.train.channel_norm import ChannelNorm
from edgeq.train.codebook_quantizer import CodebookQuantizer
from edgeq.train.level_quantizer import LevelQuantizer
from edgeq.train.pair_limit import PairLimit
from edgeq.train.weight_quantizer import WeightQuantizer

AnyWeights = WeightQuantizer | LevelQuantizer | CodebookQuantizer
_INT32 = np.iinfo(np.int32)


class QuantizedLayer(nn.Module):
    """`bias`: float32 [channels], None where the layer adds none, or one that stays in float. `activation` quantizes its input; the
    bias is in whole steps of its scale times the weight's. `norm`: behind the layer, where it has one. `pairs`: where weights have a
    limit in pairs.
    """

    def __init__(
        self,
        weight: AnyWeights,
        bias: Tensor | None,
        activation: ActivationQuantizer | None,
        norm: ChannelNorm | None = None,
        pairs: PairLimit | None = None,
    ) -> None:
        super().__init__()
        self.weight, self.norm, self._pairs = weight, norm, pairs
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        self._activation = (activation,)  # in a tuple: it is a module of the network, shared by layers

    @property
    def scale(self) -> Tensor:
        """What the file holds: float32, [channels] or []."""
        scale = self.weight.scale
        return scale if self.norm is None else scale * self.norm.factor().detach()

    def integers(self) -> Tensor:
        """What the file holds: int32 of the weight's shape."""
        integers = self.weight.integers()
        return integers if self._pairs is None else integers - self._pairs.excess(integers)

    @property
    def bias_scale(self) -> Tensor:
        activation = self._activation[0]
        assert activation is not None  # a quantized bias has a quantized input
        return activation.scale * self.scale

    def bias_integers(self) -> Tensor:
        """What the file holds, as int64."""
        steps = (self._file_bias().detach().double() / self.bias_scale.double()).round()
        return steps.clamp(_INT32.min, _INT32.max).long()

    def weight_values(self) -> Tensor:
        """float32 of the weight's shape. In front of a norm that is not folded without its factor."""
        if self.norm is None or not self.norm.is_folded:
            return self._limited(self.weight())
        if not self.training:
            return self.integers() * self._along(self.scale)
        return self._limited(self.weight()) * self._along(self.norm.factor())

    def bias_values(self) -> Tensor:
        assert self.bias is not None
        if self.norm is not None and not self.norm.is_folded:
            return self.bias
        bias = self._file_bias()
        rounded = (self.bias_integers() * self.bias_scale.double()).to(bias.dtype)
        return bias + (rounded - bias.detach())  # the straight-through estimator

    def _file_bias(self) -> Tensor:
        assert self.bias is not None
        return self.bias if self.norm is None else self.norm.folded_bias(self.bias)

    def _limited(self, values: Tensor) -> Tensor:
        if self._pairs is None:
            return values
        with torch.no_grad():
            by = self._pairs.excess(self.weight.integers()) * self._along(self.weight.scale)
        return values - by

    def _along(self, scale: Tensor) -> Tensor:
        axis = self.weight.axis
        if axis is None:
            return scale
        return scale.reshape([-1 if k == axis else 1 for k in range(self.weight.weight.ndim)])
