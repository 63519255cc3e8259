"""How each recipe turns the float graph into a file, behind one small interface: write, audit, list what stayed float.

One class per way of writing; `variant_of` picks it by the candidate's recipe and format.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from edgeq.errors import DataRefused
from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Skipped
from edgeq.nouns.repairs import Tried

from .audit.noise import Noise
from .blockwise.variant import OnnxBlockwise
from .emitters import tflite
from .host_run import Progress
from .ranges.kept import Kept
from .samples_like import SamplesLike
from .variants.as_it_is import AsItIs
from .variants.onnx_dynamic import OnnxDynamic
from .variants.onnx_half import OnnxHalf
from .variants.onnx_static import OnnxStatic
from .variants.tflite_dynamic import TfliteDynamic
from .variants.tflite_static import TfliteStatic

_BLOCK_BITS = {"int8_blockwise": 8, "int4_blockwise": 4}


class Variant(Protocol):
    """`write` makes the file at `path` with the layers of `leave` in float; the rest reads that file."""

    path: Path

    @property
    def calibrator(self) -> str | None: ...

    @property
    def remedies(self) -> tuple[Remedy, ...]: ...

    @property
    def repairs(self) -> tuple[Tried, ...]: ...

    def write(self, leave: frozenset[str]) -> None: ...

    def layers(self) -> tuple[str, ...]:
        """All names that `write` knows to leave in float; empty where layers cannot be left out."""
        ...

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        """What each quantized layer costs at the outputs, worst first, as far as it can be told."""
        ...

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]: ...

    def fusion(self) -> tuple[FusionAudit, ...]: ...

    def untouched(self) -> bool:
        """Whether the recipe found nothing to quantize, so that the file is float over again."""
        ...


def variant_of(
    candidate: CandidatePlan,
    model: Model,
    calibration: SamplesLike | None,
    folder: Path,
    calibrator: str,
    threads: int,
    progress: Progress,
    kept: Kept,
    repairs: Collection[str],
) -> Variant:
    source = Path(model.files[candidate.format])
    path = folder / f"model.{candidate.format}"
    if candidate.recipe in ("float", "as_is"):
        return AsItIs(source, path, candidate)
    if candidate.recipe == "int8_dynamic":
        if candidate.format == "tflite":
            return TfliteDynamic(source, path, candidate.runtime)
        seven_bits = candidate.scheme is not None and candidate.scheme.reduce_range
        return OnnxDynamic(
            source, path, calibration, threads, progress, seven_bits=seven_bits, repairs=repairs
        )
    if candidate.recipe in _BLOCK_BITS:
        bits = _BLOCK_BITS[candidate.recipe]
        return OnnxBlockwise(source, path, bits, calibration, threads, progress, repairs)
    if candidate.recipe == "fp16":
        return OnnxHalf(source, path)
    if calibration is None:
        raise DataRefused(f"{candidate.id} needs calibration samples", "give --data, or --recipe float")
    if candidate.format == "tflite":
        form = _tflite_form(candidate)
        return TfliteStatic(source, path, form, calibration, calibrator, threads, progress, kept, repairs)
    assert candidate.scheme is not None  # the planner gives one to every static candidate
    return OnnxStatic(
        source, path, candidate.scheme, calibration, calibrator, threads, progress, kept, repairs
    )


def _tflite_form(candidate: CandidatePlan) -> tflite.Form:
    scheme = candidate.scheme
    bits = 16 if scheme is not None and scheme.activations == "int16" else 8
    return tflite.Form(bits, scheme is not None and scheme.integer_io, candidate.runtime)
