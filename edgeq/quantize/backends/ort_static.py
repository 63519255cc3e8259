"""Static int8 for onnxruntime: ranges, fusion, fit and head decided once, then written with any layers in float."""

from collections.abc import Callable, Collection, Mapping
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.plan import Scheme, Skipped
from edgeq.nouns.repairs import OFF, Tried, counted
from edgeq.quantize.audit import float_layers
from edgeq.quantize.audit.is_noop import onnx_untouched
from edgeq.quantize.audit.kernels import onnx_fusion
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.backends.ort.emitted_once import EmittedOnce
from edgeq.quantize.backends.refused_layers import NONE_REFUSED
from edgeq.quantize.calibration.array_cache import Kept
from edgeq.quantize.calibration.calibrate import Ranges, needs_histogram, onnx_seen
from edgeq.quantize.float_graph import read
from edgeq.quantize.graph_work import onnx_node_shares
from edgeq.quantize.passes.equalize import Equalized, equalized, not_equalized
from edgeq.quantize.passes.fit import fit_onnx
from edgeq.quantize.passes.fit.fit import NOT_FITTED, Reconstruction, onnx_reconstruction
from edgeq.quantize.passes.fuse import as_it_is, fuse_tried, fused
from edgeq.quantize.passes.head import NO_HEAD, onnx_head, onnx_head_in_float
from edgeq.quantize.passes.int16_saturation import settle
from edgeq.quantize.passes.joins import NO_JOINS, onnx_joins
from edgeq.quantize.passes.ranges.no_scale import without_scale_in_onnx
from edgeq.quantize.passes.ranges.range_search import closest_ranges
from edgeq.quantize.passes.ranges.trial import OnnxTrial
from edgeq.quantize.passes.small_convs import thin_convolutions
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.sensitivity.noise import Noise
from edgeq.quantize.sensitivity.onnx_sensitivity import onnx_noise


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
        refused: Mapping[str, str] = NONE_REFUSED,
    ) -> None:
        """`refused` are nodes that cannot be quantized, with the reason (refused_layers.py)."""
        self.path, self.scheme, self.threads = path, scheme, threads
        thin = scheme.thin_in_float and "thin" in repairs
        self.fuses = "fuse" in repairs
        self.equalized = _equalized(
            read(source), scheme, thin, path, calibration, threads, progress, repairs, frozenset(refused)
        )
        even = self.equalized.model
        head = onnx_head(even) if "head" in repairs else frozenset[str]()
        fusing = fused(even, thin=thin, head=head) if self.fuses else as_it_is(even)
        self.model: Any = fusing.model
        self.in_float = thin_convolutions(self.model) if thin else {}
        count = len(self.in_float)
        self.in_float |= {**fusing.in_float, **refused}
        self.joins = onnx_joins(self.model, calibration, threads) if "joins" in repairs else NO_JOINS
        self.in_float |= {name: why for name, why in self.joins.in_float.items() if name not in self.in_float}
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
        self.in_float |= without_scale_in_onnx(self.model, seen)
        trial = OnnxTrial(
            self.model,
            lambda ranges: self._emitted(ranges, frozenset(self.in_float)),
            path,
        )
        chosen = closest_ranges(seen, calibrator, trial, calibration, threads, kept)
        self.calibrator, self.ranges = chosen.calibrator, chosen.ranges
        self.repairs = _thin(scheme, repairs, count)
        self._emit(frozenset())
        self._fit: Callable[[], Reconstruction] = lambda: NOT_FITTED
        if "fit" in repairs:
            self._fit = partial(onnx_reconstruction, self.model, source, path, calibration, threads, progress)
        self.reconstruction = self._fit()
        self.head = NO_HEAD
        if "head" in repairs:  # last: what is noise beside rounding that is not fitted yet counts afterwards
            self.head = onnx_head_in_float(self.model, path, self._fitted, calibration, threads)
        self.in_float |= self.head.in_float
        self._emit(frozenset())
        self.repairs += (self.joins.tried, self.head.tried, self.reconstruction.tried)
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
        fit_onnx.replay(self.model, self.path, self.reconstruction.weights)

    def write(self, leave: frozenset[str]) -> None:
        self._fitted(leave)
        if self.scheme.pairs_fit:
            settle(self.path)  # what was fitted anew may have moved by steps

    def layers(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.model.graph.node)

    def work(self) -> dict[str, float]:
        """The share of the multiply-accumulates, 0..1, of each of `layers` that has some."""
        return {name: work for name, (work, _) in onnx_node_shares(self.model).items()}

    def write_rounded(self, leave: frozenset[str]) -> None:
        """As `write`, without what was fitted: that made up for the rounding of layers that may be in `leave`."""
        self._emit(leave)

    def fitted_with(self, leave: frozenset[str]) -> "OnnxStatic":
        """The same variant, fitted to the rounding that is left with the layers of `leave` in float."""
        other = copy(self)
        other._emit(leave)
        other.reconstruction = self._fit()
        return other

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return onnx_noise(self.model, self.path, samples, threads=self.threads, progress=progress)

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return float_layers.onnx_static(self.path, {**self.in_float, **by_choice})

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
    refused: frozenset[str],
) -> Equalized:
    if "equalize" not in repairs:
        return not_equalized(model)
    leave = refused.union(thin_convolutions(model) if thin else ())

    def write(tried: Any, beside: Path, ranges: Ranges) -> None:
        qdq.emit(tried, beside, scheme, ranges, leave)

    return equalized(model, write, path, samples, threads=threads, progress=progress)


def _thin(scheme: Scheme, repairs: Collection[str], count: int) -> tuple[Tried, ...]:
    """None where the runtime has no layers that are too thin."""
    if not scheme.thin_in_float:
        return ()
    if "thin" not in repairs:
        return (Tried("thin", False, OFF),)
    return (
        Tried("thin", count > 0, counted(count, "convolution") if count else "no convolution is that small"),
    )
