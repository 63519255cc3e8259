"""A checkpoint -> the state dict inside it, and into a module, with every key that does not fit named."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.errors import EdgeqError, ModelRefused
from edgeq.ingest.extras import needed

if TYPE_CHECKING:
    from torch import Tensor, nn

_ENTRIES = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")  # DataParallel, torch.compile
_COUNTERS = "num_batches_tracked"  # only training reads it; old checkpoints lack it


def load_weights(path: Path) -> "dict[str, Tensor]":
    """The tensors by name, unwrapped. Only tensors and plain values are unpickled. Raises ModelRefused; ExtraMissing for
    a .safetensors file without its reader.
    """
    try:
        found = _loaded(path)
    except (EdgeqError, MemoryError):
        raise
    except OSError as error:
        raise ModelRefused(f"cannot read {path}: {error.strerror or error}") from None
    except (
        Exception
    ) as error:  # UnpicklingError, RuntimeError, EOFError, ValueError ... by what is wrong with the file
        raise ModelRefused(
            f"{path} cannot be loaded as weights: {_reason(str(error))}",
            "save only the weights: torch.save(model.state_dict(), path); edgeq does not run code from a checkpoint",
        ) from None
    return _without_prefix(_unwrapped(found, path))


def _reason(words: str) -> str:
    """Ours: torch's own words advise to switch off what keeps a checkpoint from running code."""
    found = re.search(r"Unsupported (?:global: GLOBAL|class|operand) (\S+)", words)
    if found and not found[1].isdecimal():
        return f"it holds {found[1]} next to the tensors, a Python object"
    return "it was not written by torch.save or safetensors, or it is damaged"


def _loaded(path: Path) -> object:
    if path.suffix == ".safetensors":
        return needed("safetensors.torch", "torch", f"reading {path.name}").load_file(path)
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def fill(module: "nn.Module", state: "Mapping[str, Tensor]", path: Path) -> None:
    """Loads `state` into `module`. Raises ModelRefused with each missing, unexpected and mis-shaped key in `details`."""
    own = module.state_dict()
    missing = [k for k in own if k not in state and not k.endswith(_COUNTERS)]
    unexpected = [k for k in state if k not in own and not k.endswith(_COUNTERS)]
    shaped = [
        f"{k} is {_shape(state[k])}, the model has {_shape(own[k])}"
        for k in own
        if k in state and state[k].shape != own[k].shape
    ]
    problems = [
        *(f"missing: {k}" for k in missing),
        *(f"unexpected: {k}" for k in unexpected),
        *(f"shape: {words}" for words in shaped),
    ]
    if problems:
        raise ModelRefused(
            f"the weights {path} do not fit the model: {len(missing)} missing, {len(unexpected)} unexpected, "
            f"{len(shaped)} of another shape",
            "check that the factory builds the same architecture, with the same arguments, as was trained",
            details=problems[:20] + ([f"and {len(problems) - 20} more"] if len(problems) > 20 else []),
        )
    module.load_state_dict({k: v for k, v in state.items() if k in own}, strict=False)


def _unwrapped(found: object, path: Path) -> "dict[str, Tensor]":
    import torch

    while isinstance(found, Mapping):
        inner = next((e for e in _ENTRIES if isinstance(found.get(e), Mapping)), None)
        if inner is None:
            break
        found = found[inner]
    if not isinstance(found, Mapping):
        raise ModelRefused(f"{path} holds {type(found).__name__}, expected a state dict")
    tensors = {str(k): v for k, v in found.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise ModelRefused(
            f"{path} holds no tensors by name; its keys are {', '.join(map(str, list(found)[:8]))}",
            f"edgeq looks for the weights at the top level or in {', '.join(_ENTRIES)}",
        )
    return tensors


def _without_prefix(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    while prefix := next((p for p in _PREFIXES if all(k.startswith(p) for k in state)), None):
        state = {k.removeprefix(prefix): v for k, v in state.items()}
    return state


def _shape(tensor: "Tensor") -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
