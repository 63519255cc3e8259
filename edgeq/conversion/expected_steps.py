"""The steps that a conversion is expected to take: before the model is open by the size of its file and what is usual, then by its
graph. The constants are seconds on one core.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from itertools import dropwhile
from pathlib import Path

from edgeq.conversion import cache, formats
from edgeq.conversion.conversion_job import ConversionJob
from edgeq.conversion.data_use import SampleSplit
from edgeq.conversion.early_checks import STAGE as CHECK_DATA
from edgeq.conversion.finite_float_outputs import STAGE as CHECK_FLOAT
from edgeq.conversion.trained_tflite import STEP as TRAINED_TO_TFLITE
from edgeq.conversion.training_report import STAGE, STAGE_IN_FLOAT
from edgeq.conversion.wanted_trainings import WantedTraining, wanted_trainings
from edgeq.errors import DataRefused
from edgeq.graphs.products import Product
from edgeq.ingest.onnx_to_tflite import BUILDING, ready
from edgeq.ingest.samples import how_many
from edgeq.ingest.sources import onnx, torch
from edgeq.ingest.split import default_calibration
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Plan
from edgeq.nouns.progress import PlannedStep
from edgeq.nouns.recipe import one_recipe
from edgeq.quantize import kept_candidates
from edgeq.quantize.counted import Counted, counted
from edgeq.quantize.evaluate.judge import FLOAT_STAGE
from edgeq.quantize.options import Options
from edgeq.quantize.timetable import planned_steps, run_seconds, steps_to_train
from edgeq.request.finetune_rules import RECIPE
from edgeq.request.option import parsed

OPEN, TRACE, BUNDLE = "open the model", "trace the model (torch.export)", "write the bundle"

_READ_S, _READ_BYTE_S = 0.3, 5e-8  # measured: files of 102 and 346 MB took 5.6 and 23.5 s
_CHECKED_S, _CHECKED_RUNS, _MOST_CHECKED_S = 0.1, 64, 3.0  # data_checks/work.py
_TORCH_S, _TRACED_S, _EXPORTED_S, _EXPORTED_BYTE_S = 1.2, 2.3, 2.0, 4e-8  # torch.export follows the checks
_LITERT_TORCH_S, _ONNX2TF_S, _CONVERTED_BYTE_S = 10.0, 1.8, 4e-8
_BUILT_S = 40.0  # the environment of onnx2tf, which is downloaded
_TRAINED_RUNS = 6  # of float, for a sample in an epoch: ResNet-20 took 4 to 6 on one core, its share of the validation included
_TRAINED_SHARE = 0.76  # of the samples: those that neither judge nor validate
_BUNDLE_S, _BUNDLE_BYTE_S = 0.15, 2e-8  # of a candidate's file

# A network whose graph is not known: 87 to 166 multiply-accumulates for a weight in those that were measured (depthwise, residual,
# transformer); 10 layers of 22,000 weights, 22 of 270,000, 53 of 3.5 M and up to 75; rows of 4.5 times as many values as there are
# rows, half a window of 3 x 3. Samples that are not counted.
_MACS, _LAYERS, _MOST_LAYERS, _LENGTH, _COUNT = 130, 0.35, 75, 4.5, 300


def steps_of(job: ConversionJob, model: Model, plan: Plan, split: SampleSplit) -> Iterator[PlannedStep]:
    """Of a model that is open. `split` has no calibration samples where there is nothing to calibrate."""
    calibrate = split.calibration.count if split.calibration is not None else 0
    options = parsed(job.request, Options, threads=job.target.threads, cache=cache.of_samples())
    known = frozenset[str]()
    if job.gates.metric is None:
        parts = (split.calibration, split.heldout)
        known = kept_candidates.known(
            plan.candidates, model, *parts, options, same_samples=split.same_samples
        )
    trains = split.training is not None and any(c.recipe == RECIPE for c in plan.candidates)
    samples = split.training.count if split.training is not None and trains else 0
    work = counted(model, calibrate, split.heldout.count)
    return _making(options, plan.candidates, work, known, samples, wanted_trainings(job.request, model))


def steps_before_opening(job: ConversionJob, count: int | None = None) -> Iterator[PlannedStep]:
    """All of them, from the first; none where not even the size of the model is known. `count` of the samples, where they are open."""
    size = _size(job)
    if size is None:
        return
    wanted = formats.producible(job.model, job.target, job.request.runtime)
    is_torch = job.is_torch_code or torch.claims(job.model)
    yield PlannedStep("", TRACE if job.is_torch_code else OPEN, _TORCH_S if is_torch else _read_s(size))
    work = _usual_work(job, size, count or _count(job))
    checked = min(_CHECKED_S + _CHECKED_RUNS * run_seconds(work), _MOST_CHECKED_S)
    yield PlannedStep("", CHECK_DATA, checked + (_TRACED_S if is_torch else 0.0))
    if is_torch:
        yield PlannedStep("", torch.TO_ONNX, _EXPORTED_S + _EXPORTED_BYTE_S * size)
    if "tflite" in wanted and is_torch:
        yield PlannedStep("", torch.TO_TFLITE, _LITERT_TORCH_S + _CONVERTED_BYTE_S * size)
    elif "tflite" in wanted and onnx.claims(job.model):
        converting = _ONNX2TF_S + _CONVERTED_BYTE_S * size
        if ready(cache.folder()) is None:
            yield PlannedStep("", BUILDING, _BUILT_S + converting)
        else:
            yield PlannedStep("", onnx.TO_TFLITE, converting)
    if job.trained and "tflite" in wanted:
        yield PlannedStep("", TRAINED_TO_TFLITE, _ONNX2TF_S + _CONVERTED_BYTE_S * size)
    options = parsed(job.request, Options, threads=job.target.threads, cache=None)
    samples = _TRAINED_SHARE * (work.calibrate + work.judged)
    trainings = wanted_trainings(job.request)
    yield from _making(options, tuple(_usual_candidates(job, wanted)), work, (), samples, trainings)


def steps_after_check(job: ConversionJob, count: int) -> Iterator[PlannedStep]:
    """Those that follow once `count` samples are open and checked."""
    steps = dropwhile(lambda step: step.name != CHECK_DATA, steps_before_opening(job, count))
    return (step for step in steps if step.name != CHECK_DATA)


def _making(
    options: Options,
    candidates: tuple[CandidatePlan, ...],
    work: Counted,
    known: Collection[str],
    samples: float,
    trainings: Sequence[WantedTraining],
) -> Iterator[PlannedStep]:
    """`samples`: how many a training computes in an epoch; 0: nothing is trained."""
    yield PlannedStep("", FLOAT_STAGE, work.judged * run_seconds(work))
    yield PlannedStep("", CHECK_FLOAT, work.calibrate * run_seconds(work))
    for wanted in trainings if samples else ():
        yield from _training(options, candidates, work, samples, wanted)
    yield from planned_steps(candidates, work, options, known)
    files = sum(1.0 if c.recipe == "float" else 0.25 for c in candidates)
    yield PlannedStep("", BUNDLE, _BUNDLE_S + _BUNDLE_BYTE_S * files * 4 * work.weights)


def _training(
    options: Options,
    candidates: tuple[CandidatePlan, ...],
    work: Counted,
    samples: float,
    wanted: WantedTraining,
) -> Iterator[PlannedStep]:
    epochs = samples * wanted.epochs * _TRAINED_RUNS * run_seconds(work)
    if not wanted.smaller.is_whole:
        yield PlannedStep(wanted.of, STAGE_IN_FLOAT, epochs)
    yield from steps_to_train(wanted.of, work, options)
    yield PlannedStep(wanted.of, STAGE, epochs)
    if any(c.recipe == RECIPE and c.format == "tflite" for c in candidates):
        yield PlannedStep("", TRAINED_TO_TFLITE, _ONNX2TF_S + _CONVERTED_BYTE_S * 4 * work.weights)


def _read_s(size: int) -> float:
    return _READ_S + _READ_BYTE_S * size


def _size(job: ConversionJob) -> int | None:
    """Bytes of the weights in float; None where no file has them."""
    if job.module is not None:
        return 4 * sum(int(p.numel()) for p in job.module.parameters())
    path = job.weights if job.is_torch_code else Path(job.model)
    return path.stat().st_size if path is not None and path.is_file() else None


def _usual_candidates(job: ConversionJob, wanted: tuple[str, ...]) -> Iterator[CandidatePlan]:
    usual = "int8_static" if job.data is not None else "int8_dynamic"
    for format in wanted:
        recipes = [one_recipe(job.request.recipe) or usual, "float"]
        if (job.trained or job.epochs) and one_recipe(job.request.recipe) is None:
            recipes[:1] = [RECIPE] if format == "onnx" else [RECIPE, usual]
        for recipe in dict.fromkeys(recipes):
            yield CandidatePlan(f"{format}-{recipe}", "", recipe, format, "")


def _usual_work(job: ConversionJob, size: int, count: int) -> Counted:
    weights = size // 4
    layers = max(min(round(_LAYERS * weights ** (1 / 3)), _MOST_LAYERS), 1)
    rows = max(round(math.sqrt(weights / layers / _LENGTH)), 1)
    product = Product("", 1, rows, max(weights // layers // rows, 1), _MACS)
    calibrate = job.request.calibrate or default_calibration(count)
    return Counted(_MACS * weights, (product,) * layers, calibrate, max(count - calibrate, 1))


def _count(job: ConversionJob) -> int:
    """Of the samples. Whoever reads them says what is wrong with them."""
    try:
        return (None if job.data is None else how_many(job.data)) or _COUNT
    except DataRefused:
        return _COUNT
