"""The steps that the candidates of a plan are expected to report, with the seconds that each is counted to take.

A first estimate, of one core: request/time_left.py corrects it by the steps that are over. A step has the name that its `progress`
has; one that is not here has a time of its own, but no share in that of the conversion. Calibration may converge, and is planned to
run on all samples; whether equalization and layers in float are worth trying is open, and counts as likely as not.
"""

from collections.abc import Collection, Iterable, Iterator

from edgeq import catalog
from edgeq.nouns.plan import CandidatePlan
from edgeq.nouns.progress import PlannedStep
from edgeq.quantize.calibration.calibrate import STAGE as CALIBRATE
from edgeq.quantize.counted import Counted
from edgeq.quantize.effort import EFFORTS, Effort
from edgeq.quantize.evaluate.judge import STAGE as JUDGE
from edgeq.quantize.evaluate.layer_noise import STAGE as RANK
from edgeq.quantize.fit_time import fit_seconds
from edgeq.quantize.options import Options
from edgeq.quantize.passes import equalize, fit, head, mixed_precision, smooth
from edgeq.quantize.passes.fit.heard_noise import STAGE as HEARD
from edgeq.quantize.passes.fit.heard_noise import samples_for
from edgeq.quantize.passes.mixed_precision.few_float_layers import STAGE as FEW
from edgeq.quantize.passes.ranges.range_search import STAGE as RANGES
from edgeq.quantize.plan import PREQUANTIZED
from edgeq.quantize.quantization import AUDIT, PREPARE

WRITE = mixed_precision.STAGE

_SPLIT = 256  # samples that passes learn from and check by, at most: samples.split_of
# Runs of the float network on a sample. With them, statistics of each value: calibration. To look at channels, and to compare
# equalized ones with the ranges of every calibrator. To find what joins scales. To smooth. To rank layers, of a graph that is not optimized.
_CALIBRATED, _CHANNELS, _COMPARED, _JOINS, _SMOOTHED, _RANKED = 2.5, 24, 350, 16, 200, 300
_FILES, _TRIED = 6, 64  # that are tried with a few layers in float, and their samples
_INT8, _DYNAMIC = 0.6, 0.45  # a run of the quantized file; dynamic int8 is planned for large products
_RUN_S, _LEAST_S = 3e-11, 2e-4  # a multiply-accumulate, on one core with AVX2 or better; a run at least
_LAYER_S, _WEIGHT_S = 3e-3, 1e-7  # of a file that is written or read
_STEP_S = 0.02  # at least


def planned_steps(
    candidates: Iterable[CandidatePlan], work: Counted, options: Options, known: Collection[str] = ()
) -> Iterator[PlannedStep]:
    """In the order in which they are made. Those that are `known`, by their ids, are only judged."""
    for candidate in candidates:
        quantized = candidate.recipe != PREQUANTIZED and catalog.recipe(candidate.recipe).method != "none"
        method = catalog.recipe(candidate.recipe).method if quantized else "none"
        steps = {"static": _static, "none": _float, "trained": _trained}.get(method, _weights_alone)
        if candidate.id in known:
            steps = _found
        for name, seconds, forks in steps(candidate, work, options.of(candidate)):
            if seconds:
                yield PlannedStep(candidate.id, name, seconds, forks)


def steps_to_train(of: str, work: Counted, options: Options) -> Iterator[PlannedStep]:
    """Up to the first step of a training: post-training quantization, which judges nothing."""
    for name, seconds, forks in _quantized("onnx", work, options):
        if seconds:
            yield PlannedStep(of, name, seconds, forks)


def run_seconds(work: Counted) -> float:
    """Of the float model on a sample."""
    return max(work.macs * _RUN_S, _LEAST_S)


_Steps = Iterator[tuple[str, float, int]]


def _float(_: CandidatePlan, work: Counted, __: Options) -> _Steps:
    yield WRITE, _STEP_S, 0
    yield from _judged(work, 1.0)


def _found(_: CandidatePlan, work: Counted, __: Options) -> _Steps:
    yield JUDGE, work.judged * _INT8 * run_seconds(work), 0


