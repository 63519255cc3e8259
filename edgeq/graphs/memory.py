"""Predicts a model's peak memory above the loaded runtime, from the file alone.

    activations A = largest sum of tensors that live at once; a tensor lives from the node that makes it to the last
                    that reads it, in the file's order; inputs and outputs live throughout
    onnxruntime   = 10.5 MB + 17 kB per node + 2.5 W + 3 A: what the first session of a process brings in, whatever the
                    model; the kernels; the parsed file and the packed copy; the arena, which doubles when it grows
    LiteRT        = 4 MB + 3 W + 2 A: the mapped file, the weights that XNNPACK packs, its workspace

W are the bytes of all weights. The factors were fitted to the peaks of the agent's child on nine networks of 0.1 to
14 MB (LiteRT: two), one thread, less the check samples that it maps: within 25 % (benchmarks/memory.py). Dimensions
that stay open count as one, where no shape of the inputs is given.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.foreign import as_conversion_failed

from .input_shapes import OPEN_SHAPES, Shapes, largest, sized
from .onnx_index import OnnxIndex, bodies, index_of, nodes_within
from .tflite import read_tflite
from .weightless import weightless
from .weights_in_file import read_weightless

if TYPE_CHECKING:
    from onnx import ModelProto

Node = tuple[tuple[str, ...], tuple[str, ...]]  # names read, names written


def predict_peak(path: Path, format: str, shapes: Shapes = OPEN_SHAPES) -> int:
    """Bytes above the loaded runtime; `shapes` are those of open inputs. Raises ConversionFailed when the file cannot be
    read.
    """
    weights, nodes, sizes, kept = _read_onnx(path, shapes) if format == "onnx" else _read_tflite(path)
    activations = live_peak(nodes, sizes, kept)
    if format == "onnx":
        return 10_500_000 + 17_000 * len(nodes) + 5 * weights // 2 + 3 * activations
    return 4_000_000 + 3 * weights + 2 * activations


def activation_bytes(path: Path, format: str, samples: Iterable[tuple[tuple[int, ...], ...]]) -> int:
    """Of the tensors that live at once while the largest sample is run, given the shapes of each one's inputs. Raises
    ConversionFailed when the file cannot be read.
    """
    _, nodes, sizes, kept = _read_onnx(path, OPEN_SHAPES, samples) if format == "onnx" else _read_tflite(path)
    return live_peak(nodes, sizes, kept)


def tensor_bytes(
    model: "ModelProto | Path", samples: Iterable[tuple[tuple[int, ...], ...]]
) -> dict[str, int]:
    """Of each activation while the largest sample is run, given the shapes of each one's inputs: by name of an ONNX model, by index of a
    .tflite file. Raises ConversionFailed when the file cannot be read.
    """
    if isinstance(model, Path):
        return _read_tflite(model)[2]
    return _facts_of(weightless(model), OPEN_SHAPES, samples)[2]


def live_peak(nodes: Iterable[Node], sizes: dict[str, int], kept: Iterable[str]) -> int:
    """Largest sum of `sizes` (bytes per tensor) over the tensors alive at any node.

    `kept` live throughout: the model's inputs and outputs, which the caller holds. Tensors without a size count 0.
    """
    order = list(nodes)
    made = {name for _, writes in order for name in writes} - set(kept)
    last = {name: k for k, (reads, writes) in enumerate(order) for name in (*reads, *writes)}
    dying: dict[int, list[str]] = {}
    for name in made:
        dying.setdefault(last[name], []).append(name)
    alive = peak = 0
    for k, (_, writes) in enumerate(order):
        alive += sum(sizes.get(name, 0) for name in writes if name in made)
        peak = max(peak, alive)
        alive -= sum(sizes.get(name, 0) for name in dying.get(k, ()))
    return sum(sizes.get(name, 0) for name in set(kept)) + peak


def _read_onnx(
    path: Path, shapes: Shapes, samples: Iterable[tuple[tuple[int, ...], ...]] | None = None
) -> tuple[int, list[Node], dict[str, int], list[str]]:
    with as_conversion_failed(f"cannot read {path.name} as ONNX"):
        return _facts_of(read_weightless(path), shapes, samples)


def _facts_of(
    model: "ModelProto", shapes: Shapes, samples: Iterable[tuple[tuple[int, ...], ...]] | None
) -> tuple[int, list[Node], dict[str, int], list[str]]:
    graph = sized(model, shapes if samples is None else largest(model, samples)).graph
    constants = {i.name: _onnx_bytes(i.data_type, i.dims) for i in graph.initializer}
    values = (*graph.input, *graph.value_info, *graph.output)
    sizes = {
        v.name: _onnx_bytes(
            v.type.tensor_type.elem_type, (d.dim_value or 1 for d in v.type.tensor_type.shape.dim)
        )
        for v in values
        if v.type.HasField("tensor_type") and v.name not in constants
    }
    fused = _never_real(index_of(graph)) - {v.name for v in (*graph.input, *graph.output)}
    sizes = {name: 0 if name in fused else size for name, size in sizes.items()}
    nodes = [(tuple(n.input), tuple(n.output)) for n in graph.node]
    inside = (body for node in nodes_within(graph.node) for body in bodies(node))
    inner = sum(_onnx_bytes(i.data_type, i.dims) for body in inside for i in body.initializer)
    kept = [v.name for v in (*graph.input, *graph.output) if v.name not in constants]
    return sum(constants.values()) + inner, nodes, sizes, kept


def _never_real(index: OnnxIndex) -> set[str]:
    """Float tensors of a QDQ file that no integer kernel ever writes: what DQ makes, and what only Q reads."""
    made = {o for n in index.nodes if n.op_type == "DequantizeLinear" for o in n.output}
    read = {name for n in index.nodes if n.op_type == "QuantizeLinear" for name in n.input if name}
    only = {name for name in read if {n.op_type for n in index.consumers(name)} == {"QuantizeLinear"}}
    return made | only


def _onnx_bytes(kind: int, dims: Iterable[int]) -> int:
    import onnx

    if kind == onnx.TensorProto.UNDEFINED:
        return 0
    width: int = onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize
    return math.prod(dims) * width


def _read_tflite(path: Path) -> tuple[int, list[Node], dict[str, int], list[str]]:
    graph = read_tflite(path)
    sizes = {str(i): t.bytes for i, t in enumerate(graph.tensors) if not t.constant}
    nodes = [(tuple(map(str, o.inputs)), tuple(map(str, o.outputs))) for o in graph.operators]
    return graph.weight_bytes, nodes, sizes, [str(i) for i in (*graph.inputs, *graph.outputs)]
