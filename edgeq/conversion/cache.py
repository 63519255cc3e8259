"""Where a conversion's bundle lies in edgeq's cache, and whether the one there was made from the very same order.

The key covers everything that the result depends on: the contents of model, weights and data, the target, the
options, and the versions of what converts. A torch factory may import and read anything, so what counts is what it
built: its operators and parameters. What cannot be hashed (a generator of samples, a metric of one's own) is not
reused.
"""

import hashlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from edgeq import __version__
from edgeq.application import runtime_source
from edgeq.errors import BundleRefused
from edgeq.ingest.graph.external_files import external_files
from edgeq.installed import installed_versions
from edgeq.nouns.project import Gates
from edgeq.nouns.record import digest_of
from edgeq.nouns.repairs import ALL
from edgeq.nouns.target import Target

if TYPE_CHECKING:
    from torch import nn

    from edgeq.ingest.given_data import GivenData

_FORMAT = 2  # rises with a change by which the same order gives another bundle
_CONVERTERS = ("numpy", "onnx", "onnxruntime", "torch", "litert-torch", "litert-quantizer", "ai-edge-litert")


@dataclass(frozen=True)
class Order:
    """Everything that convert() was asked for. `module` is the model itself where a Python program gave it, and `shown` how it is
    called then. `built` is the sha256 of what a torch factory built; "" for files.
    `refuse`: candidates have to pass their gate. `converters` are those that live in environments of their own and are used for it, with their versions.
    """

    model: str
    target: Target
    data: "str | GivenData | None"
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
    built: str = ""
    converters: dict[str, str] = field(default_factory=dict)
    repairs: tuple[str, ...] = ALL
    integer_io: bool = False
    states: tuple[tuple[str, str], ...] | None = None
    search_tries: int | None = None
    refuse: bool = True
    module: "nn.Module | None" = None
    shown: str = ""

    @cached_property
    def key(self) -> str:
        """The same for the same order; empty when it cannot be recognised again."""
        model = self.built or _contents(self.model)
        contents = [model, *(_contents(spec) for spec in (self.data, self.gates.metric))]
        if None in contents:
            return ""
        return digest_of(
            {
                "format": _FORMAT,
                "contents": contents,
                "target": self.target.to_dict(),
                "preprocess": repr(self.preprocess),
                "name": self.name,
                "shapes": {k: list(v) for k, v in self.shapes.items()},
                "calibrate": self.calibrate,
                "calibrator": self.calibrator,
                "repairs": list(self.repairs),
                "integer_io": self.integer_io,
                "states": self.states,
                "search_tries": self.search_tries,
                "refuse": self.refuse,
                "recipe": self.recipe,
                "runtime": self.runtime,
                "gates": self.gates.to_dict(),
                "unavailable": self.unavailable,
                "versions": tool_versions() | self.converters,
                "runtime_source": hashlib.sha256(runtime_source()).hexdigest(),
            }
        )


def folder() -> Path:
    """edgeq's cache of this user."""
    return Path(platformdirs.user_cache_dir("edgeq"))


def place(order: Order) -> Path:
    """Where the bundle of this order belongs in the cache."""
    key = order.key or digest_of([order.model, order.name, order.target.name])
    return folder() / "bundles" / f"{order.name}-{key[:24]}.edgeq"


def holds(order: Order, path: Path) -> bool:
    """Whether `path` is a whole bundle that this very order made. A damaged one is made anew."""
    from edgeq.bundle import read_bundle

    if not order.key or not path.is_file():
        return False
    try:
        return read_bundle(path).beside("order") == order.key.encode()
    except BundleRefused:
        return False


def tool_versions() -> dict[str, str]:
    """edgeq's own and every installed converter's version."""
    return {"edgeq": __version__, **installed_versions(_CONVERTERS)}


def _contents(spec: "str | GivenData | None") -> str | None:
    """A hash of what `spec` names or is; "" for nothing, None for what can change without its files changing."""
    if spec is None:
        return ""
    if not isinstance(spec, str):
        return spec.sha256
    path = Path(spec)
    if path.is_file():
        beside = external_files(path) if path.suffix.lower() == ".onnx" else []
        return _hash_files([path, *beside], path.parent) if all(b.is_file() for b in beside) else None
    if path.is_dir():
        return _hash_files(sorted(p for p in path.rglob("*") if p.is_file()), path)
    return None  # file.py:function may import or read anything


def _hash_files(paths: list[Path], base: Path) -> str:
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            one = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{os.path.relpath(path, base)}\0{one}\n".encode())
    return total.hexdigest()
