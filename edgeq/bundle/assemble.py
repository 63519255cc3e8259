"""From the files of the candidates to a manifest: each file hashed, each candidate given its contract and edgeq_runtime.py."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgeq.application import runtime_source
from edgeq.bundle.check import manifest_problems, signature_problems
from edgeq.bundle.contract import OwnEnds, contract
from edgeq.bundle.layout import contract_path, model_path, runtime_path
from edgeq.errors import BundleRefused
from edgeq.nouns.bundle import SCHEMA, Artifact, Candidate, Manifest
from edgeq.nouns.tensor import Preprocessing, TensorSpec

Artifacts = Mapping[str, Path | bytes]


def assemble(
    *,
    name: str,
    target: str,
    source_sha256: str,
    data_sha256: str | None,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    preprocessing: Preprocessing | None,
    threads: int,
    built: Sequence[tuple[Candidate, Path]],
    own: Mapping[str, OwnEnds] | None = None,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Manifest, Artifacts]:
    """`built` pairs each candidate, in the plan's order, with its model file; the candidate's `model` is set here. `own`
    has the inputs and outputs of those that take and give integers in place of floats, by the candidate's id. `classes` has
    the names of the classes that an output scores, by its name.

    Returns the manifest and what `write_bundle` has to store under each artifact's path. Raises BundleRefused with
    every problem when these parts make no bundle (a name that is no file name, a candidate twice ...).
    """
    candidates = [replace(c, model=model_path(c.id, file.suffix)) for c, file in built]
    _refuse_if_any(name, signature_problems(candidates, inputs, outputs))
    artifacts: dict[str, Path | bytes] = {}
    for candidate, (_, file) in zip(candidates, built, strict=True):
        artifacts[candidate.model] = file
        artifacts[runtime_path(candidate.id)] = runtime_source()
        artifacts[contract_path(candidate.id)] = contract(
            name,
            candidate,
            inputs,
            outputs,
            preprocessing,
            threads,
            (own or {}).get(candidate.id, ((), ())),
            classes,
        )
    manifest = Manifest(
        schema=SCHEMA,
        name=name,
        target=target,
        source_sha256=source_sha256,
        data_sha256=data_sha256,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        preprocessing=preprocessing,
        candidates=tuple(candidates),
        artifacts=tuple(_artifact(path, artifacts[path]) for path in sorted(artifacts)),
    )
    _refuse_if_any(name, manifest_problems(manifest))
    return manifest, artifacts


def _refuse_if_any(name: str, problems: Sequence[str]) -> None:
    if problems:
        raise BundleRefused(f"{name} cannot be made into a bundle", details=problems)


def _artifact(path: str, source: Path | bytes) -> Artifact:
    if isinstance(source, bytes):
        return Artifact(path, len(source), hashlib.sha256(source).hexdigest())
    try:
        with source.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return Artifact(path, stream.tell(), digest)
    except OSError as error:
        raise BundleRefused(f"cannot read {source}: {error.strerror}") from None
