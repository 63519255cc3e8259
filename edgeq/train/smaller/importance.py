"""What the outputs would lose without a channel.

`taylor`, by the first term of the Taylor expansion (Molchanov et al. 2019, arXiv:1906.10771). Of a unit u, with a_l the values that layer l gives to its channels of u and g_l the gradient there,

    importance  mean over samples of (sum over l of sum(a_l g_l))^2

At float itself the distance to float's outputs has no gradient. What is derived is instead, for class scores, the log-likelihood of
a class drawn from the model's own probabilities, and for other outputs their product with a normal vector in units of their
standard deviation: the mean of the square is then the second-order change of the distance (the Fisher and Gauss-Newton matrices).

`activations`, without gradients: of a unit u and the layers that read it, behind what follows the layers that make it,

    importance  sum over the layers of (sum of the mean |x| of its channels / the same of all channels)

A channel that a Relu makes zero for most samples has little (Hu et al. 2016, arXiv:1607.03250, count those zeros). What no layer reads is
measured where it is made. It knows nothing of what the outputs need: a large value that all samples have alike counts as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgeq.graphs.stages import ending_at
from edgeq.train.batches import Batch
from edgeq.train.graph_module import GraphModule
from edgeq.train.smaller.layers import ChannelUnits, Layer
from edgeq.train.smaller.units import KEPT

if TYPE_CHECKING:
    from onnx import ModelProto

_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Outputs:
    """The tensors that are to stay what they are. `scores`: the place of the one that holds class scores before the softmax, or None."""

    tensors: tuple[str, ...]
    scores: int | None


@dataclass(frozen=True, eq=False)
class Importance:
    """`units` [n], each at its own number. `means`: by layer, the mean of each of its input channels."""

    units: npt.NDArray[np.float64]
    means: dict[str, npt.NDArray[np.float64]]


def importance_of(
    model: "ModelProto", found: ChannelUnits, outputs: Outputs, batches: Sequence[Batch], seed: int = 0
) -> Importance:
    """Of all units of `found` on the samples of `batches`."""
    makers, readers, read = _makers(found), _readers(found), _read(model)
    made = [layer.output for layer in makers]
    wanted = list(dict.fromkeys([*made, *(read[layer.output] for layer in readers), *outputs.tensors]))
    network = GraphModule(ending_at(model, wanted)).eval().use_channels_last()
    random = torch.Generator().manual_seed(seed)
    squares = torch.zeros(
        1 + max((int(layer.outputs.max()) for layer in makers), default=0), dtype=torch.float64
    )
    sums = {layer.output: torch.zeros(len(layer.inputs), dtype=torch.float64) for layer in readers}
    count = sum(len(batch.positions) for batch in batches)
    for batch in batches:
        values = dict(zip(wanted, network(*batch.inputs), strict=True))
        found_outputs = [values[name] for name in outputs.tensors]
        objective = sum(_objective(v, k == outputs.scores, random) for k, v in enumerate(found_outputs))
        gradients = torch.autograd.grad(objective, [values[name] for name in made], allow_unused=True)
        change = torch.zeros(len(batch.positions), len(squares), dtype=torch.float64)
        for layer, gradient in zip(makers, gradients, strict=True):
            if gradient is not None:
                by_channel = _by_channel(
                    values[layer.output].detach() * gradient, _axis(layer, values[layer.output])
                )
                change.index_add_(1, torch.from_numpy(layer.outputs), by_channel.double())
        squares += change.square().sum(0)
        for layer in readers:
            x = values[read[layer.output]].detach()
            axis = _axis(layer, x)
            places = x[0].numel() / x.shape[axis]
            sums[layer.output] += _by_channel(x, axis).double().sum(0) / places
    return Importance((squares / count).numpy(), {name: (s / count).numpy() for name, s in sums.items()})


def activations_of(model: "ModelProto", found: ChannelUnits, batches: Sequence[Batch]) -> Importance:
    """The same by how large the activations are."""
    makers, readers, read = _makers(found), _readers(found), _read(model)
    measured = [(read[layer.output], layer.inputs, layer) for layer in readers]
    is_read = np.unique(np.concatenate([np.array([KEPT]), *(layer.inputs for layer in readers)]))
    for layer in makers:
        own = np.where(np.isin(layer.outputs, is_read), KEPT, layer.outputs)
        if np.any(own != KEPT):
            measured.append((layer.output, own, layer))
    wanted = list(dict.fromkeys(name for name, _, _ in measured))
    network = GraphModule(ending_at(model, wanted)).eval().use_channels_last()
    sizes = [np.zeros(len(units)) for _, units, _ in measured]
    sums = [np.zeros(len(units)) for _, units, _ in measured]
    count = sum(len(batch.positions) for batch in batches)
    for batch in batches:
        with torch.no_grad():
            values = dict(zip(wanted, network(*batch.inputs), strict=True))
        for k, (name, _, layer) in enumerate(measured):
            axis = _axis(layer, values[name])
            places = values[name][0].numel() / values[name].shape[axis] * count
            sizes[k] += _by_channel(values[name].abs(), axis).double().sum(0).numpy() / places
            sums[k] += _by_channel(values[name], axis).double().sum(0).numpy() / places
    units = np.zeros(1 + max((int(u.max()) for _, u, _ in measured), default=0))
    for size, (_, own, _) in zip(sizes, measured, strict=True):
        there = own != KEPT
        np.add.at(units, own[there], size[there] / max(float(size.sum()), _TINY))
    return Importance(units, {layer.output: s for s, layer in zip(sums, readers, strict=False)})


def _makers(found: ChannelUnits) -> list[Layer]:
    return [layer for layer in found.layers if np.any(layer.outputs != KEPT)]


def _readers(found: ChannelUnits) -> list[Layer]:
    return [layer for layer in found.layers if layer.groups == 1 and np.any(layer.inputs != KEPT)]


def _read(model: "ModelProto") -> dict[str, str]:
    """By the output of a node, its first input."""
    return {node.output[0]: node.input[0] for node in model.graph.node if node.output and node.input}


def _objective(values: Tensor, holds_scores: bool, random: torch.Generator) -> Tensor:
    """Summed over the samples."""
    if holds_scores:
        log = torch.log_softmax(values, dim=1)
        drawn = torch.multinomial(log.detach().exp(), 1, generator=random)
        return log.gather(1, drawn).sum()
    deviation = values.detach().std(correction=0).clamp(min=_TINY)
    normal = torch.randn(values.shape, generator=random) / (deviation * (values[0].numel() ** 0.5))
    return (values * normal).sum()


def _axis(layer: Layer, values: Tensor) -> int:
    """Of the channels, with the batch in front: a product has them last, a convolution second."""
    return 1 if layer.spatial else values.ndim - 1


def _by_channel(values: Tensor, axis: int) -> Tensor:
    """[N, channels]: the sum over all else."""
    return values.movedim(axis, 1).flatten(2).sum(2) if values.ndim > 2 else values
