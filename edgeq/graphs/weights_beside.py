"""Writes a graph with its large weights in a file beside it, from where onnxruntime maps them instead of copying them.

A session of a file or of bytes holds the weights several times while it is opened: the bytes, the parsed message, the
tensors made of it, and what its kernels pack of these. Of a mapped file only the last takes memory of the process.
"""

import mmap
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Union

from .weightless import is_large, weightless
from .weights_in_file import read_weightless

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

_WORTH_BYTES = 8 * 2**20
"""Of a whole model: below, writing a file takes longer than it saves."""

_ALIGNMENT = 4096  # of each weight in the file: a page, which is what can be mapped
_WEIGHTS, _GRAPH = "weights.bin", "model.onnx"


def written_beside(model: Union["ModelProto", Path], folder: Path) -> Path | None:
    """The path of the graph in `folder`; None where too few weights are raw bytes for it to be worth it, or some lie in
    other files already. Raises OSError.
    """
    size = model.stat().st_size if isinstance(model, Path) else model.ByteSize()
    if size < _WORTH_BYTES:
        return None
    graph = _of_file(model, folder) if isinstance(model, Path) else _of_model(model, folder)
    if graph is None:
        return None
    path = folder / _GRAPH
    path.write_bytes(graph.SerializeToString())
    return path


def _of_model(model: "ModelProto", folder: Path) -> "ModelProto | None":
    if _are_elsewhere(model.graph.initializer):
        return None
    graph = weightless(model)
    with (folder / _WEIGHTS).open("wb") as file:
        for tensor, place in zip(model.graph.initializer, graph.graph.initializer, strict=True):
            if is_large(tensor):
                _add(tensor.raw_data, place, file)
    return graph


def _of_file(path: Path, folder: Path) -> "ModelProto | None":
    graph = read_weightless(path)
    large = [t for t in graph.graph.initializer if t.data_location == t.EXTERNAL]
    if any(_entries(tensor)["location"] != path.name for tensor in large):
        return None
    with (
        path.open("rb") as source,
        closing(mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)) as content,
        (folder / _WEIGHTS).open("wb") as file,
        memoryview(content) as whole,
    ):
        for tensor in large:
            entries = _entries(tensor)
            start = int(entries["offset"])
            with whole[start : start + int(entries["length"])] as values:
                _add(values, tensor, file)
    return graph


def _are_elsewhere(tensors: "Iterable[TensorProto]") -> bool:
    return any(tensor.data_location == tensor.EXTERNAL for tensor in tensors)


def _entries(tensor: "TensorProto") -> dict[str, str]:
    return {"location": "", **{entry.key: entry.value for entry in tensor.external_data}}


def _add(values: bytes | memoryview, tensor: "TensorProto", file: BinaryIO) -> None:
    """Appends `values` to `file`, and says in `tensor` where they are."""
    file.seek(-(-file.tell() // _ALIGNMENT) * _ALIGNMENT)
    tensor.data_location = tensor.EXTERNAL
    del tensor.external_data[:]
    place = {"location": _WEIGHTS, "offset": file.tell(), "length": len(values)}
    for key, value in place.items():
        tensor.external_data.add(key=key, value=str(value))
    file.write(values)
