"""What LiteRT, and tflite-runtime, which ended at 2.14, do not compute of what litert-quantizer writes.

Found by running every operator that litert-quantizer takes, quantized, in both. Some have no kernel for these types.
Some read one scale for all weights: of scales per channel they make outputs that are zero, without a word. For
BATCH_MATMUL both are in the kernel's source: Prepare and EvalInt8Int8 in tflite/kernels/batch_matmul.cc of LiteRT.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from edgeq.graphs.tflite import Operator, TfliteGraph, kind_of, read_model, read_tflite
from edgeq.quantize.backends.litert.four_bits import OLDEST, has_four_bits

_OLDER, _TRIED = "tflite-runtime", "2.14.0"
# Of tflite-runtime, by bits of activations; None: dynamically quantized activations.
_NO_KERNEL = {
    8: ("DIV", "SQRT"),
    16: ("DIV", "GELU", "RSQRT", "SQRT", "SUM"),
    None: ("TRANSPOSE_CONV",),
}
_ALONG_FIRST = ("EMBEDDING_LOOKUP", "FULLY_CONNECTED")


def without_kernel(source: Path, runtime: str, activation_bits: int | None) -> dict[str, str]:
    """The operators of a float file that have to stay in float there, by their first output, and the reason."""
    graph = read_tflite(source)
    kind = f"{activation_bits}-bit" if activation_bits else "dynamic int8"
    none = f"{'LiteRT' if runtime == 'litert' else runtime} has no {kind} kernel for"
    found = {}
    for operator in graph.operators:
        if runtime == _OLDER and operator.kind in _NO_KERNEL[activation_bits]:
            why = f"{none} it"
        elif side := _constant_without_kernel(graph, operator, runtime, activation_bits):
            why = f"{none} a matrix product with a constant {side} operand"
        else:
            continue
        found[graph.tensors[operator.outputs[0]].name] = why
    return found


def of_one_scale(runtime: str, activation_bits: int | None) -> tuple[str, ...]:
    """The kinds of operators whose constant operand has to have one scale, not one per channel."""
    older = runtime == _OLDER
    products = ("BATCH_MATMUL",) if older or activation_bits is not None else ()
    dense = ("FULLY_CONNECTED",) if older and activation_bits != 8 else ()
    return products + dense


def products_across(source: Path) -> frozenset[str]:
    """The BATCH_MATMULs, by first output, that read a constant along its last axis while others read its rows, as a table
    that is looked up and then multiplied by.

    In dynamic int8 litert-quantizer chooses the axis of the scales for the first operator that reads a constant, and gives
    the same scales to the others. Their outputs are wrong, and where the axes differ in length kernels read past the scales.
    Where one of the operators has one scale for all, it stores the constant twice, and all are right.
    """
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


def oldest_version(path: Path, runtime: str) -> str | None:
    """For a file with 4-bit weights, and of tflite-runtime for one with 16-bit activations, the one they were tried with; None where any
    will do.
    """
    if has_four_bits(path):
        return OLDEST
    sixteen = runtime == _OLDER and any(t.type == "INT16" for t in read_tflite(path).tensors)
    return _TRIED if sixteen else None


def _constant_without_kernel(
    graph: TfliteGraph, operator: Operator, runtime: str, activation_bits: int | None
) -> str | None:
    """Which operand of a matrix product, left or right, becomes an int8 constant that the kernel does not take.

    A product of two int8 takes it on either side. On float and int16 it is only taken on the right, and
    tflite-runtime takes none on int16.
    """
    if operator.kind != "BATCH_MATMUL" or activation_bits == 8:
        return None
    left, right = (graph.tensors[i].constant for i in operator.inputs)
    if left:
        return "left"
    return "right" if right and runtime == _OLDER and activation_bits == 16 else None


def _filled(model: Any, buffer: int) -> bool:
    data = model.buffers[buffer].data
    return data is not None and len(data) > 0
