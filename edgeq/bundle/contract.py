"""What an application on the device needs to know to run a candidate: `contract.json` beside the model file."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from edgeq.nouns.bundle import Candidate
from edgeq.nouns.record import canonical_json
from edgeq.nouns.tensor import Preprocessing, TensorSpec

SCHEMA = 1


def contract(
    app: str,
    candidate: Candidate,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    preprocessing: Preprocessing | None,
    threads: int,
) -> bytes:
    """Canonical JSON. `inputs` and `outputs` are the manifest's; the file's own names come from the candidate.

    A dimension that the model leaves open is null; `affine` says how integers stand for reals in a file that was
    quantized by others. `preprocessing` is null when the model takes its arrays as they are.
    """
    return canonical_json(
        {
            "schema": SCHEMA,
            "app": app,
            "candidate": candidate.id,
            "model": PurePosixPath(candidate.model).name,
            "runtime": candidate.runtime,
            "min_runtime": candidate.min_runtime,
            "recipe": candidate.recipe,
            "threads": threads,
            "inputs": _tensors(candidate.inputs, inputs, candidate.input_types),
            "outputs": _tensors(candidate.outputs, outputs),
            "preprocessing": preprocessing.to_dict() if preprocessing else None,
        }
    )


def _tensors(
    own_names: Sequence[str], specs: Sequence[TensorSpec], own_types: Sequence[str] = ()
) -> list[dict[str, Any]]:
    types = own_types or [spec.dtype for spec in specs]
    return [
        {"name": own, "source_name": spec.name, "dtype": dtype, "shape": list(spec.shape)}
        | ({"affine": spec.affine.to_dict()} if spec.affine else {})
        for own, dtype, spec in zip(own_names, types, specs, strict=True)
    ]
