"""Optional packages: imported here, or refused with the command that installs them."""

from importlib import import_module
from types import ModuleType

from edgeq.errors import ExtraMissing

_CPU_BUILD = (
    "On a machine without an NVIDIA GPU take PyTorch's CPU build first (pytorch.org, 'Get started', CPU): "
    "the default one includes gigabytes of CUDA."
)
_WORDS = {"torch": _CPU_BUILD, "android": _CPU_BUILD, "train": _CPU_BUILD, "litert": ""}


def needed(module: str, extra: str, what_for: str) -> ModuleType:
    """The module; `extra` is edgeq's extra that has it. Raises ExtraMissing."""
    try:
        return import_module(module)
    except ImportError as error:
        raise missing(module, extra, what_for, error) from None


def missing(module: str, extra: str, what_for: str, error: Exception | None = None) -> ExtraMissing:
    found = error is not None and getattr(error, "name", None) not in (None, module.partition(".")[0])
    return ExtraMissing(
        f"{what_for} needs the package {module.partition('.')[0]}"
        + (f", which is installed but does not load: {error}" if found else ", which is not installed"),
        f'pip install "edgeq[{extra}]"' + (f"\n{_WORDS[extra]}" if _WORDS[extra] else ""),
    )
