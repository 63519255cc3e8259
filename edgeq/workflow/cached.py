"""Where a conversion's bundle lies in edgeq's cache, and whether the one there was made from the very same order.

The key covers everything that the result depends on: the contents of model, weights and data, the target, the
options, and the versions of what converts. A torch factory in a file, given with its weights, counts with every file
that it read when it last ran, and with what is installed. What cannot be hashed (a generator, a module of a package, a
factory that makes its own weights) is not reused.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from edgeq import __version__
from edgeq.errors import BundleRefused
from edgeq.nouns.project import Gates
from edgeq.nouns.record import digest_of
from edgeq.nouns.target import Target
from edgeq.workflow.files_read import files_read, unchanged

_CONVERTERS = ("numpy", "onnx", "onnxruntime", "torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert")


@dataclass(frozen=True)
class Order:
    """Everything that convert() was asked for."""

    model: str
    target: Target
    data: str | None
    preprocess: Any
    name: str
    weights: str | None
    shapes: dict[str, tuple[int, ...]]
    calibrate: int | None
    calibrator: str
    recipe: str | None
    runtime: str | None
    gates: Gates
    unavailable: dict[str, str]


def folder() -> Path:
    """edgeq's cache of this user."""
    return Path(platformdirs.user_cache_dir("edgeq"))


def place(order: Order) -> Path:
    """Where the bundle of this order belongs in the cache."""
    key = _key(order) or digest_of([order.model, order.name, order.target.name])
    return folder() / "bundles" / f"{order.name}-{key[:24]}.edgeq"


def holds(order: Order, path: Path) -> bool:
    """Whether `path` is a whole bundle that this very order made. A damaged one is made anew."""
    from edgeq.bundle import read_bundle

    key = _key(order)
    if key is None or not path.is_file():
        return False
    try:
        bundle = read_bundle(path)
    except BundleRefused:
        return False
    return bundle.beside("order") == key.encode() and (
        not _is_factory(order) or unchanged(_noted(key, bundle.digest))
    )


def key_of(order: Order) -> str:
    """The key that is written into the bundle; empty when the order cannot be recognised again."""
    return _key(order) or ""


@contextlib.contextmanager
def noting(order: Order, work: Path) -> Iterator[dict[str, str]]:
    """What a factory reads inside the block, for `note`, besides what the key covers wherever it lies; `work` is where
    edgeq itself writes. Nothing for files.
    """
    if not _is_factory(order):
        yield {}
        return
    covered = [Path(spec) for spec in (order.weights, order.data) if spec is not None]
    with files_read(work, *covered) as read:
        yield read


def note(order: Order, read: dict[str, str], path: Path) -> None:
    """Keep what `noting` saw beside the digest of the bundle at `path`, which was made from it."""
    from edgeq.bundle import read_bundle

    key = _key(order)
    if key is not None and read:
        place = _note(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps({"bundle": read_bundle(path).digest, "read": read}))
        beside.replace(place)


def tool_versions() -> dict[str, str]:
    """edgeq's own and every installed converter's version."""
    versions = {"edgeq": __version__}
    for name in _CONVERTERS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _key(order: Order) -> str | None:
    model = _factory(order) if _is_factory(order) else _contents(order.model)
    contents = [model, *(_contents(spec) for spec in (order.weights, order.data, order.gates.metric))]
    if None in contents:
        return None
    return digest_of(
        {
            "contents": contents,
            "entry": order.model.partition(":")[2],
            "target": order.target.to_dict(),
            "preprocess": repr(order.preprocess),
            "name": order.name,
            "shapes": {k: list(v) for k, v in order.shapes.items()},
            "calibrate": order.calibrate,
            "calibrator": order.calibrator,
            "recipe": order.recipe,
            "runtime": order.runtime,
            "gates": order.gates.to_dict(),
            "unavailable": order.unavailable,
            "versions": tool_versions(),
        }
    )


def _is_factory(order: Order) -> bool:
    """`file.py:factory` whose weights, all of them, come from a file: the same again when its files are the same."""
    return (
        order.weights is not None and _factory_file(order).suffix == ".py" and _factory_file(order).is_file()
    )


def _factory_file(order: Order) -> Path:
    return Path(order.model.rpartition(":")[0])


def _factory(order: Order) -> str:
    """Its own file and the names, with versions, of all that is installed: a factory may import any of it."""
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    installed = sorted(p.name for place in places for p in Path(place).glob("*.dist-info"))
    file = _factory_file(order)
    return digest_of([_hash_files([file], file.parent), installed])


def _noted(key: str, digest: str) -> dict[str, str]:
    """What the bundle of this digest was made from; nothing where that is not known."""
    try:
        noted = json.loads(_note(key).read_text())
        read: dict[str, str] = noted["read"] if noted["bundle"] == digest else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return read


def _note(key: str) -> Path:
    return folder() / "read" / f"{key[:24]}.json"


def _contents(spec: str | None) -> str | None:
    """A hash of what `spec` names; "" for nothing, None for what can change without its files changing."""
    if spec is None:
        return ""
    path = Path(spec)
    if path.is_file():
        beside = _external_data(path) if path.suffix.lower() == ".onnx" else []
        return _hash_files([path, *beside], path.parent) if all(b.is_file() for b in beside) else None
    if path.is_dir():
        return _hash_files(sorted(p for p in path.rglob("*") if p.is_file()), path)
    return None  # file.py:function may import or read anything


def _external_data(path: Path) -> list[Path]:
    """The files in which an ONNX model keeps its weights, by the model's own word; none for what is no model."""
    import onnx

    from edgeq.ingest.graph.subgraphs import tensors

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception:  # protobuf's; whoever opens the model says what is wrong
        return []
    external = (t for t in tensors(model) if t.data_location == onnx.TensorProto.EXTERNAL)
    named = {entry.value for t in external for entry in t.external_data if entry.key == "location"}
    return [path.parent / name for name in sorted(named)]


def _hash_files(paths: list[Path], base: Path) -> str:
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            one = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{os.path.relpath(path, base)}\0{one}\n".encode())
    return total.hexdigest()
