"""The norms of a network with few bits: each channel's mean and deviation in float, for the layers that can have one.

A norm is folded into scales per channel and a quantized bias, so a layer needs both.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.stages import ending_at
from edgeq.train.batches import Batch, Batches
from edgeq.train.channel_norm import ChannelNorm
from edgeq.train.graph_module import GraphModule
from edgeq.train.sites import sites_of

if TYPE_CHECKING:
    from onnx import ModelProto

_BATCHES = 8


def norms_of(
    model: "ModelProto", floats: "ModelProto", layers: Iterable[str], samples: Batches
) -> dict[str, ChannelNorm]:
    """By node, of those convolutions among `layers` of the QDQ file that can have one. `floats`: the graph that it was made of."""
    wanted = set(layers)
    outputs = {node.name: node.output[0] for node in floats.graph.node if node.op_type == "Conv"}
    can = [
        site.layer
        for site in sites_of(model).weights
        if site.axis == 0
        and site.bias is not None
        and site.input_scale
        and {site.layer} & wanted & outputs.keys()
    ]
    if not can:
        return {}
    index = index_of(floats.graph)
    tensors = [outputs[layer] for layer in can if index.producer(outputs[layer]) is not None]
    network = GraphModule(ending_at(floats, tensors)).eval().to(samples.device)
    network.requires_grad_(False).use_channels_last()
    found = [[_moments(values) for values in network(*batch.inputs)] for batch in _few(samples)]
    return {
        layer: ChannelNorm(*_mean_and_deviation(torch.stack(moments)))
        for layer, moments in zip(can, zip(*found, strict=True), strict=True)
    }


def _few(samples: Batches) -> Iterator[Batch]:
    return islice(samples.in_order(), _BATCHES)


def _moments(values: Tensor) -> Tensor:
    """[2, channels]: the mean and the mean of the squares."""
    by_channel = values.detach().double().transpose(0, 1).flatten(1)
    return torch.stack([by_channel.mean(dim=1), by_channel.square().mean(dim=1)])


def _mean_and_deviation(moments: Tensor) -> tuple[Tensor, Tensor]:
    mean, square = moments.mean(dim=0)
    return mean.float(), (square - mean.square()).clamp(min=0.0).sqrt().float()
