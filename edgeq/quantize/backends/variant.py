"""How each recipe turns the float graph into a file, behind one small interface: write, audit, list what stayed float.

One class per way of writing; `variant_of` picks it by the candidate's recipe and format.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

from edgeq.errors import ConversionFailed, DataRefused
from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Skipped
from edgeq.nouns.repairs import Tried
from edgeq.quantize.backends.litert import emit
from edgeq.quantize.backends.litert_dynamic import TfliteDynamic
from edgeq.quantize.backends.litert_static import TfliteStatic
from edgeq.quantize.backends.ort_dynamic import OnnxDynamic
from edgeq.quantize.backends.ort_fp16 import OnnxHalf
from edgeq.quantize.backends.ort_static import OnnxStatic
from edgeq.quantize.backends.passthrough import AsItIs
from edgeq.quantize.backends.refused_layers import (
    NONE_REFUSED,
    refused_in_dynamic,
    refused_in_qdq,
    refused_in_tflite,
    runs,
)
from edgeq.quantize.calibration.array_cache import Kept
from edgeq.quantize.float_graph import read
from edgeq.quantize.passes.blockwise.variant import OnnxBlockwise
from edgeq.quantize.passes.lower_unsupported_ops import in_own_forms
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.sensitivity.noise import Noise

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
    if candidate.recipe in _BLOCK_BITS:
        bits = _BLOCK_BITS[candidate.recipe]
        return OnnxBlockwise(source, path, bits, calibration, threads, progress, repairs)
    if candidate.recipe == "fp16":
        return OnnxHalf(source, path)
    if calibration is None and candidate.recipe != "int8_dynamic":
        raise DataRefused(f"{candidate.id} needs calibration samples", "give --data, or --recipe float")
    form = None if candidate.recipe == "int8_dynamic" else _tflite_form(candidate)
    scheme = candidate.scheme

    sample = calibration[0] if calibration is not None else None

    def made(refused: Mapping[str, str]) -> Variant:
        if candidate.format == "tflite" and form is None:
            return TfliteDynamic(source, path, candidate.runtime, refused)
        if form is None:
            return OnnxDynamic(
                source,
                path,
                calibration,
                threads,
                progress,
                seven_bits=scheme is not None and scheme.reduce_range,
                repairs=repairs,
                refused=refused,
            )
        assert calibration is not None
        if candidate.format == "tflite":
            return TfliteStatic(
                source, path, form, calibration, calibrator, threads, progress, kept, repairs, refused
            )
        assert scheme is not None  # the planner gives one to every static candidate
        return OnnxStatic(
            source, path, scheme, calibration, calibrator, threads, progress, kept, repairs, refused
        )

    def tried(variant: Variant) -> None:
        if form is None:
            variant.write(frozenset())  # the others have written it already
        runs(variant.path, candidate.format, sample)

    def refused() -> dict[str, str]:
        if candidate.format == "tflite":
            return refused_in_tflite(source, form, candidate.runtime, folder)
        if form is None:
            return refused_in_dynamic(in_own_forms(read(source), repairs)[0].model, sample, folder)
        assert scheme is not None and sample is not None
        return refused_in_qdq(read(source), scheme, sample, folder)

    return _without_refused(made, tried, refused)


def _without_refused(
    made: Callable[[Mapping[str, str]], Variant],
    tried: Callable[[Variant], None],
    refused: Callable[[], dict[str, str]],
) -> Variant:
    """What `made` gives, once its file was `tried`; with the layers of `refused` in float where one of these fails.
    Raises ConversionFailed.
    """
    try:
        variant = made(NONE_REFUSED)
        tried(variant)
        return variant
    except ConversionFailed:
        found = refused()
        if not found:
            raise
    return made(found)


def _tflite_form(candidate: CandidatePlan) -> emit.Form:
    scheme = candidate.scheme
    bits = 16 if scheme is not None and scheme.activations == "int16" else 8
    return emit.Form(bits, scheme is not None and scheme.integer_io, candidate.runtime)
