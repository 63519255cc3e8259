"""How each recipe turns the float graph into a file, behind one small interface: write, audit, list what stayed float.

One class per way of writing; `variant_of` picks it by the candidate's recipe and format.
"""

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from edgeq.errors import DataRefused
from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Scheme, Skipped
from edgeq.nouns.repairs import OFF, Tried, counted

from . import tflite_file
from .audit import left_in_float
from .audit.fusion import onnx_fusion
from .audit.noise import Noise
from .audit.sensitivity import onnx_noise
from .audit.tflite_fusion import tflite_fusion
from .audit.tflite_sensitivity import tflite_noise
from .audit.untouched import onnx_untouched, tflite_untouched
from .blockwise.variant import OnnxBlockwise
from .calibrate import Ranges, needs_histogram, onnx_seen, tflite_seen
from .closest import closest_ranges
from .dynamic import OnnxDynamic
from .emitters import onnx_half, onnx_qdq, tflite
from .emitters.emitted_once import EmittedOnce
from .emitters.older_kernels import without_kernel
from .equalize import Equalized, equalized, not_equalized
from .float_graph import read
from .fuse import as_it_is, fuse_tried, fused
from .head import NO_HEAD, onnx_head, onnx_head_in_float, tflite_head_in_float
from .host_run import Progress
from .pair_sums import settle
from .ranges.kept import Kept
from .ranges.trial import OnnxTrial, WholeTrial
from .reconstruct import onnx_graph, tflite_graph
from .reconstruct.keep import NOT_FITTED, onnx_reconstruction, tflite_reconstruction
from .samples_like import SamplesLike
from .thin import thin_convolutions

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


class AsItIs:
    """The source's own file: float, or quantized already."""

    calibrator: str | None = None
    remedies: tuple[Remedy, ...] = ()
    repairs: tuple[Tried, ...] = ()

    def __init__(self, source: Path, path: Path, candidate: CandidatePlan) -> None:
        self.source, self.path, self.candidate = source, path, candidate

    def write(self, leave: frozenset[str]) -> None:
        shutil.copyfile(self.source, self.path)

    def layers(self) -> tuple[str, ...]:
        return ()

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return ()

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return ()

    def fusion(self) -> tuple[FusionAudit, ...]:
        if self.candidate.recipe == "float":
            return ()
        if self.candidate.format == "tflite":
            return tflite_fusion(self.path)
        return onnx_fusion(self.path, None)

    def untouched(self) -> bool:
        return False


class OnnxStatic:
    """Static int8 QDQ."""

    def __init__(
        self,
        source: Path,
        path: Path,
        scheme: Scheme,
        calibration: SamplesLike,
        calibrator: str,
        threads: int,
        progress: Progress,
        kept: Kept,
        repairs: Collection[str],
    ) -> None:
        self.path, self.scheme, self.threads = path, scheme, threads
        thin = scheme.thin_in_float and "thin" in repairs
        self.fuses = "fuse" in repairs
        self.equalized = _equalized(read(source), scheme, thin, path, calibration, threads, progress, repairs)
        even = self.equalized.model
        head = onnx_head(even) if "head" in repairs else frozenset[str]()
        fusing = fused(even, thin=thin, head=head) if self.fuses else as_it_is(even)
        self.model: Any = fusing.model
        self.in_float = thin_convolutions(self.model) if thin else {}
        count = len(self.in_float)
        self.in_float |= fusing.in_float
        self.fused = fusing.remedies
        self.emitted = EmittedOnce(self.model, path, scheme, moves=self.fuses)
        seen = onnx_seen(
            self.model,
            calibration,
            needs_histogram(calibrator),
            threads=threads,
            progress=progress,
            kept=kept,
        )
        trial = OnnxTrial(
            self.model,
            lambda ranges: self._emitted(ranges, frozenset(self.in_float)),
            path,
        )
        chosen = closest_ranges(seen, calibrator, trial, calibration, threads, kept)
        self.calibrator, self.ranges = chosen.calibrator, chosen.ranges
        self.repairs = _thin(scheme, repairs, count)
        self._emit(frozenset())
        self.reconstruction = NOT_FITTED
        if "fit" in repairs:
            self.reconstruction = onnx_reconstruction(
                self.model, source, path, calibration, threads, progress
            )
        self.head = NO_HEAD
        if "head" in repairs:  # last: what is noise beside rounding that is not fitted yet counts afterwards
            self.head = onnx_head_in_float(self.model, path, self._fitted, calibration, threads)
        self.in_float |= self.head.in_float
        self._emit(frozenset())
        self.repairs += (self.head.tried, self.reconstruction.tried)
        fuse = fuse_tried(self.fuses, (*self.fused, *self.moved))
        self.repairs = (self.equalized.tried, fuse, *self.repairs)

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        changed = (*self.equalized.remedies, *self.fused, *self.moved)
        return (*changed, *self.reconstruction.remedies(self.in_float))

    def _emitted(self, ranges: Ranges, leave: frozenset[str]) -> None:
        self.moved = self.emitted.write(ranges, leave)

    def _emit(self, leave: frozenset[str]) -> None:
        self._emitted(self.ranges, leave.union(self.in_float))

    def _fitted(self, leave: frozenset[str]) -> None:
        self._emit(leave)
        onnx_graph.replay(self.model, self.path, self.reconstruction.weights)

    def write(self, leave: frozenset[str]) -> None:
        self._fitted(leave)
        if self.scheme.pairs_fit:
            settle(self.path)  # what was fitted anew may have moved by steps

    def layers(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.model.graph.node)

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return onnx_noise(self.model, self.path, samples, threads=self.threads, progress=progress)

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return left_in_float.onnx_static(self.path, {**self.in_float, **by_choice})

    def fusion(self) -> tuple[FusionAudit, ...]:
        return onnx_fusion(self.path, self.scheme)

    def untouched(self) -> bool:
        return onnx_untouched(self.path)


