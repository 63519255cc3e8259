"""Constants of a .tflite that operators read along different axes, as a table that is looked up and then multiplied by.

In dynamic int8 litert-quantizer chooses the axis of the scales for the first operator that reads a constant, and gives
the same scales to the others. Their outputs are wrong, and where the axes differ in length kernels read past the scales.
Where one of the operators has one scale for all, it stores the constant twice, and all are right.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from edgeq.graphs.tflite import kind_of, read_model

_ALONG_FIRST = ("EMBEDDING_LOOKUP", "FULLY_CONNECTED")


def products_across(source: Path) -> frozenset[str]:
    """The BATCH_MATMULs, by first output, that read a constant along its last axis while others read its rows."""
    model = read_model(source)
    graph = model.subgraphs[0]
    across: dict[int, list[str]] = defaultdict(list)
    along_rows: set[int] = set()
    for operator in graph.operators:
        kind = kind_of(model, operator)
        if kind != "BATCH_MATMUL" and kind not in _ALONG_FIRST:
            continue
        buffer = graph.tensors[operator.inputs[1]].buffer
        if kind in _ALONG_FIRST or operator.builtinOptions.adjY:
            along_rows.add(buffer)
        elif _filled(model, buffer):
            across[buffer].append(graph.tensors[operator.outputs[0]].name.decode())
    return frozenset(name for buffer in along_rows for name in across[buffer])


def _filled(model: Any, buffer: int) -> bool:
    data = model.buffers[buffer].data
    return data is not None and len(data) > 0
