"""torch tensors in, torch tensors out: told by the module that made them, so that torch is not needed to run a model."""

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np


def is_tensor(value: object) -> bool:
    torch = sys.modules.get("torch")  # who has a tensor has imported it
    return torch is not None and isinstance(value, torch.Tensor)


def device_of(values: Iterable[object]) -> Any:
    """Where the first tensor among `values` is; None where there is none."""
    return next((value.device for value in values if is_tensor(value)), None)  # type: ignore[attr-defined]


def as_array(value: Any) -> Any:
    """The values of a tensor, without what is needed for its gradient; anything else as it is. numpy has no bfloat16: these
    become float32.
    """
    if not is_tensor(value):
        return value
    tensor = value.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def as_tensor(value: Any, device: Any) -> Any:
    """A tensor on `device` of an array, or of each array in a list."""
    if isinstance(value, list):
        return [as_tensor(each, device) for each in value]
    return sys.modules["torch"].from_numpy(np.ascontiguousarray(value)).to(device)
