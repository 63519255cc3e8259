"""Which weights become zero and stay so while the rest is trained: only smaller to send, as kernels multiply zeros too.

A weight w that reads channel c of its layer's input costs that layer's output, relative to what the output is,

    w^2 mean(x_c^2) / sum over the layer of w^2 mean(x_c^2)

by the diagonal of the least-squares problem (Optimal Brain Damage, LeCun, Denker & Solla 1990; Sun et al. 2023, arXiv:2306.11695, rank
by its root within each output). Those that cost least in all layers together go.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from edgeq.graphs.onnx_index import OnnxIndex, attributes, index_of
from edgeq.graphs.stages import ending_at
from edgeq.train.batches import Batches
from edgeq.train.graph_module import GraphModule

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Mask = npt.NDArray[np.bool_]

_BATCHES = 4


def kept_weights(
    floats: "ModelProto",
    weights: Mapping[str, npt.NDArray[np.float32]],
    layers: Sequence[str],
    share: float,
    samples: Batches,
) -> dict[str, Mask]:
    """By node of the float graph, of the shape of its weight, True for what stays: all but `share`, 0 to 1, of the weights of `layers`
    in all. `weights`: by name. Every layer keeps one at least.
    """
    index = index_of(floats.graph)
    nodes = {node.name: node for node in index.nodes}
    found = [nodes[name] for name in layers if name in nodes and nodes[name].input[1] in weights]
    if not found or share <= 0:
        return {}
    squares = _mean_squares(floats, index, found, samples)
    costs = {node.name: _costs(node, weights[node.input[1]], squares[node.input[0]]) for node in found}
    flat = np.concatenate([cost.ravel() for cost in costs.values()])
    count = min(round(share * flat.size), flat.size - 1)
    if not count:
        return {}
    limit = np.partition(flat, count)[count]
    return {name: (cost >= limit) | (cost == cost.max()) for name, cost in costs.items()}


def _costs(
    node: "NodeProto", weight: npt.NDArray[np.float32], squares: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    cost = weight.astype(np.float64) ** 2
    groups = attributes(node).get("group", 1)
    if node.op_type == "Conv":
        by_output = np.repeat(squares.reshape(groups, -1), len(weight) // groups, axis=0)
        cost *= by_output.reshape(*by_output.shape, *[1] * (weight.ndim - 2))
    else:
        transposed = node.op_type == "Gemm" and attributes(node).get("transB", 0)
        cost *= squares if transposed else squares[:, None]
    shares: npt.NDArray[np.float64] = cost / max(cost.sum(), np.finfo(np.float64).tiny)
    return shares


def _mean_squares(
    floats: "ModelProto", index: OnnxIndex, nodes: Sequence["NodeProto"], samples: Batches
) -> dict[str, npt.NDArray[np.float64]]:
    """Of each channel of what the nodes read, by tensor."""
    by_tensor = {node.input[0]: 1 if node.op_type == "Conv" else -1 for node in nodes}
    made = [name for name in by_tensor if index.producer(name) is not None]
    batches = list(islice(samples.in_order(), _BATCHES))
    network = GraphModule(ending_at(floats, made)).eval().to(samples.device) if made else None
    sums: dict[str, list[torch.Tensor]] = {name: [] for name in by_tensor}
    given = [value.name for value in index.graph.input if index.initializer(value.name) is None]
    with torch.no_grad():
        for batch in batches:
            values = dict(zip(given, batch.inputs, strict=True))
            if network is not None:
                values |= dict(zip(made, network(*batch.inputs), strict=True))
            for name, axis in by_tensor.items():
                x = values[name].double().square().movedim(axis, 0).flatten(1)
                sums[name].append(x.mean(1))
    return {name: torch.stack(parts).mean(0).cpu().numpy() for name, parts in sums.items()}
