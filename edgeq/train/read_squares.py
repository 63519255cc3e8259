"""What each weight of a layer multiplies: the mean square of the channel of the layer's input that it reads, on samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

Doubles = npt.NDArray[np.float64]

_BATCHES = 4


@dataclass(frozen=True, eq=False)
class ReadWeights:
    """`weight` as it is stored, and `squares`, that broadcast against it."""

    weight: npt.NDArray[np.float32]
    squares: Doubles

    def share(self, change: npt.ArrayLike) -> Doubles:
        """Of the layer's output, what each change of a weight takes, by the diagonal of the least-squares problem."""
        whole = float((np.square(self.weight, dtype=np.float64) * self.squares).sum())
        return np.asarray(
            np.square(change, dtype=np.float64) * self.squares / max(whole, np.finfo(np.float64).tiny)
        )


def read_weights(
    floats: "ModelProto",
    weights: Mapping[str, npt.NDArray[np.float32]],
    layers: Sequence[str],
    samples: Batches,
) -> dict[str, ReadWeights]:
    """By node, of those of `layers` in the float graph that are Conv, Gemm or MatMul by one of `weights`, which are by name."""
    index = index_of(floats.graph)
    nodes = {node.name: node for node in index.nodes if node.op_type in ("Conv", "Gemm", "MatMul")}
    found = [nodes[name] for name in layers if name in nodes and nodes[name].input[1] in weights]
    squares = _mean_squares(floats, index, found, samples) if found else {}
    return {
        node.name: ReadWeights(
            weights[node.input[1]], _over(node, weights[node.input[1]], squares[node.input[0]])
        )
        for node in found
    }


def _over(node: "NodeProto", weight: npt.NDArray[np.float32], squares: Doubles) -> Doubles:
    if node.op_type != "Conv":
        transposed = node.op_type == "Gemm" and attributes(node).get("transB", 0)
        return squares if transposed else squares[:, None]
    groups = attributes(node).get("group", 1)
    by_output = np.repeat(squares.reshape(groups, -1), len(weight) // groups, axis=0)
    return by_output.reshape(*by_output.shape, *[1] * (weight.ndim - 2))


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
