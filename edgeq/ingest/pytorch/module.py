"""`file.py:factory` or `package.module:factory`, with its weights -> a module in eval mode."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.code_inputs.watch import loaded_of_the_user, watching
from edgeq.errors import ModelRefused
from edgeq.ingest.pytorch.chance import differs, random_state
from edgeq.ingest.pytorch.open_weights import WEIGHTS
from edgeq.ingest.pytorch.weights import fill, load_weights
from edgeq.ingest.request import Request
from edgeq.limited.ask import ask
from edgeq.limited.limits import for_file
from edgeq.user_code import load_attribute, place_of

if TYPE_CHECKING:
    from torch import Tensor, nn


def build_module(request: Request) -> "tuple[nn.Module, tuple[str, ...]]":
    """The module and notes about it. Raises ModelRefused with the factory's own error."""
    if request.module is not None:
        return request.module, ()
    before = random_state()
    with watching(request.watch):
        build = _builder(request.source)
        loaded = random_state()
        module = _built(request.source, build)
        drawn = random_state()
    weights = _weights(request.weights)
    if weights is not None and request.weights is not None:
        fill(module, weights, request.weights)
    if request.watch is not None and drawn != before:
        request.watch.unseen += _chance(request, module, weights, while_loading=loaded != before)
    notes = () if weights is not None else ("no --weights: the factory's own parameters are used",)
    return module.eval().requires_grad_(False), notes


def _weights(path: Path | None) -> "Mapping[str, Tensor] | None":
    if path is None:
        return None
    ask(WEIGHTS, path, for_file(_size(path)))
    return load_weights(path)


def _chance(
    request: Request, module: "nn.Module", weights: "Mapping[str, Tensor] | None", *, while_loading: bool
) -> list[str]:
    """Why what is built next time may be another; random numbers were drawn."""
    if while_loading and loaded_of_the_user():
        return ["a module that it imports draws random numbers"]

    def again() -> "nn.Module":
        other = _built(request.source, _builder(request.source))
        if weights is not None and request.weights is not None:
            fill(other, weights, request.weights)
        return other

    try:
        return ["it draws random numbers without a seed"] if differs(module, again) else []
    except Exception as error:  # whatever code of the user's raises where it is called twice
        return [f"it draws random numbers, and fails when it is called twice: {type(error).__name__}"]


def _size(path: Path) -> int:
    """0 where it is not there: the reader says so."""
    return path.stat().st_size if path.is_file() else 0


def _builder(source: str) -> object:
    """What the source names: a module, or what builds one."""
    from torch import nn

    found = load_attribute(source, ModelRefused)
    if not isinstance(found, nn.Module) and not callable(found):
        raise ModelRefused(
            f"{source} is {type(found).__name__}, expected a function or class that builds the model"
        )
    return found


def _built(source: str, found: object) -> "nn.Module":
    from torch import nn

    if not isinstance(found, nn.Module):
        assert callable(found)
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
