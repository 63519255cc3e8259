"""Loads a program that torch.export saved, after it was searched for anything that would run."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.errors import ModelRefused
from edgeq.foreign import quiet
from edgeq.ingest.pytorch.harmless import Harmful, refuse_harmful

if TYPE_CHECKING:
    from torch.export import ExportedProgram


def load_program(path: str) -> "ExportedProgram":
    """Raises ModelRefused for what could run code, and for what torch cannot load. Only after the limited child did the same:
    see open_weights.py."""
    import torch

    try:
        refuse_harmful(Path(path))
        with quiet():
            return torch.export.load(path)
    except Harmful as error:
        raise ModelRefused(
            f"{path} is not loaded, because loading it could run code from the file: {error}",
            "save it again with torch 2.8 or newer, tensors as example inputs: "
            "torch.export.save(torch.export.export(model, (x,)), path)",
        ) from None
    except Exception as error:  # whatever is wrong inside the archive
        raise ModelRefused(
            f"{path} is not a program that this torch ({torch.__version__}) can load: {first_line_of(error)}",
            "save it again: torch.export.save(torch.export.export(model, (x,)), path)",
        ) from None


def first_line_of(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
