"""Runtimes that can run a model. One file each; the folder listing is the registry.

Each has the same two functions, and imports its library inside them:

    version() -> str
    open_session(path, threads, inputs, outputs) -> Session

`path` is the model file, `inputs` and `outputs` its own names in the order of the check samples.
"""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Session:
    """A loaded model in three steps, so that only what an application would wait for is timed.

    `prepare(arrays)` turns one sample (one array per input) into what the runtime takes; `run(prepared)` is one
    inference, the outputs read out; `finish(raw)` gives one float or integer array per output. `notes` say what
    prepare and finish changed, in words.
    """

    prepare: "Callable[[Sequence[np.ndarray]], Any]"
    run: Callable[[Any], Any]
    finish: "Callable[[Any], list[np.ndarray]]"
    notes: "tuple[str, ...]" = ()


def runtime_names() -> "tuple[str, ...]":
    found = (m.name for m in pkgutil.iter_modules(__path__))
    return tuple(sorted(name.replace("_", "-") for name in found if not name.startswith("_")))


def runtime(name: str) -> ModuleType:
    """Raises LookupError naming the runtimes there are."""
    if name not in runtime_names():
        raise LookupError(f"there is no runtime {name!r}; the agent knows {', '.join(runtime_names())}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
