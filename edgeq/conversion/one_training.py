"""One training within a conversion: of the network that static int8 makes, smaller first where that was asked for.

A training takes longer than all the rest, so what it made is kept by what it depends on, in edgeq's cache: for another gate, name or
recipe nothing is trained again. One that was interrupted goes on where it was.
"""

import contextlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from edgeq.conversion import cache
from edgeq.conversion.conversion_job import ConversionJob, tool_versions
from edgeq.conversion.data_use import SampleSplit
from edgeq.conversion.kept_training import KeptTraining
from edgeq.conversion.smaller_network import distilled_network, made_smaller
from edgeq.conversion.training_report import reporter
from edgeq.conversion.training_settings import options_for
from edgeq.conversion.training_start import start_of, static_candidate
from edgeq.conversion.wanted_trainings import WantedTraining
from edgeq.errors import EdgeqError, ModelRefused
from edgeq.limited.jobs import cores, using
from edgeq.nouns.model import Model
from edgeq.nouns.progress import Note, Started
from edgeq.nouns.record import digest_of
from edgeq.nouns.target import Target
from edgeq.nouns.weight_levels import UNIFORM
from edgeq.request.option import parsed
from edgeq.request.tell import Tell, shares
from edgeq.request.time_left import TimeLeft
from edgeq.request.training_options import crop_of, flip_of

if TYPE_CHECKING:
    from edgeq.ingest.samples import Samples
    from edgeq.quantize.options import Options
    from edgeq.train.finetune import Finetuned, Start
    from edgeq.train.options import TrainingOptions
    from edgeq.train.tuned_file import Tuned

_STEPS = 8  # of an epoch, at least, where there are samples enough
_LEAST_BATCH = 32  # samples: smaller mini-batches ruin what few steps gain
_FORMAT = 2  # rises with a change by which the same training makes another network


def trained(
    job: ConversionJob,
    model: Model,
    split: SampleSplit,
    samples: "Samples",
    wanted: WantedTraining,
    work: Path,
    tell: Tell,
    times: TimeLeft,
) -> "Tuned":
    """Now or before, on `samples`. Raises KeyboardInterrupt after Ctrl-C, with a checkpoint left behind, ModelRefused and what the trainings
    themselves raise.
    """
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
    options = _options(job, wanted, samples)
    key = _key(job, model, split.calibration, samples, quantizing, options, wanted)
    place = cache.folder() / "trainings" / f"{key[:32]}.pt"
    known = _known(place)
    if known is not None:
        tell(Note("trained before, from the same network and samples: it is not trained again"))
        return known
    with contextlib.suppress(OSError):  # then writing the checkpoint says so
        place.parent.mkdir(parents=True, exist_ok=True)
    kept = KeptTraining.beside(place)
    start = _start(
        job, model, samples, split.calibration, quantizing, options, wanted, kept, work, tell, times
    )
    tell(Started("training"))
    found = finetune(
        start,
        samples,
        options,
        checkpoint=kept.checkpoint,
        tell=reporter(wanted.epochs, _scored_by(samples), tell, times, wanted.of),
        progress=shares(tell, wanted.of, times),
        note=lambda words: tell(Note(words)),
    )
    if found.training.interrupted:
        _end_interrupted(kept.checkpoint, found.training.steps, tell)
    tell(found.training)
    _keep(place, kept, found, tell)
    return Tuned(found.model.SerializeToString(), found.training)


def its_runtimes(job: ConversionJob) -> tuple[str, ...]:
    """The names of those that candidates are made for."""
    return tuple(each.name for each in _with_its_runtimes(job).runtimes)


def _start(
    job: ConversionJob,
    model: Model,
    samples: "Samples",
    calibration: "Samples",
    quantizing: "Options",
    options: "TrainingOptions",
    wanted: WantedTraining,
    kept: KeptTraining,
    work: Path,
    tell: Tell,
    times: TimeLeft,
) -> "Start":
    """What is quantized, of the network as it is or of a smaller one that learned in float."""
    from edgeq.conversion.training_samples import learned_from
    from edgeq.graphs.float_graph import read

    progress, note = shares(tell, wanted.of, times), lambda words: tell(Note(words))
    learned = learned_from(samples)
    with using(job.request.jobs or cores()):
        smaller = made_smaller(
            model, learned.without_labels(), wanted.smaller, job.target, kept.smaller, work, note, progress
        )
        smaller, interrupted = distilled_network(
            model,
            smaller,
            samples,
            options,
            kept.float_checkpoint,
            work,
            tell=reporter(wanted.epochs, _scored_by(samples), tell, times, wanted.of, in_float=True),
            progress=progress,
            note=note,
        )
        if interrupted:
            _end_interrupted(kept.float_checkpoint, 0, tell)
        start = start_of(
            _with_its_runtimes(job), smaller, calibration, work, quantizing, progress, options.mean_bits
        )
    return start if smaller is model else replace(start, larger=read(Path(model.files["onnx"])))


def _scored_by(samples: "Samples") -> str:
    return "top-1" if samples.labels is not None else "agreement"


def _with_its_runtimes(job: ConversionJob) -> Target:
    """The target with those runtimes alone that candidates are made for: LiteRT's integers are others than onnxruntime's."""
    asked, target = job.request.runtime, job.target
    had = [
        each for each in target.runtimes if each.name not in job.unavailable and asked in (None, each.name)
    ]
    return replace(target, runtimes=tuple(had) or target.runtimes)


def _options(job: ConversionJob, wanted: WantedTraining, samples: "Samples") -> "TrainingOptions":
    """The defaults of `edgeq finetune`, but for what the conversion was asked for, and for batches of few samples where there are few:
    an epoch of one step teaches nothing.
    """
    from edgeq.train.augment import Augmentation

    options = options_for(wanted.fewer, wanted.epochs)
    batch = min(max(samples.count // _STEPS, _LEAST_BATCH), options.batch)
    changes = Augmentation(flip_of(job.request.flip), crop_of(job.request.crop))
    return replace(options, batch=batch, augmentation=changes)


def _key(
    job: ConversionJob,
    model: Model,
    calibration: "Samples",
    samples: "Samples",
    quantizing: "Options",
    training: "TrainingOptions",
    wanted: WantedTraining,
) -> str:
    """Of all that a trained network depends on."""
    eight = replace(quantizing, weight_bits=8, levels=UNIFORM)
    passes = asdict(replace(eight, threads=1, cache=None, search_tries=None))
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
            "smaller": None
            if wanted.smaller.is_whole
            else [asdict(wanted.smaller), sorted(job.target.cpu.isa)],
        }
    )


def _known(place: Path) -> "Tuned | None":
    """A damaged one is trained again."""
    from edgeq.train.tuned_file import read_tuned

    try:
        return read_tuned(place) if place.is_file() else None
    except ModelRefused:
        return None


def _keep(place: Path, kept: KeptTraining, found: "Finetuned", tell: Tell) -> None:
    from edgeq.train.tuned_file import write_tuned

    try:
        write_tuned(place, {}, found.model, found.training)
    except EdgeqError as error:
        tell(Note(f"{error.what}: the same command would train again"))
        return
    with contextlib.suppress(OSError):  # the cache's folder is cleaned by others too
        kept.remove()


def _end_interrupted(checkpoint: Path, steps: int, tell: Tell) -> NoReturn:
    from edgeq.train.checkpoint import step_of

    step = step_of(checkpoint)
    of = f" of {steps:,}" if steps else " in float"
    after = f"goes on from step {step:,}{of}" if step else "begins anew"
    tell(Note(f"the training is interrupted, and nothing else was done: the same command {after}"))
    raise KeyboardInterrupt
