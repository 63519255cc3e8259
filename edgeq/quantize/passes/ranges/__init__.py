"""Chooses the range of each activation: that of the calibrator whose file comes closest to float.

no_scale        layers that touch tensors without a usable scale (attention masks, infinities) stay in float
range_search    which calibrator, for the whole model and then per tensor
trial           files to try ranges with, patched where the format allows it
"""

from dataclasses import replace

from edgeq.quantize.calibration.calibrate import (
    Calibration,
    calibrate_onnx,
    calibrate_tflite,
    needs_histogram,
)
from edgeq.quantize.effort import EFFORTS
from edgeq.quantize.evaluate.pre_softmax_outputs import pre_softmax_of, tensors_in
from edgeq.quantize.passes.ranges.no_scale import without_scale_in_onnx, without_scale_in_tflite
from edgeq.quantize.passes.ranges.range_search import closest_ranges
from edgeq.quantize.passes.ranges.trial import OnnxTrial, TfliteTrial, Trial
from edgeq.quantize.quantization import ALWAYS, PREPARE, Context, Quantization

NAME = ALWAYS
STAGE = PREPARE
_UNTRIED = "mse"  # the calibrator where none is tried: of 20 networks it was the closest to float most often


def run(q: Quantization, context: Context) -> Quantization:
    fine = q.activation_bits == 16  # with steps so fine only what a range cuts off can hurt
    asked = context.options.calibrator
    calibrator = "minmax" if fine and asked == "auto" else asked
    if calibrator == "auto" and EFFORTS[context.options.effort].calibrators == 1:
        calibrator = _UNTRIED
    with context.stopwatch.step("calibration"):
        calibration = _calibrated(q, needs_histogram(calibrator), context)
    without_scale = (
        without_scale_in_onnx(q.graph, calibration)
        if q.format == "onnx"
        else without_scale_in_tflite(q.source, calibration)
    )
    q = q.keep_in_float(without_scale)
    found = closest_ranges(
        calibration,
        calibrator,
        _trial(q, context),
        context.calibration,
        context.threads,
        context.cache,
        q.activation_bits,
        EFFORTS[context.options.effort].samples,
        context.progress,
    )
    return replace(q, calibrator=found.calibrator, ranges=found.ranges, float_outputs=calibration.outputs)


def _calibrated(q: Quantization, histogram: bool, context: Context) -> Calibration:
    samples, threads, progress = context.calibration, context.threads, context.progress
    if q.format == "onnx":
        kept = tensors_in(q.graph, pre_softmax_of(q.graph)) if context.runs_as_defined else ()
        return calibrate_onnx(
            q.graph, samples, histogram, threads=threads, progress=progress, cache=context.cache, kept=kept
        )
    return calibrate_tflite(
        q.source, samples, histogram, threads=threads, progress=progress, cache=context.cache
    )


def _trial(q: Quantization, context: Context) -> Trial:
    def write(ranges: dict[str, tuple[float, float]]) -> None:
        context.write(replace(q, ranges=ranges), fitted=False)

    if q.format == "onnx":
        return OnnxTrial(q.graph, write, context.path)
    return TfliteTrial(q.source, write, context.path)
