"""A bundle of the one file that was loaded, to measure it by: a device gets bundles, and its agent measures what is in them."""

from pathlib import Path

import numpy as np

from edgeq.bundle import CheckSet, assemble, sidecar_files, write_bundle
from edgeq.conversion.random_samples import RandomSamples
from edgeq.foreign import as_conversion_failed
from edgeq.graphs.onnx_io import external_locations, read_onnx
from edgeq.loaded.source import Source
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.record import digest_of


def as_bundle(source: Source, folder: Path) -> Path:
    """Written to `folder`, with noise as the samples that are run. Raises BundleRefused, and ConversionFailed for a graph of more
    than 2 GB, whose weights do not fit into one file.
    """
    terms, samples = source.contract, RandomSamples(source.inputs)
    one = Candidate(
        id=terms.candidate,
        runtime=terms.runtime,
        recipe=terms.candidate.removeprefix(f"{terms.runtime}-"),
        model="",  # named by assemble
        inputs=tuple(t.name for t in terms.inputs),
        outputs=tuple(t.name for t in terms.outputs),
    )
    manifest, artifacts = assemble(
        name=terms.app,
        target="local",
        source_sha256=digest_of([str(source.model)]),
        data_sha256=None,
        inputs=source.inputs,
        outputs=source.outputs,
        preprocessing=terms.preprocessing,
        threads=terms.threads,
        built=[(one, _in_one_file(source.model, folder))],
    )
    inputs = tuple(np.stack([samples[i][k] for i in range(samples.count)]) for k in range(len(source.inputs)))
    path = folder / f"{terms.app}.edgeq"
    write_bundle(path, manifest, artifacts, sidecar_files([], {}, CheckSet(inputs)))
    return path


def _in_one_file(model: Path, folder: Path) -> Path:
    if model.suffix != ".onnx" or not external_locations(read_onnx(model, weights=False)):
        return model
    import onnx

    whole = folder / "whole.onnx"
    with as_conversion_failed(f"{model} and the files with its weights do not fit into one"):
        onnx.save(onnx.load(model), whole)
    return whole
