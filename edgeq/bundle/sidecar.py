"""A bundle's sidecar files, the folder beside/: fidelity, tool versions, and samples to check a device with.

They are not part of the digest: figures can be added without making another release.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from edgeq.bundle.layout import FIDELITY, LABELS, TOOLS, check_input, check_output
from edgeq.bundle.npy import npy_array, npy_bytes
from edgeq.errors import BundleRefused
from edgeq.nouns.bundle import Bundle
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.json_text import parse_json
from edgeq.nouns.record import Record, canonical_json

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class CheckSet:
    """Held-out samples with the host's outputs. `inputs[i]` has shape [n, *input shape], `labels` [n],
    `outputs[candidate][k]` [n, *output shape]; the candidates' order of inputs and outputs is the manifest's.
    """

    inputs: tuple[np.ndarray, ...]
    labels: np.ndarray | None = None
    outputs: Mapping[str, tuple[np.ndarray, ...]] = field(default_factory=dict)


def sidecar_files(
    fidelity: Sequence[Fidelity], tools: Mapping[str, str], check: CheckSet | None
) -> dict[str, bytes]:
    """The files for `write_bundle`; `tools` maps a tool to its version."""
    files = {
        FIDELITY: canonical_json([f.to_dict() for f in fidelity]),
        TOOLS: canonical_json(dict(tools)),
    }
    if check is not None:
        files |= {check_input(i): npy_bytes(array) for i, array in enumerate(check.inputs)}
        for candidate, arrays in check.outputs.items():
            files |= {check_output(candidate, k): npy_bytes(array) for k, array in enumerate(arrays)}
        if check.labels is not None:
            files[LABELS] = npy_bytes(check.labels)
    return files


def read_fidelity(bundle: Bundle) -> tuple[Fidelity, ...]:
    """In the candidates' order as written; empty when the bundle has no figures."""
    raw = _json(bundle, FIDELITY) or []
    if not isinstance(raw, list):
        raise BundleRefused(f"{bundle.path}: {FIDELITY}: expected a list")
    return tuple(_noun(bundle, FIDELITY, item, Fidelity) for item in raw)


def read_noun(bundle: Bundle, name: str, noun: type[R]) -> R | None:
    """The noun in beside/`name`; None where the file is missing or empty. Raises BundleRefused."""
    raw = _json(bundle, name)
    return _noun(bundle, name, raw, noun) if raw else None


def read_check(bundle: Bundle) -> CheckSet | None:
    """None when the bundle was made without data."""
    inputs = _arrays(bundle, [check_input(i) for i in range(len(bundle.manifest.inputs))])
    if not inputs:
        return None
    outputs = {}
    for candidate in bundle.manifest.candidates:
        names = [check_output(candidate.id, k) for k in range(len(candidate.outputs))]
        arrays = _arrays(bundle, names)
        if arrays:
            outputs[candidate.id] = arrays
    labels = _arrays(bundle, [LABELS])
    found = CheckSet(inputs, labels[0] if labels else None, outputs)
    if problem := _misfit(found):
        raise BundleRefused(f"{bundle.path} has check samples that do not fit: {problem}")
    return found


def _misfit(check: CheckSet) -> str:
    """Arrays of other lengths, of no numbers, or outputs of other shapes than another candidate has."""
    labels = () if check.labels is None else (check.labels,)
    arrays = (*check.inputs, *labels, *(a for outputs in check.outputs.values() for a in outputs))
    if any(a.dtype.kind not in "biufc" for a in arrays):
        return "not all are numbers"
    if len({a.shape[:1] for a in arrays}) > 1 or () in {a.shape for a in arrays} or not len(arrays[0]):
        return "their numbers of samples differ, or are 0"
    shapes = {tuple(a.shape for a in outputs) for outputs in check.outputs.values()}
    return "the candidates' outputs differ in shape" if len(shapes) > 1 else ""


def _noun(bundle: Bundle, name: str, raw: object, noun: type[R]) -> R:
    try:
        return noun.from_dict(raw)
    except (ValueError, TypeError) as error:
        raise BundleRefused(f"{bundle.path}: {name}: {error}") from None


def _arrays(bundle: Bundle, names: Sequence[str]) -> tuple[np.ndarray, ...]:
    """All of `names`, or none when the first is not there. Raises BundleRefused where some of them are missing."""
    contents = [bundle.beside(name) for name in names]
    if not contents or contents[0] is None:
        return ()
    missing = [name for name, content in zip(names, contents, strict=True) if content is None]
    if missing:
        raise BundleRefused(f"{bundle.path} has only part of its check samples", details=missing)
    return tuple(
        npy_array(content, name) for name, content in zip(names, contents, strict=True) if content is not None
    )


def _json(bundle: Bundle, name: str) -> object:
    content = bundle.beside(name)
    try:
        return None if content is None else parse_json(content)
    except ValueError as error:
        raise BundleRefused(f"{bundle.path}: {name} is not JSON: {error}") from None