def _equalized(
    model: Any,
    scheme: Scheme,
    thin: bool,
    path: Path,
    samples: SamplesLike,
    threads: int,
    progress: Progress,
    repairs: Collection[str],
) -> Equalized:
    if "equalize" not in repairs:
        return not_equalized(model)
    leave = frozenset(thin_convolutions(model)) if thin else frozenset[str]()

    def write(tried: Any, beside: Path, ranges: Ranges) -> None:
        onnx_qdq.emit(tried, beside, scheme, ranges, leave)

    return equalized(model, write, path, samples, threads=threads, progress=progress)


def _thin(scheme: Scheme, repairs: Collection[str], count: int) -> tuple[Tried, ...]:
    """None where the runtime has no layers that are too thin."""
    if not scheme.thin_in_float:
        return ()
    if "thin" not in repairs:
        return (Tried("thin", False, OFF),)
    return (
        Tried("thin", count > 0, counted(count, "convolution") if count else "no convolution is so small"),
    )


class OnnxHalf:
    """Float16."""

    calibrator: str | None = None
    remedies: tuple[Remedy, ...] = ()
    repairs: tuple[Tried, ...] = ()

    def __init__(self, source: Path, path: Path) -> None:
        self.source, self.path = source, path

    def write(self, leave: frozenset[str]) -> None:
        onnx_half.emit(read(self.source), self.path)

    def layers(self) -> tuple[str, ...]:
        return ()

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return ()

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return left_in_float.onnx_half(self.path)

    def fusion(self) -> tuple[FusionAudit, ...]:
        return ()

    def untouched(self) -> bool:
        return onnx_untouched(self.path)


class TfliteStatic:
    """Static int8 for LiteRT, or int8 weights on int16 activations."""

    def __init__(
        self,
        source: Path,
        path: Path,
        form: tflite.Form,
        calibration: SamplesLike,
        calibrator: str,
        threads: int,
        progress: Progress,
        kept: Kept,
        repairs: Collection[str],
    ) -> None:
        self.source, self.path, self.form, self.threads = source, path, form, threads
        no_kernel = without_kernel(source, form.runtime, form.activation_bits)
        if calibrator == "auto" and form.activation_bits == 16:
            calibrator = "minmax"  # with steps so fine only what a range cuts off can hurt
        seen = tflite_seen(
            source, calibration, needs_histogram(calibrator), threads=threads, progress=progress, kept=kept
        )
        trial = WholeTrial(source, lambda ranges: tflite.emit(source, path, ranges, form=form), path)
        chosen = closest_ranges(seen, calibrator, trial, calibration, threads, kept)
        self.calibrator, self.ranges = chosen.calibrator, chosen.ranges
        self.in_float = no_kernel
        self._emit(frozenset())
        self.reconstruction = NOT_FITTED
        if "fit" in repairs:
            self.reconstruction = tflite_reconstruction(source, path, calibration, threads, progress)
        self.head = NO_HEAD
        if "head" in repairs:
            self.head = tflite_head_in_float(source, path, self.write, calibration, threads)
        self.in_float = {**no_kernel, **self.head.in_float}
        self.repairs = (self.head.tried, self.reconstruction.tried)

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        return self.reconstruction.remedies(self.in_float)

    def _emit(self, leave: frozenset[str]) -> None:
        tflite.emit(self.source, self.path, self.ranges, leave | self.in_float.keys(), self.form)

    def write(self, leave: frozenset[str]) -> None:
        self._emit(leave)
        tflite_graph.replay(self.source, self.path, self.reconstruction.weights)

    def layers(self) -> tuple[str, ...]:
        graph = tflite_file.read(self.source)
        return tuple(graph.tensors[op.outputs[0]].name for op in graph.operators if op.outputs)

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return tflite_noise(self.source, self.path, samples, threads=self.threads, progress=progress)

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return left_in_float.tflite_static(self.path, {**self.in_float, **by_choice})

    def fusion(self) -> tuple[FusionAudit, ...]:
        return tflite_fusion(self.path)

    def untouched(self) -> bool:
        return tflite_untouched(self.source, self.path)


class TfliteDynamic:
    """Weights int8, activations quantized as they come, for LiteRT."""

    calibrator: str | None = None
    remedies: tuple[Remedy, ...] = ()
    repairs: tuple[Tried, ...] = ()

    def __init__(self, source: Path, path: Path, runtime: str) -> None:
        self.source, self.path, self.runtime = source, path, runtime

    def write(self, leave: frozenset[str]) -> None:
        tflite.emit_dynamic(self.source, self.path, self.runtime)

    def layers(self) -> tuple[str, ...]:
        return ()

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return ()

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return left_in_float.tflite_dynamic(self.path, without_kernel(self.source, self.runtime, None))

    def fusion(self) -> tuple[FusionAudit, ...]:
        return tflite_fusion(self.path, dynamic=True)

    def untouched(self) -> bool:
        return tflite_untouched(self.source, self.path)
