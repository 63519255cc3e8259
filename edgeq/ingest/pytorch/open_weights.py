"""Reads a torch checkpoint or a saved program once before edgeq does; runs in the limited child.

What torch unpickles, and how large the tensors are that a few bytes declare, is found out where it can do no harm.
"""

from pathlib import Path

from edgeq.errors import ModelRefused
from edgeq.limited.reader import Reader

WEIGHTS = Reader(
    "edgeq.ingest.pytorch.open_weights:weights",
    ModelRefused,
    "the weights",
    "save them again: torch.save(model.state_dict(), path)",
)
PROGRAM = Reader(
    "edgeq.ingest.pytorch.open_weights:program",
    ModelRefused,
    "the program",
    "save it again: torch.export.save(torch.export.export(model, (x,)), path)",
)


def prepare() -> None:
    import torch  # noqa: F401


def weights(path: str) -> int:
    """The bytes of all tensors. Raises ModelRefused as `load_weights` does, and for tensors that are views of less than they
    declare."""
    from edgeq.ingest.pytorch.weights import load_weights

    found = load_weights(Path(path))
    for name, tensor in found.items():
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ModelRefused(
                f"{path}: the tensor {name!r} declares the shape {'x'.join(map(str, tensor.shape))} and has "
                f"{tensor.untyped_storage().nbytes():,} bytes",
                WEIGHTS.remedy,
            )
    return sum(tensor.numel() * tensor.element_size() for tensor in found.values())


def program(path: str, run: bool) -> bool:
    """Loads it, and where `run` runs it on the inputs that it brings. Raises ModelRefused."""
    import torch

    from edgeq.ingest.pytorch.load_program import load_program

    with torch.no_grad():
        saved = load_program(path)
        if run and saved.example_inputs is not None:
            args, kwargs = saved.example_inputs
            saved.module()(*args, **kwargs)
    return True
