"""What an application on the device needs to know to run a candidate: `contract.json` next to the model file."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from edgeq.nouns.bundle import PYTHON_PATH, Candidate
from edgeq.nouns.record import canonical_json
from edgeq.nouns.tensor import Preprocessing, TensorSpec

SCHEMA = 1

OwnEnds = tuple[Sequence[TensorSpec], Sequence[TensorSpec]]


def contract(
    app: str,
    candidate: Candidate,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    preprocessing: Preprocessing | None,
    threads: int,
    own: OwnEnds = ((), ()),
    classes: Mapping[str, Sequence[str]] | None = None,
) -> bytes:
    """Canonical JSON. `inputs` and `outputs` are the manifest's; the file's own names come from the candidate. `own` are
    the file's inputs and outputs where they take and give integers in place of the manifest's floats. `classes` are the names
    of those that an output scores, in their order, by the output's name, where they are known.

    A dimension that the model leaves open is null; `affine` has the scale and zero point of quantized integers. `preprocessing` is null
    when the model takes its arrays as they are. `python_path` is a file next to the contract that a device's agent writes.
    """
    return canonical_json(
        {
            "schema": SCHEMA,
            "app": app,
            "candidate": candidate.id,
            "model": PurePosixPath(candidate.model).name,
            "runtime": candidate.runtime,
            "python_path": PYTHON_PATH,
            "min_runtime": candidate.min_runtime,
            "recipe": candidate.recipe,
            "threads": threads,
            "inputs": _tensors(candidate.inputs, inputs, candidate.input_types, own[0]),
            "outputs": [
                tensor | ({"classes": list(names)} if (names := (classes or {}).get(spec.name)) else {})
                for tensor, spec in zip(
                    _tensors(candidate.outputs, outputs, (), own[1]), outputs, strict=True
                )
            ],
            "preprocessing": preprocessing.to_dict() if preprocessing else None,
        }
    )


def _tensors(
    own_names: Sequence[str],
    specs: Sequence[TensorSpec],
    own_types: Sequence[str],
    own: Sequence[TensorSpec],
) -> list[dict[str, object]]:
    types = own_types or [spec.dtype for spec in own or specs]
    affines = [spec.affine for spec in own or specs]
    return [
        {"name": name, "source_name": spec.name, "dtype": dtype, "shape": list(spec.shape)}
        | ({"affine": affine.to_dict()} if affine else {})
        for name, dtype, affine, spec in zip(own_names, types, affines, specs, strict=True)
    ]
