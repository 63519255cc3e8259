"""Where a .tflite's answer is decided; see quantize/evaluate/pre_softmax_tensors.py."""

from typing import Any

from edgeq.graphs.tflite import kind_of, stands_for_reals

_FLATTEN = ("LOGISTIC", "LOG_SOFTMAX", "SOFTMAX", "TANH")
_MOVE = ("CAST", "DEQUANTIZE", "EXPAND_DIMS", "QUANTIZE", "RESHAPE", "SQUEEZE", "TRANSPOSE")


def decisive_tensors(model: Any) -> tuple[int, ...]:
    """Per output of reals of the flatbuffer's object model: it, or what it was before a function that flattens it."""
    graph = model.subgraphs[0]
    maker = {int(t): o for o in graph.operators for t in o.outputs}
    reals = [int(t) for t in graph.outputs if stands_for_reals(graph.tensors[int(t)])]
    return tuple(_decides(model, maker, t) for t in reals or _reals_behind(graph, maker))


def _reals_behind(graph: Any, maker: dict[int, Any]) -> list[int]:
    """What classes or truths are the largest, or true, of."""
    found: dict[int, None] = {}
    left, known = [int(t) for t in graph.outputs], set()
    while left:
        tensor = left.pop()
        if tensor in known or tensor not in maker:
            continue
        known.add(tensor)
        if stands_for_reals(graph.tensors[tensor]):
            found[tensor] = None
        else:
            left += [int(t) for t in maker[tensor].inputs]
    return list(found)


def _decides(model: Any, maker: dict[int, Any], output: int) -> int:
    tensor, flattened = output, False
    while tensor in maker and kind_of(model, maker[tensor]) in (*_FLATTEN, *_MOVE):
        flattened = flattened or kind_of(model, maker[tensor]) in _FLATTEN
        tensor = int(maker[tensor].inputs[0])
    return tensor if flattened else output
