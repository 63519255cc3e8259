"""Reads ONNX files, and refuses unusable ones with the field or the file that is missing."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.errors import ModelRefused
from edgeq.graphs.onnx_io import external_locations

if TYPE_CHECKING:
    from onnx import ModelProto

# protobuf holds one message of at most 2 GB; room is left for the graph itself.
INLINE_LIMIT = (2 << 30) - (64 << 20)

_SIGNATURES = (
    (
        b"PK\x03\x04",
        0,
        "a zip archive; a torch program goes as file.pt2, torch weights as file.py:factory --weights",
    ),
    (b"TFL3", 4, "a TFLite model; rename it to .tflite"),
    (b"ORTM", 4, "an ORT-format model; give the ONNX file it was made from"),
    (b"\x89HDF", 0, "an HDF5 (Keras) file; export it to ONNX with tf2onnx first"),
    (b"version https://git-lfs", 0, "a git-lfs pointer, not the model; fetch it with `git lfs pull`"),
)


@dataclass(frozen=True)
class Loaded:
    """A model with its weights in memory; above 2 GB they stay in the files next to `path` and `inlined` is False.
    `external` are the files of external data, in name order."""

    proto: "ModelProto"
    path: Path | None
    inlined: bool = True
    external: tuple[Path, ...] = ()


def read(path: Path) -> Loaded:
    """Raises ModelRefused: no file, not ONNX, truncated, without opset or graph, external data missing."""
    from onnx import ModelProto

    raw = _bytes_of(path)
    _refuse_other_formats(path, raw)
    proto = ModelProto()
    try:
        proto.ParseFromString(raw)
    except Exception:  # DecodeError or RuntimeError, by protobuf's implementation
        raise ModelRefused(
            f"{path} is not an ONNX model, or it is truncated ({len(raw):,} bytes)",
            "copy or export the file again; `onnx.load` in Python fails on it too",
        ) from None
    _refuse_incomplete(path, proto)
    return _with_external_data(path, proto)


def digest(loaded: Loaded) -> str:
    """sha256 of the source: of the file, and of its external data where there is some."""
    assert loaded.path is not None
    with loaded.path.open("rb") as file:
        whole = hashlib.file_digest(file, "sha256")
    for extra in loaded.external:
        with extra.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except IsADirectoryError:
        raise ModelRefused(f"{path} is a folder, not a model", "give the .onnx file inside it") from None
    except OSError as error:
        raise ModelRefused(f"cannot read {path}: {error.strerror}") from None


def _refuse_other_formats(path: Path, raw: bytes) -> None:
    if not raw:
        raise ModelRefused(f"{path} is empty", "copy or export the file again")
    for signature, offset, words in _SIGNATURES:
        if raw[offset : offset + len(signature)] == signature:
            raise ModelRefused(
                f"{path} is not ONNX: it is {words.partition(';')[0]}", words.partition("; ")[2]
            )


def _refuse_incomplete(path: Path, proto: "ModelProto") -> None:
    again = "export it again with a current exporter (torch.onnx.export, tf2onnx), which writes the field"
    if not proto.HasField("graph"):
        raise ModelRefused(f"{path} is not an ONNX model: the field graph is missing", "give another file")
    if not proto.opset_import:
        raise ModelRefused(
            f"{path} has no opset: the field opset_import is missing (IR version {proto.ir_version}), so its operators are not defined",
            again,
        )
    if not proto.graph.node and not proto.graph.output:
        raise ModelRefused(f"{path} is not an ONNX model: the field graph.node is empty", "give another file")


def _with_external_data(path: Path, proto: "ModelProto") -> Loaded:
    from onnx.external_data_helper import load_external_data_for_model

    files = _external_files(path, proto)
    if not files:
        return Loaded(proto, path)
    if sum(f.stat().st_size for f in files) + proto.ByteSize() > INLINE_LIMIT:
        return Loaded(proto, path, inlined=False, external=files)
    try:
        load_external_data_for_model(proto, str(path.parent))
    except Exception as error:  # onnx raises ValidationError, ValueError or RuntimeError, by version
        raise ModelRefused(f"{path}: its external data cannot be read: {_first_line(error)}") from None
    return Loaded(proto, path, external=files)


def _external_files(path: Path, proto: "ModelProto") -> tuple[Path, ...]:
    """Files of the external data; one outside the model's own folder is refused, as onnx itself does."""
    folder = path.parent.resolve()
    files = []
    for name in external_locations(proto):
        file = path.parent / name
        if not file.resolve().is_relative_to(folder):
            raise ModelRefused(f"{path}: its external data {name!r} lies outside the model's folder")
        if not file.is_file():
            raise ModelRefused(
                f"{path}: its external data {name!r} is missing", "copy it beside the model, under that name"
            )
        files.append(file)
    return tuple(files)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
