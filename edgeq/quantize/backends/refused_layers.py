"""Finds the layers that a quantizer or a runtime refuses, so that these alone stay in float and not the whole network.

Halves of the layers are tried until single ones are left: as many tries as layers that are refused, times the logarithm
of how many there are. Nothing is tried before something was refused.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from edgeq.errors import ConversionFailed
from edgeq.foreign import as_conversion_failed
from edgeq.quantize.run_model import load
from edgeq.quantize.samples import Array

Attempt = Callable[[frozenset[str]], None]
Sample = tuple[Array, ...]

_WORDS = 160  # of a library's own


def refused_layers(layers: Sequence[str], attempt: Attempt) -> dict[str, str]:
    """Those of `layers` that `attempt`, which makes a file with the layers it is given in float, fails with, and why.

    Empty where it fails with none of them by itself. `attempt` raises ConversionFailed.
    """
    every = frozenset(layers)

    def search(some: Sequence[str]) -> dict[str, str]:
        try:
            attempt(every.difference(some))
            return {}
        except ConversionFailed as error:
            if len(some) == 1:
                return {some[0]: _words(error)}
        half = len(some) // 2
        return search(some[:half]) | search(some[half:])

    return search(layers) if layers else {}


def found_by_trying(layers: Sequence[str], attempt: Attempt, path: Path) -> dict[str, str]:
    """Those of `layers` that are refused, and why; `attempt` writes to `path`, which is removed."""
    try:
        return refused_layers(layers, attempt)
    finally:
        path.unlink(missing_ok=True)


def runs(path: Path, format: str, sample: Sample | None) -> None:
    """Raises ConversionFailed where the runtime does not load the file, or does not run it on `sample`."""
    runner = load(path, format)
    if sample is not None:
        with as_conversion_failed(f"{path.name} does not run"):
            runner(sample)


def _words(error: ConversionFailed) -> str:
    detail = error.details[0] if error.details else error.what
    return f"{error.what}: {detail.partition(': ')[2] or detail}"[:_WORDS]
