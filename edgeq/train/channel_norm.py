"""A batch norm behind a quantized layer while it is trained, folded into the layer's scales and bias in what is written.

Float graphs come with their batch norms folded, and what few bits do to a layer shifts and stretches all that it gives. Normalized
by its own mini-batch (Ioffe & Szegedy 2015, arXiv:1502.03167) each channel keeps the mean and the deviation that it had in
float, whatever its weights became. With s the layer's scale, g = gamma / sqrt(variance + epsilon) and b its bias, the file has

    scale  s g        bias  beta + (b - mean) g

and the same integers. The running statistics are used wherever it is evaluated; they stay as they are once `freeze` was called,
late in a training, so that the last steps are made with what will be written.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional

from edgeq.graphs.onnx_edit import copied
from edgeq.train.step_size import StepSize

if TYPE_CHECKING:
    from onnx import ModelProto

EPSILON = 1e-5
_MOMENTUM = 0.1
_NODE = "_norm"


class ChannelNorm(nn.Module):
    """`mean` and `deviation` float32 [channels]: those of float's outputs. Called with the layer's outputs [N, channels, ...]. As it
    begins it is folded into nothing: a factor of one, and the bias that the layer has.
    """

    beta: Tensor
    running_mean: Tensor
    running_variance: Tensor
    frozen: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.gamma = StepSize(deviation.clamp(min=EPSILON))
        self.beta = nn.Parameter(mean.clone())
        self.register_buffer("running_mean", mean.clone())
        self.register_buffer("running_variance", deviation.square().sub(EPSILON).clamp(min=EPSILON))
        self.register_buffer("frozen", torch.zeros((), dtype=torch.bool))
        self.momentum = _MOMENTUM

    @property
    def is_folded(self) -> bool:
        """Whether the layer's own scale and bias do its work now."""
        return not self.training or bool(self.frozen)

    def forward(self, x: Tensor) -> Tensor:
        if self.is_folded:
            return x
        return functional.batch_norm(
            x,
            self.running_mean,
            self.running_variance,
            self.gamma(),
            self.beta,
            training=True,
            momentum=self.momentum,
            eps=EPSILON,
        )

    def factor(self) -> Tensor:
        """g of each channel, positive."""
        factor: Tensor = self.gamma() / (self.running_variance + EPSILON).sqrt()
        return factor

    def folded_bias(self, bias: Tensor) -> Tensor:
        return self.beta + (bias - self.running_mean) * self.factor()

    def freeze(self) -> None:
        self.frozen.fill_(True)


def with_norm_nodes(model: "ModelProto", layers: Iterable[str]) -> "tuple[ModelProto, dict[str, str]]":
    """A copy with a node behind each of the layers, by their nodes, for a ChannelNorm to replace; and its name, by layer."""
    made, names = copied(model), {}
    wanted = set(layers)
    for node in list(made.graph.node):
        if node.name not in wanted:
            continue
        output, names[node.name] = node.output[0], f"{node.name}{_NODE}"
        node.output[0] = f"{output}{_NODE}"
        made.graph.node.append(
            helper.make_node("Identity", [node.output[0]], [output], name=names[node.name])
        )
    return made, names
