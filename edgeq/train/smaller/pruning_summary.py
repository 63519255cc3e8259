"""How many layers, channels and multiply-accumulates pruning removed, in a sentence."""

from typing import TYPE_CHECKING

from edgeq.graphs.macs import onnx_macs
from edgeq.plain_text import counted

if TYPE_CHECKING:
    from onnx import ModelProto


def pruning_summary(whole: "ModelProto", smaller: "ModelProto") -> str:
    before, after = _outputs(whole), _outputs(smaller)
    gone = [name for name in before if name not in after]
    narrower = [name for name in after if after[name] < before.get(name, 0)]
    channels = sum(before[name] - after[name] for name in narrower)
    parts = [
        f"{counted(len(gone), 'layer')} of {len(before)} removed" if gone else "",
        f"{counted(channels, 'channel')} of {counted(len(narrower), 'layer')}" if narrower else "",
        f"{onnx_macs(whole):,} multiply-accumulates -> {onnx_macs(smaller):,}",
    ]
    return "pruned: " + ", ".join(part for part in parts if part)


def _outputs(model: "ModelProto") -> dict[str, int]:
    """Channels of each layer, by its output."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    return {
        node.output[0]: max(
            shapes[node.input[1]][0], shapes[node.input[1]][-1] if node.op_type == "MatMul" else 0
        )
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in shapes
    }
