"""Writes a graph with its large weights in a file beside it, from where onnxruntime maps them instead of copying them.

A session of a file or of bytes holds the weights several times while it is opened: the bytes, the parsed message, the
tensors made of it, and what its kernels pack of these. Of a mapped file only the last takes memory of the process.
"""

import mmap
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Union

from .weightless import large_weights, stored_bytes, weightless, with_weights
from .weights_in_file import read_weightless

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

_WORTH_BYTES = 8 * 2**20
"""Of a whole model: below, writing a file takes longer than it saves."""

_ALIGNMENT = 4096  # of each weight in the file: a page, which is what can be mapped
_WEIGHTS, _GRAPH = "weights.bin", "model.onnx"


def written_beside(
    model: Union["ModelProto", Path], folder: Path, weights: "ModelProto | None" = None
) -> Path | None:
    """The path of the graph in `folder`; None where it is not `worth_it`, or some weights of a file lie in other files already.
    `model` may be weightless where `weights` has the values. Raises OSError.
    """
    file = folder / _WEIGHTS
    if not worth_it(model, weights):
        graph = None
    elif isinstance(model, Path):
        graph = _of_file(model, file)
    else:
        graph = weightless(model)
        move_weights(graph, model if weights is None else weights, file)
    if graph is None:
        return None
    path = folder / _GRAPH
    path.write_bytes(graph.SerializeToString())
    return path


def worth_it(model: Union["ModelProto", Path], weights: "ModelProto | None" = None) -> bool:
    """Whether enough weights are raw bytes in `model`, or in `weights`; a file is only looked at for its size."""
    if isinstance(model, Path):
        return model.is_file() and model.stat().st_size >= _WORTH_BYTES
    return _is_worth_it(model if weights is None else weights)


def save(graph: "ModelProto", weights: "ModelProto", path: Path, beside: Path) -> None:
    """Writes `graph`, a weightless copy of `weights`, to `path`, its weights to `beside`, in or below the folder of `path`,
    if that is worth it. Changes `graph`. Raises OSError.
    """
    for file in (path, beside):
        file.parent.mkdir(parents=True, exist_ok=True)
    if _is_worth_it(weights):
        move_weights(graph, weights, beside, str(beside.relative_to(path.parent)))
    else:
        with_weights(graph, weights)
    path.write_bytes(graph.SerializeToString())


def move_weights(graph: "ModelProto", weights: "ModelProto", file: Path, location: str = _WEIGHTS) -> None:
    """Writes the large weights of `weights` to `file`, and says in `graph` that they are at `location`. Raises OSError."""
    stored = large_weights(weights)
    file.unlink(missing_ok=True)  # a session may have mapped the one that was there
    with file.open("wb") as out:
        for tensor in graph.graph.initializer:
            if tensor.name in stored:
                _add(stored[tensor.name].raw_data, tensor, out, location)


def _is_worth_it(model: "ModelProto") -> bool:
    if any(map(_is_elsewhere, model.graph.initializer)):
        return False
    return sum(map(stored_bytes, large_weights(model).values())) >= _WORTH_BYTES


def _of_file(path: Path, file: Path) -> "ModelProto | None":
    graph = read_weightless(path)
    large = [tensor for tensor in graph.graph.initializer if _is_elsewhere(tensor)]
    if any(_entries(tensor)["location"] != path.name for tensor in large):
        return None
    with (
        path.open("rb") as source,
        closing(mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)) as content,
        file.open("wb") as out,
        memoryview(content) as whole,
    ):
        for tensor in large:
            entries = _entries(tensor)
            start = int(entries["offset"])
            with whole[start : start + int(entries["length"])] as values:
                _add(values, tensor, out, _WEIGHTS)
    return graph


def _is_elsewhere(tensor: "TensorProto") -> bool:
    return bool(tensor.data_location == tensor.EXTERNAL)


def _entries(tensor: "TensorProto") -> dict[str, str]:
    return {"location": "", **{entry.key: entry.value for entry in tensor.external_data}}


def _add(values: bytes | memoryview, tensor: "TensorProto", file: BinaryIO, location: str) -> None:
    """Appends `values` to `file`, and says in `tensor` where they are."""
    file.seek(-(-file.tell() // _ALIGNMENT) * _ALIGNMENT)
    tensor.data_location = tensor.EXTERNAL
    tensor.ClearField("external_data")
    place = {"location": location, "offset": file.tell(), "length": len(values)}
    for key, value in place.items():
        tensor.external_data.add(key=key, value=str(value))
    file.write(values)
