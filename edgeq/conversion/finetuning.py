"""Trains the quantized network of a conversion (--finetune) before its candidates are made: the trained one is one of them.

A training takes longer than all the rest, so what it made is kept by what it depends on, in edgeq's cache: for another gate, name or
recipe nothing is trained again. One that was interrupted goes on where it was.
"""

import contextlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.conversion import cache
from edgeq.conversion.conversion_job import ConversionJob, tool_versions
from edgeq.conversion.data_use import SampleSplit
from edgeq.conversion.plan_candidates import plan_candidates
from edgeq.conversion.trained_tflite import with_tflite
from edgeq.conversion.training_report import OF, reporter
from edgeq.conversion.training_start import start_of, static_candidate
from edgeq.errors import ConversionFailed, EdgeqError, ModelRefused
from edgeq.foreign import as_conversion_failed
from edgeq.limited.jobs import cores, using
from edgeq.limited.native_call import RunTooLong
from edgeq.nouns.model import Model
from edgeq.nouns.plan import Plan
from edgeq.nouns.progress import Note, Progress, Started
from edgeq.nouns.record import digest_of
from edgeq.nouns.target import Target
from edgeq.request.conversion_options import weight_bits_of
from edgeq.request.finetune_rules import RECIPE
from edgeq.request.option import parsed
from edgeq.request.tell import Tell, shares
from edgeq.request.time_left import TimeLeft
from edgeq.request.training_options import crop_of, flip_of

if TYPE_CHECKING:
    from edgeq.ingest.samples import Samples
    from edgeq.quantize.options import Options
    from edgeq.quantize.trained_candidate import TrainedNetwork
    from edgeq.train.finetune import Finetuned
    from edgeq.train.options import TrainingOptions
    from edgeq.train.tuned_file import Tuned

_STEPS = 8  # of an epoch, at least, where there are samples enough
_LEAST_BATCH = 32  # samples: smaller mini-batches ruin what few steps gain
_FORMAT = 1  # rises with a change by which the same training makes another network


def to_be_trained(job: ConversionJob, model: Model, tell: Tell) -> "TrainedNetwork | None":
    """What the plan has to know of the training that follows, or why none does; None where none was asked for. Raises ModelRefused for
    a model that others quantized.
    """
    if not job.epochs:
        return None
    from edgeq.quantize.trained_candidate import TrainedNetwork

    if model.quantized:
        raise ModelRefused(
            f"{model.name} is quantized already ({model.quantized}): there is no float network to train",
            "leave out --finetune to deploy it as it is, or give the float model",
        )
    tell(Progress("look at what can be trained", 0, None, ""))
    why = _why_not(model)
    if why:
        tell(Note(f"nothing is trained: {why}"))
        return TrainedNetwork(why_none=why)
    return TrainedNetwork(True, epochs=job.epochs, bits=int(weight_bits_of(job.request.weight_bits)))


def trains(job: ConversionJob, plan: Plan) -> bool:
    """Whether a network has to be trained for a candidate of the plan."""
    return bool(job.epochs) and any(each.recipe == RECIPE for each in plan.candidates)


def _why_not(model: Model) -> str:
    """Why nothing can be trained; empty where it can, as far as the float graph tells."""
    if model.varied is not None:
        return "the samples differ in shape, and a mini-batch needs one"
    several = [spec for spec in model.inputs if spec.shape[:1] not in ((1,), (None,))]
    if several:
        return f"a mini-batch needs inputs with a batch of 1 in front, and {several[0]} has none"
    if "onnx" not in model.files:
        return model.absent.get("onnx", "there is no ONNX graph of it")
    from edgeq.graphs.onnx_io import read_onnx
    from edgeq.train.graph_module import GraphModule

    try:
        GraphModule(read_onnx(Path(model.files["onnx"])))
    except ModelRefused as error:
        return error.what
    return ""


def with_training(
    job: ConversionJob,
    model: Model,
    plan: Plan,
    split: SampleSplit,
    work: Path,
    tell: Tell,
    times: TimeLeft,
) -> tuple[Model, Plan]:
    """The model with its trained network, and the plan that follows. Where it turns out that nothing can be trained, the plan says why;
    that is an error where nothing else was asked for. Raises KeyboardInterrupt after Ctrl-C, and DataRefused.
    """
    if not trains(job, plan) or split.training is None:
        return model, plan
    from edgeq.quantize.trained_candidate import TrainedNetwork

    try:
        with as_conversion_failed("the network could not be trained", "leave out --finetune"):
            tuned = _tuned(job, model, split, split.training, work / OF, tell, times)
    except (ModelRefused, ConversionFailed, RunTooLong) as error:
        if job.request.recipe == RECIPE:
            raise
        why = ": ".join((error.what, *error.details[:1]))
        tell(Note(f"nothing is trained: {why}"))
        return model, plan_candidates(job, model, TrainedNetwork(why_none=why))
    finally:
        times.over(OF)
    path = work / "trained.onnx"
    path.write_bytes(tuned.model)
    model = with_tflite(replace(model, trained=str(path), training=tuned.training), work, tell)
    if model.why_no_trained_tflite:
        tell(Note(f"LiteRT does not get the trained network: {model.why_no_trained_tflite}"))
    return model, plan_candidates(job, model)


