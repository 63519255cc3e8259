"""Bundles whose every hash is right, around models that are not."""

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edgeq.bundle import assemble, read_bundle, write_bundle
from edgeq.bundle.layout import SIDECAR


def with_model(
    source: Path, place: Path, change: Callable[[bytes], bytes], *, runtime: str = "onnxruntime"
) -> Path:
    """The bundle `source` with `change` done to each of its models, written to `place`; `runtime` loads them all."""
    suffix = {"onnxruntime": ".onnx", "litert": ".tflite"}[runtime]
    with read_bundle(source) as bundle:
        old, built = bundle.manifest, []
        for i, candidate in enumerate(old.candidates):
            file = place.with_name(f"{i}{suffix}")
            file.write_bytes(change(bundle.artifact(candidate.model)))
            id = candidate.id.replace(candidate.runtime, runtime)
            built.append((replace(candidate, runtime=runtime, id=id), file))
        manifest, artifacts = assemble(
            name=old.name,
            target=old.target,
            source_sha256=old.source_sha256,
            data_sha256=old.data_sha256,
            inputs=old.inputs,
            outputs=old.outputs,
            preprocessing=old.preprocessing,
            threads=1,
            built=built,
        )
        with zipfile.ZipFile(source) as archive:
            beside = {
                name.removeprefix(SIDECAR): archive.read(name)
                for name in archive.namelist()
                if name.startswith(SIDECAR)
            }
        write_bundle(place, manifest, artifacts, beside)
    return place
