"""Writes float16 for onnxruntime with its own converter; inputs and outputs keep their types.

Where the converter makes a graph whose types do not fit, the node that onnxruntime names stays in float32 between casts.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from edgeq.errors import ConversionFailed
from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_io import write_onnx
from edgeq.quantize.quantization import Backend, Quantization, Written

_NAMED = re.compile(r"in node \(([^()]*)\)|of type '[^']*' of node \(([^()]*)\)|Node ?\(([^()]*)\)")
_MOST_LEFT = 32  # nodes; a graph of which more do not fit is no graph for float16
_REMEDY = "deploy with --recipe float"


class OrtHalf(Backend):
    """The backend of float16."""

    def write(
        self, q: Quantization, path: Path, in_float: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        emit(q.graph, path)
        return Written(path)


def emit(model: Any, out: Path) -> None:
    """Casts `model` (float_graph.read) into `out`. Raises ConversionFailed, which names the nodes that are in the way."""
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST

    names = {node.name for node in model.graph.node}
    left: list[str] = []
    while True:
        write_onnx(_cast(model, DEFAULT_OP_BLOCK_LIST, left), out)
        reason = _why_refused(out)
        if reason is None:
            return
        named = next((name for found in _NAMED.findall(reason) for name in found if name in names), None)
        if named is None or named in left or len(left) == _MOST_LEFT:
            raise _in_the_way(model, reason, [*left, *([named] if named else [])])
        left.append(named)


def _cast(model: Any, kinds: list[str], nodes: list[str]) -> Any:
    """A copy in float16, but for operators of these `kinds` and these `nodes`."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    copy = copied(model)
    with quiet(), as_conversion_failed("onnxruntime's float16 converter refused the graph", _REMEDY):
        return convert_float_to_float16(
            copy, keep_io_types=True, disable_shape_infer=False, op_block_list=kinds, node_block_list=nodes
        )


def _why_refused(path: Path) -> str | None:
    """onnxruntime's words where it does not load the file."""
    from edgeq.quantize.run_model import load

    try:
        load(path, "onnx")
    except ConversionFailed as error:
        return " ".join((error.what, *error.details))
    return None


def _in_the_way(model: Any, reason: str, nodes: list[str]) -> ConversionFailed:
    kinds = {node.name: node.op_type for node in model.graph.node}
    words = ", ".join(f"{kinds[name]} {name}" for name in nodes)
    return ConversionFailed(
        f"the graph cannot be cast to float16{f': in the way are {words}' if words else ''}",
        _REMEDY,
        details=[reason],
    )
