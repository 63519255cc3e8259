"""`file.py:factory` or `package.module:factory`, with its weights -> a module in eval mode."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.errors import ModelRefused
from edgeq.ingest.pytorch.open_weights import WEIGHTS
from edgeq.ingest.pytorch.weights import fill, load_weights
from edgeq.ingest.request import Request
from edgeq.limited.ask import ask
from edgeq.limited.limits import for_file
from edgeq.user_code import load_attribute, place_of

if TYPE_CHECKING:
    from torch import nn


def build_module(request: Request) -> "tuple[nn.Module, tuple[str, ...]]":
    """The module and notes about it. Raises ModelRefused with the factory's own error."""
    if request.module is not None:
        return request.module, ()
    module = _built(request.source)
    notes: tuple[str, ...] = ()
    if request.weights is not None:
        ask(WEIGHTS, request.weights, for_file(_size(request.weights)))
        fill(module, load_weights(request.weights), request.weights)
    else:
        notes = ("no --weights: the factory's own parameters are used",)
    return module.eval().requires_grad_(False), notes


def _size(path: Path) -> int:
    """0 where it is not there: the reader says so."""
    return path.stat().st_size if path.is_file() else 0


def _built(source: str) -> "nn.Module":
    from torch import nn

    found = load_attribute(source, ModelRefused)
    if not isinstance(found, nn.Module):
        if not callable(found):
            raise ModelRefused(
                f"{source} is {type(found).__name__}, expected a function or class that builds the model"
            )
        try:
            found = found()
        except Exception as error:
            raise ModelRefused(
                f"{source}() failed: {type(error).__name__}: {error}",
                "a factory is called without arguments; wrap one that needs some in a function of your own",
                details=place_of(error),
            ) from error
    if not isinstance(found, nn.Module):
        raise ModelRefused(f"{source}() returned {type(found).__name__}, expected a torch.nn.Module")
    return found
