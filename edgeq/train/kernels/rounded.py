"""An operator that a runtime's kernel rounds in its own way: what the modules of this folder have in common."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.train.activation_quantizer import ActivationQuantizer

Plain = Callable[..., Tensor]
_SIGNED = -128
_NONE: Mapping[str, Any] = {}


class Rounded(nn.Module):
    """In place of an operator whose inputs and output are quantized. GraphModule calls it with `plain`, which computes the operator, and
    its inputs. While the network is trained it is the operator; evaluated, its values are those that the kernel's integers stand for,
    not yet clipped. `given` quantize the inputs, `result` the output: modules of the network. `attributes`: of the node.
    """

    def __init__(
        self,
        given: tuple[ActivationQuantizer, ...],
        result: ActivationQuantizer,
        attributes: Mapping[str, Any] = _NONE,
    ) -> None:
        super().__init__()
        self._of_network, self.attributes = (given, result), attributes

    @property
    def given(self) -> tuple[ActivationQuantizer, ...]:
        return self._of_network[0]

    @property
    def result(self) -> ActivationQuantizer:
        return self._of_network[1]

    def forward(self, plain: Plain, *inputs: Tensor) -> Tensor:
        return plain(*inputs) if self.training else self.rounded(plain, *inputs)

    def rounded(self, plain: Plain, *inputs: Tensor) -> Tensor:
        raise NotImplementedError


def steps_of(values: Tensor, quantizer: ActivationQuantizer) -> Tensor:
    """Whole steps from zero, as float64, in which sums and products of them are exact."""
    return torch.round(values / quantizer.scale).double()


def fused(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """a b + c rounded once, as a fused multiply-add is: float64 holds the product of two float32 exactly."""
    return (a.double() * b.double() + c.double()).float()


def zero_point(quantizer: ActivationQuantizer) -> int:
    """In int8, whatever the file's type is."""
    return quantizer.zero_point + _SIGNED - _lowest(quantizer)


def _lowest(quantizer: ActivationQuantizer) -> int:
    """Of the type; a limit of fewer bits is narrower."""
    return 0 if quantizer.q_min >= 0 else _SIGNED
