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

    A dimension that the model leaves open is null. `preprocessing` is null when the model takes its arrays as they are.
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
            "inputs": _tensors(candidate.inputs, inputs),
            "outputs": _tensors(candidate.outputs, outputs),
            "preprocessing": preprocessing.to_dict() if preprocessing else None,
        }
    )


def _tensors(own_names: Sequence[str], specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    return [
        {"name": own, "source_name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}
        for own, spec in zip(own_names, specs, strict=True)
    ]
