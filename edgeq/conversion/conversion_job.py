"""What convert() carries out: a resolved request with what was found out about it; and its key, the same for all that give the
same bundle.

The key covers every option that does not say otherwise, the target, and the versions of what converts. Of a file the contents
count. A torch factory may import and read anything, so what counts is what it built: its operators and parameters (recognition.py
knows them where nothing that it read has changed). What cannot be hashed (a generator of samples, a metric of one's own) is not
reused.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq import __version__
from edgeq.application import runtime_source
from edgeq.ingest.given_model import GivenModel
from edgeq.ingest.graph.external_files import external_files
from edgeq.installed import installed_versions
from edgeq.model_name import model_name
from edgeq.nouns.project import Gates
from edgeq.nouns.record import digest_of
from edgeq.nouns.states import states_of
from edgeq.nouns.target import Target
from edgeq.nouns.weight_levels import levels_of, mean_bits_of
from edgeq.request.option import options_of, parse_value
from edgeq.request.paths import is_path, text
from edgeq.request.requests import ConvertRequest
from edgeq.request.shapes import shapes_of
from edgeq.request.training_options import epochs_of
from edgeq.user_code import names_code

if TYPE_CHECKING:
    from torch import nn

    from edgeq.ingest.given_data import GivenData

_FORMAT = 3  # rises with a change by which the same job gives another bundle
_CONVERTERS = ("numpy", "onnx", "onnxruntime", "torch", "litert-torch", "litert-quantizer", "ai-edge-litert")


@dataclass(frozen=True)
class ConversionJob:
    """`request` with the name that the bundle gets and the runtimes that cannot be had, `target` with the threads. `converters` are
    those that live in environments of their own and are used for it, with their versions. `built` is the sha256 of what a torch
    factory built; "" for files. `trained`: that of weights that hold a trained network (trained_network.py). `hashed` are the contents of the options that count by them, once somebody asked.
    """

    request: ConvertRequest
    target: Target
    converters: Mapping[str, str]
    built: str = ""
    trained: str = ""
    hashed: dict[str, str | None] = field(default_factory=dict, compare=False)

    @property
    def model(self) -> str:
        return text(self.request.model) or ""

    @property
    def name(self) -> str:
        return self.request.name or model_name(self.model)

    @property
    def data(self) -> "str | GivenData | None":
        given: str | GivenData | None = self.request.data  # once resolved
        return given

    @property
    def weights(self) -> Path | None:
        return None if self.request.weights is None else Path(self.request.weights)

    @property
    def module(self) -> "nn.Module | None":
        """The model itself, where a Python program gave a module."""
        return self.request.model.module if isinstance(self.request.model, GivenModel) else None

    @property
    def shown(self) -> str | None:
        """What a model is called that a Python program gave."""
        return str(self.request.model) if isinstance(self.request.model, GivenModel) else None

    @property
    def is_torch_code(self) -> bool:
        """A torch factory, or a module that a Python program built."""
        return self.module is not None or names_code(self.model)

    @property
    def epochs(self) -> float:
        """For which the quantized network is trained; 0: it is not."""
        return epochs_of(self.request.finetune)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return shapes_of(self.request.shape)

    @property
    def gates(self) -> Gates:
        return self.request.gates or Gates()

    @property
    def states(self) -> tuple[tuple[str, str], ...] | None:
        return states_of(self.request.states)

    @property
    def unavailable(self) -> Mapping[str, str]:
        return self.request.unavailable or {}

    def contents(self, option: str) -> str | None:
        """The hash of what the option names or is; "" for nothing, None for what can change without its files changing."""
        if option not in self.hashed:
            self.hashed[option] = _contents(getattr(self.request, option))
        return self.hashed[option]

    @cached_property
    def key(self) -> str:
        """The same for the same job; empty when it cannot be recognised again."""
        options = [
            (each.name, rule, getattr(self.request, each.name)) for each, rule in options_of(self.request)
        ]
        contents = {name: self.contents(name) for name, rule, _ in options if rule.cache_key == "contents"}
        if self.built:
            contents["model"] = self.built
        if self.trained:
            contents["trained"] = self.trained
        if None in contents.values():
            return ""
        return digest_of(
            {
                "format": _FORMAT,
                "contents": contents,
                "values": {
                    name: _plain(parse_value(rule, v))
                    for name, rule, v in options
                    if rule.cache_key == "value"
                },
                "target": self.target.to_dict(),
                "versions": tool_versions() | dict(self.converters),
                "runtime_source": hashlib.sha256(runtime_source()).hexdigest(),
            }
        )


def conversion_job(
    request: ConvertRequest, target: Target, unavailable: Mapping[str, str], converters: Mapping[str, str]
) -> ConversionJob:
    """Of a resolved request. Raises TargetRefused for a number of bits that the levels of its weights do not have."""
    bits = mean_bits_of(levels_of(request.levels), request.weight_bits)
    request = replace(request, weight_bits=bits)
    name = request.name or model_name(text(request.model) or "")
    target = replace(target, threads=request.threads or target.threads)
    return ConversionJob(replace(request, name=name, unavailable=unavailable), target, converters)


def tool_versions() -> dict[str, str]:
    """edgeq's own and every installed converter's version."""
    return {"edgeq": __version__, **installed_versions(_CONVERTERS)}


def _plain(value: object) -> object:
    """As JSON; what JSON cannot hold by its repr, which at worst differs each time."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


def _contents(spec: Any) -> str | None:
    """A hash of what `spec` names or is; "" for nothing, None for what can change without its files changing."""
    if spec is None:
        return ""
    if not is_path(spec):
        hashed: str | None = spec.sha256
        return hashed
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
