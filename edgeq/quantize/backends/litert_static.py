"""Static int8 for LiteRT, or int8 weights on int16 activations."""

from collections.abc import Callable, Collection, Mapping
from copy import copy
from functools import partial
from pathlib import Path

from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.plan import Skipped
from edgeq.quantize import tflite_file
from edgeq.quantize.audit import float_layers
from edgeq.quantize.audit.is_noop import tflite_untouched
from edgeq.quantize.audit.tflite_kernels import tflite_fusion
from edgeq.quantize.backends.litert import emit
from edgeq.quantize.backends.litert.kernels import without_kernel
from edgeq.quantize.backends.refused_layers import NONE_REFUSED
from edgeq.quantize.calibration.array_cache import Kept
from edgeq.quantize.calibration.calibrate import needs_histogram, tflite_seen
from edgeq.quantize.graph_work import tflite_operator_shares
from edgeq.quantize.passes.fit import fit_tflite
from edgeq.quantize.passes.fit.fit import NOT_FITTED, Reconstruction, tflite_reconstruction
from edgeq.quantize.passes.head import NO_HEAD, tflite_head_in_float
from edgeq.quantize.passes.joins import NO_JOINS, tflite_joins
from edgeq.quantize.passes.ranges.no_scale import without_scale_in_tflite
from edgeq.quantize.passes.ranges.range_search import closest_ranges
from edgeq.quantize.passes.ranges.trial import WholeTrial
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.sensitivity.noise import Noise
from edgeq.quantize.sensitivity.tflite_sensitivity import tflite_noise


class TfliteStatic:
    """Static int8 for LiteRT, or int8 weights on int16 activations."""

    def __init__(
        self,
        source: Path,
        path: Path,
        form: emit.Form,
        calibration: SamplesLike,
        calibrator: str,
        threads: int,
        progress: Progress,
        kept: Kept,
        repairs: Collection[str],
        refused: Mapping[str, str] = NONE_REFUSED,
    ) -> None:
        """`refused` are operators that cannot be quantized, by first output, with the reason (refused_layers.py)."""
        self.source, self.path, self.form, self.threads = source, path, form, threads
        no_kernel = {**without_kernel(source, form.runtime, form.activation_bits), **refused}
        if calibrator == "auto" and form.activation_bits == 16:
            calibrator = "minmax"  # with steps so fine only what a range cuts off can hurt
        seen = tflite_seen(
            source, calibration, needs_histogram(calibrator), threads=threads, progress=progress, kept=kept
        )
        no_kernel |= without_scale_in_tflite(source, seen)
        self.joins = NO_JOINS
        if "joins" in repairs and form.activation_bits == 8 and not form.integer_io:
            self.joins = tflite_joins(source, calibration, threads)
        joined = frozenset(self.joins.in_float).union(no_kernel)
        trial = WholeTrial(source, lambda ranges: emit.emit(source, path, ranges, joined, form), path)
        chosen = closest_ranges(seen, calibrator, trial, calibration, threads, kept)
        self.calibrator, self.ranges = chosen.calibrator, chosen.ranges
        self.in_float = {**no_kernel, **self.joins.in_float}
        self._emit(frozenset())
        self._fit: Callable[[], Reconstruction] = lambda: NOT_FITTED
        if "fit" in repairs:
            self._fit = partial(tflite_reconstruction, source, path, calibration, threads, progress)
        self.reconstruction = self._fit()
        self.head = NO_HEAD
        if "head" in repairs:
            self.head = tflite_head_in_float(source, path, self.write, calibration, threads)
        self.in_float |= self.head.in_float
        self.repairs = (self.joins.tried, self.head.tried, self.reconstruction.tried)

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        return self.reconstruction.remedies(self.in_float)

    def _emit(self, leave: frozenset[str]) -> None:
        emit.emit(self.source, self.path, self.ranges, leave | self.in_float.keys(), self.form)

    def write(self, leave: frozenset[str]) -> None:
        self._emit(leave)
        fit_tflite.replay(self.source, self.path, self.reconstruction.weights)

    def layers(self) -> tuple[str, ...]:
        graph = tflite_file.read(self.source)
        return tuple(graph.tensors[op.outputs[0]].name for op in graph.operators if op.outputs)

    def work(self) -> dict[str, float]:
        """The share of the multiply-accumulates, 0..1, of each of `layers` that has some."""
        return {name: work for name, (work, _) in tflite_operator_shares(self.source).items()}

    def write_rounded(self, leave: frozenset[str]) -> None:
        """As `write`, without what was fitted: that made up for the rounding of layers that may be in `leave`."""
        self._emit(leave)

    def fitted_with(self, leave: frozenset[str]) -> "TfliteStatic":
        """The same variant, fitted to the rounding that is left with the layers of `leave` in float."""
        other = copy(self)
        other._emit(leave)
        other.reconstruction = self._fit()
        return other

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return tflite_noise(self.source, self.path, samples, threads=self.threads, progress=progress)

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return float_layers.tflite_static(self.path, {**self.in_float, **by_choice})

    def fusion(self) -> tuple[FusionAudit, ...]:
        return tflite_fusion(self.path)

    def untouched(self) -> bool:
        return tflite_untouched(self.source, self.path)