def _tuned(
    job: ConversionJob,
    model: Model,
    split: SampleSplit,
    samples: "Samples",
    work: Path,
    tell: Tell,
    times: TimeLeft,
) -> "Tuned":
    """Trained now or before. Raises KeyboardInterrupt after Ctrl-C, with a checkpoint left behind."""
    from edgeq.ingest.samples import Samples
    from edgeq.quantize.options import Options
    from edgeq.train.finetune import finetune
    from edgeq.train.tuned_file import Tuned

    if not isinstance(split.calibration, Samples):
        raise ModelRefused(
            "the samples do not store the states that the model feeds back, so its steps cannot be trained one by one"
        )
    if job.gates.metric is not None:
        samples = samples.without_labels()  # they are the metric's own
    quantizing = parsed(job.request, Options, threads=job.target.threads, cache=cache.of_samples())
    training = _training_options(job, samples)
    key = _key(job, model, split.calibration, samples, quantizing, training)
    place = cache.folder() / "trainings" / f"{key[:32]}.pt"
    known = _known(place)
    if known is not None:
        tell(Note("trained before, from the same network and samples: it is not trained again"))
        return known
    with using(job.request.jobs or cores()):
        start = start_of(
            _with_its_runtimes(job), model, split.calibration, work, quantizing, shares(tell, OF, times)
        )
    tell(Started("training"))
    with contextlib.suppress(OSError):  # then writing the checkpoint says so
        place.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = place.with_name(f"{place.name}.checkpoint")
    scored_by = "top-1" if samples.labels is not None else "agreement"
    found = finetune(
        start,
        samples,
        training,
        checkpoint=checkpoint,
        tell=reporter(job.epochs, scored_by, tell, times, OF),
        progress=shares(tell, OF, times),
        note=lambda words: tell(Note(words)),
    )
    if found.training.interrupted:
        _tell_of_interruption(checkpoint, found.training.steps, tell)
        raise KeyboardInterrupt
    tell(found.training)
    _keep(place, checkpoint, found, tell)
    return Tuned(found.model.SerializeToString(), found.training)


def _with_its_runtimes(job: ConversionJob) -> Target:
    """The target with those runtimes alone that candidates are made for: LiteRT's integers are others than onnxruntime's."""
    asked, target = job.request.runtime, job.target
    had = [
        each for each in target.runtimes if each.name not in job.unavailable and asked in (None, each.name)
    ]
    return replace(target, runtimes=tuple(had) or target.runtimes)


def _training_options(job: ConversionJob, samples: "Samples") -> "TrainingOptions":
    """The defaults of `edgeq finetune`, but for what the conversion was asked for, and for batches of few samples where there are few:
    an epoch of one step teaches nothing.
    """
    from edgeq.train.augment import Augmentation
    from edgeq.train.low_bits import Bits
    from edgeq.train.options import TrainingOptions, usual_rate
    from edgeq.train.training import Settings

    bits = Bits(int(weight_bits_of(job.request.weight_bits)))
    changes = Augmentation(flip_of(job.request.flip), crop_of(job.request.crop))
    batch = min(max(samples.count // _STEPS, _LEAST_BATCH), TrainingOptions.batch)
    return TrainingOptions(Settings(job.epochs, usual_rate(bits)), bits, batch, augmentation=changes)


def _key(
    job: ConversionJob,
    model: Model,
    calibration: "Samples",
    samples: "Samples",
    quantizing: "Options",
    training: "TrainingOptions",
) -> str:
    """Of all that a trained network depends on."""
    passes = asdict(replace(quantizing, threads=1, cache=None, search_tries=None, weight_bits=8))
    return digest_of(
        {
            "format": _FORMAT,
            "versions": tool_versions(),
            "source": model.sha256,
            "inputs": [spec.to_dict() for spec in model.inputs],
            "samples": [samples.sha256, calibration.sha256, samples.labels is not None],
            "scheme": static_candidate(_with_its_runtimes(job), model).to_dict(),
            "quantizing": passes | {"passes": sorted(quantizing.passes)},
            "training": repr(training),
        }
    )


def _known(place: Path) -> "Tuned | None":
    """A damaged one is trained again."""
    from edgeq.train.tuned_file import read_tuned

    try:
        return read_tuned(place) if place.is_file() else None
    except ModelRefused:
        return None


def _keep(place: Path, checkpoint: Path, found: "Finetuned", tell: Tell) -> None:
    from edgeq.train.tuned_file import write_tuned

    try:
        write_tuned(place, {}, found.model, found.training)
    except EdgeqError as error:
        tell(Note(f"{error.what}: the same command would train again"))
        return
    checkpoint.unlink(missing_ok=True)


def _tell_of_interruption(checkpoint: Path, steps: int, tell: Tell) -> None:
    from edgeq.train.checkpoint import step_of

    step = step_of(checkpoint)
    after = f"goes on from step {step:,} of {steps:,}" if step else "begins anew"
    tell(Note(f"the training is interrupted, and nothing else was done: the same command {after}"))
