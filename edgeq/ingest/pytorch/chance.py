"""Whether what a factory builds depends on chance that no seed governs: it is built twice where random numbers were drawn."""

import contextlib
import hashlib
import io
import random
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def random_state() -> str:
    """Another after numbers were drawn from, or a seed was given to, the generators that every program shares."""
    import torch

    digest = hashlib.sha256(torch.get_rng_state().numpy().tobytes())
    digest.update(repr(random.getstate()).encode())
    _, keys, *rest = np.random.get_state(legacy=True)
    digest.update(np.asarray(keys).tobytes() + repr(rest).encode())
    return digest.hexdigest()


def differs(module: "nn.Module", build: "Callable[[], nn.Module]") -> bool:
    """Whether `build`, which made `module`, now makes another: its prints are not shown a second time."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return _values(module) != _values(build())


def _values(module: "nn.Module") -> str:
    """A digest of every tensor, array and plain value that the module and those inside of it hold."""
    digest = hashlib.sha256()
    for name, one in module.named_modules():
        digest.update(f"{name} {type(one).__qualname__}\n".encode())
        _feed(digest, vars(one))
    return digest.hexdigest()


def _feed(digest: "hashlib._Hash", value: object) -> None:
    from torch import Tensor

    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype} {value.shape}\n".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, _PLAIN):
        digest.update(f"{value!r}\n".encode())
    elif isinstance(value, Mapping):
        for key, each in value.items():
            digest.update(f"{key}\n".encode())
            _feed(digest, each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _feed(digest, each)
    else:
        size = len(value) if isinstance(value, Collection) else 0
        digest.update(f"{type(value).__qualname__} {size}\n".encode())