def _weights_alone(candidate: CandidatePlan, work: Counted, options: Options) -> _Steps:
    """Dynamic int8, weights in blocks, half precision."""
    yield PREPARE, _STEP_S, 0
    smooths = EFFORTS[options.effort].smooth and smooth.NAME in options.passes
    if smooths and candidate.format == "onnx" and work.calibrate:
        yield smooth.STAGE, _SMOOTHED * run_seconds(work), 0
    yield WRITE, 2 * _file_s(work), 0  # and tried, before it is judged
    yield from _judged(work, _DYNAMIC)


def _trained(candidate: CandidatePlan, work: Counted, _: Options) -> _Steps:
    if candidate.format == "tflite":
        yield PREPARE, _STEP_S + _file_s(work), 0  # tensors are found by their values
    yield WRITE, _file_s(work), 0
    yield from _judged(work, _INT8)


def _quantized(format: str, work: Counted, options: Options) -> _Steps:
    """The passes of static int8."""
    effort, run = EFFORTS[options.effort], run_seconds(work)
    if effort.equalize and equalize.NAME in options.passes and format == "onnx":
        yield equalize.STAGE, _STEP_S + _CHANNELS * run, 0
        yield equalize.COMPARE, _COMPARED * run, 1
    yield PREPARE, _STEP_S + _JOINS * run, 0
    yield CALIBRATE, _CALIBRATED * work.calibrate * run, 0
    yield RANGES, _ranges_s(work, options), 0
    yield from _fitted(work, options, 0)
    if effort.head and head.NAME in options.passes:
        yield head.STAGE, _STEP_S + _check_s(work), 0


def _static(candidate: CandidatePlan, work: Counted, options: Options) -> _Steps:
    effort, run = EFFORTS[options.effort], run_seconds(work)
    yield from _quantized(candidate.format, work, options)
    yield WRITE, _file_s(work), 0
    yield from _judged(work, _INT8)
    most = effort.few_float_macs
    if mixed_precision.NAME in options.passes and (most is None or work.macs <= most):
        yield RANK, _STEP_S + _RANKED * run, 1
        yield FEW, _FILES * (_TRIED * run + _file_s(work)), 2
        yield from _fitted(work, options, 2)
        yield from ((name, seconds, 2) for name, seconds, _ in _judged(work, _INT8))


def _fitted(work: Counted, options: Options, forks: int) -> _Steps:
    if fit.NAME in options.passes:
        if options.weight_bits < 8:
            yield HEARD, _heard_s(work), forks
        yield fit.STAGE, _fit_s(work, EFFORTS[options.effort]), forks
        yield fit.CHECK, _check_s(work), forks


def _judged(work: Counted, runs: float) -> _Steps:
    yield JUDGE, work.judged * runs * run_seconds(work), 0
    yield AUDIT, _STEP_S + _LAYER_S * len(work.products), 0


def _ranges_s(work: Counted, options: Options) -> float:
    effort = EFFORTS[options.effort]
    if options.calibrator != "auto" or effort.calibrators == 1:
        return 0.0
    tried = (1 + effort.calibrators) * _learned(work, effort) * run_seconds(work)
    return tried + effort.calibrators * _file_s(work)


def _fit_s(work: Counted, effort: Effort) -> float:
    """Of biases alone, it takes the runs."""
    learned = _learned(work, effort)
    fitted = sum(fit_seconds(p, learned, effort.columns, effort.block) for p in work.products)
    return effort.fitted * fitted + (1 - effort.fitted) * 2 * learned * run_seconds(work) + _file_s(work)


def _heard_s(work: Counted) -> float:
    samples = samples_for(work.macs, len(work.products))
    return len(work.products) * (samples * run_seconds(work) + _file_s(work))


def _learned(work: Counted, effort: Effort) -> int:
    return min(effort.samples, 3 * min(work.calibrate, _SPLIT) // 4)


def _check_s(work: Counted) -> float:
    """Float, before and after."""
    return 3 * min(work.calibrate, _SPLIT) / 4 * run_seconds(work)


def _file_s(work: Counted) -> float:
    return _STEP_S + _WEIGHT_S * work.weights
