"""finetune(): a model's quantized network, trained on samples for a target, becomes weights that deploy takes."""

import contextlib
import shlex
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq import catalog
from edgeq.conversion.conversion_job import ConversionJob, conversion_job
from edgeq.conversion.kept_training import KeptTraining
from edgeq.conversion.smaller_network import Smaller, distilled_network, made_smaller
from edgeq.conversion.training_report import reporter
from edgeq.conversion.training_settings import training_options
from edgeq.conversion.training_start import RECIPE, RUNTIME
from edgeq.deliver.runtimes import this_machine
from edgeq.errors import DataRefused, EdgeqError, ModelRefused, TargetRefused
from edgeq.ingest.extras import needed
from edgeq.nouns.model import Model
from edgeq.nouns.progress import Note, Started
from edgeq.nouns.project import Gates
from edgeq.nouns.results import Finetuned
from edgeq.nouns.target import RuntimeSupport, Target
from edgeq.request.accepts import accepts, keywords
from edgeq.request.finetune_rules import OF_A_TRAINING
from edgeq.request.paths import text
from edgeq.request.requests import ConvertRequest, FinetuneRequest
from edgeq.request.tell import Tell, shares
from edgeq.request.training_options import TAYLOR

if TYPE_CHECKING:
    from torch import Tensor

    from edgeq.ingest.samples import Samples
    from edgeq.train.finetune import Finetuned as TunedNetwork
    from edgeq.train.finetune import Start
    from edgeq.train.options import TrainingOptions
    from edgeq.train.tensorboard import EventFiles
    from edgeq.train.training import Report


@accepts(FinetuneRequest)
def finetune(request: FinetuneRequest) -> Finetuned:
    """Train the quantized network of a model for a target (quantization-aware training), and write the weights.

    They hold the float model's own state_dict next to the trained network, and are given to deploy and convert as `weights`. An
    interrupted training goes on where it was. Raises ExtraMissing without torch, ModelRefused for what cannot be trained, DataRefused
    without samples, TargetRefused, and EdgeqError where the output cannot be written.
    """
    needed("torch", "train", "training a network")
    from edgeq.conversion.training_samples import learned_from

    if request.data is None:
        raise DataRefused("training needs samples", "name them with --data, or in edgeq.toml")
    target, job = job_of(request)
    output, options = _output(request, job), training_options(request)
    tell = request.tell
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        model, samples, state_dict = opened(job, Path(folder), tell)
        tell(Started("training"))
        tell(model)
        kept = KeptTraining.beside(output)
        if request.restart:
            kept.remove()
        learned = learned_from(samples)
        smaller = _smaller(request, target, model, learned, kept, Path(folder), tell)
        smaller, interrupted = _distilled(request, options, model, smaller, samples, kept, Path(folder))
        start = _start_of(target, model, smaller, learned, options.mean_bits, Path(folder), tell)
        if interrupted:
            options = replace(options, settings=replace(options.settings, epochs=0.0))
        found = _trained(request, options, start, samples, kept.checkpoint, tell)
        if interrupted:
            found = replace(found, training=replace(found.training, interrupted=True))
        output = _written(output, kept, found, state_dict, tell)
    return Finetuned(output, model.name, target.name, found.training, _next_command(job, output, target))


def _written(
    output: Path,
    kept: KeptTraining,
    found: "TunedNetwork",
    state_dict: "Mapping[str, Tensor]",
    tell: Tell,
) -> Path:
    """Where the weights are: an interrupted training replaces no finished one."""
    from edgeq.train.tuned_file import read_tuned, write_tuned

    before = read_tuned(output) if output.exists() and found.training.interrupted else None
    if before is not None and not before.training.interrupted:
        tell(
            Note(
                f"{output} is what a finished training wrote before, and stays; this one is in {output}.interrupted.pt"
            )
        )
        output = output.with_name(f"{output.name}.interrupted.pt")
    write_tuned(output, state_dict, found.model, found.training)
    if not found.training.interrupted:
        kept.remove()
    return output


def _next_command(job: ConversionJob, output: Path, target: Target) -> str:
    """That takes the weights: for a device that the agent does not run on, the bundle."""
    verb = "convert" if target.name.startswith("android") else "deploy"
    if job.module is not None:
        return f"edgeq.{verb}(module, weights={str(output)!r}, target={target.name!r})"
    given = (
        f"{shlex.quote(job.model)} --weights {shlex.quote(str(output))} --target {shlex.quote(target.name)}"
    )
    return f"edgeq {verb} {given}"


def job_of(request: FinetuneRequest) -> tuple[Target, ConversionJob]:
    kind = request.target
    target = kind if isinstance(kind, Target) else catalog.target(kind)
    model = text(request.model) or ""
    if model.endswith((".edgeq", ".tflite")):
        raise ModelRefused(
            f"{model} cannot be trained", "name the ONNX file or the torch source that it was made from"
        )
    if (request.activation_bits or 8) < 8 and RUNTIME not in {each.name for each in target.runtimes}:
        raise TargetRefused(
            f"target {target.name} has no onnxruntime, and activations of {request.activation_bits} bits have no TFLite form",
            "leave out --activation-bits: --weight-bits alone has one",
        )
    if target.detect:
        target, _ = this_machine(target, model, None)
    gates = Gates(ignore_labels=bool(request.ignore_labels))
    given = keywords(request, ConvertRequest) | {"output": None, "target": target, "gates": gates}
    given |= dict.fromkeys(
        (*OF_A_TRAINING, "weight_bits", "levels")
    )  # of this training, not of one in the conversion
    converting = ConvertRequest(**given)
    here = replace(target, runtimes=(RuntimeSupport(RUNTIME, "", ()),))  # whatever the device has
    job = conversion_job(converting, here, {}, {})
    return target, replace(job, request=replace(job.request, runtime=RUNTIME))


def _output(request: FinetuneRequest, job: ConversionJob) -> Path:
    """Raises EdgeqError before anything takes its time."""
    output = Path(request.output or f"{job.name}-tuned.pt")
    if output.suffix not in (".pt", ".pth"):
        raise EdgeqError(f"{output} is not named as weights of torch", "name it tuned.pt")
    if not output.absolute().parent.is_dir():
        raise EdgeqError(f"there is no folder {output.parent} for {output.name}", "make it, or name another")
    if output.is_dir():
        raise EdgeqError(f"{output} is a folder", "name a file with -o")
    if not _can_be_written(output.absolute().parent):
        raise EdgeqError(f"the folder {output.absolute().parent} cannot be written", "name another with -o")
    return output


def _can_be_written(folder: Path) -> bool:
    """By trying: root may write where the file system is read-only."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def opened(job: ConversionJob, work: Path, tell: Tell) -> "tuple[Model, Samples, Mapping[str, Tensor]]":
    from edgeq.conversion.early_checks import EarlyChecks
    from edgeq.conversion.open_float_model import open_float_model, torch_model
    from edgeq.conversion.sample_source import SampleSource
    from edgeq.ingest.given_data import kept_in_memory
    from edgeq.ingest.preprocess import parse_optional

    samples = SampleSource(job.data and kept_in_memory(job.data), parse_optional(job.request.preprocess))
    checks = EarlyChecks(job, samples, tell, deferred=job.is_torch_code, opened=lambda count: None)
    torch = torch_model(job, samples, checks, tell)
    model = open_float_model(job, torch, samples, checks, work, tell)
    checks.report()
    if model.quantized:
        raise ModelRefused(
            f"{model.name} is quantized already ({model.quantized})",
            "give the float model that it was made from",
        )
    if model.varied is not None:
        raise DataRefused(
            "the samples differ in shape, and a mini-batch needs one", "give samples of one shape"
        )
    fitting = samples.fitting(model.inputs)
    assert fitting is not None
    fitting = fitting.without_labels() if job.gates.ignore_labels else fitting
    return model, fitting, _state_dict(job)


def _state_dict(job: ConversionJob) -> "Mapping[str, Tensor]":
    """Of the float model, where torch code built it: `--weights` takes it back. Empty for a file."""
    if job.module is not None:
        return dict(job.module.state_dict())
    if not job.is_torch_code:
        return {}
    from edgeq.ingest.pytorch.module import build_module
    from edgeq.ingest.request import Request

    module, _ = build_module(Request(job.model, Path(), weights=job.weights))
    return dict(module.state_dict())


def start_of(
    request: FinetuneRequest, target: Target, model: Model, samples: "Samples", work: Path
) -> "Start":
    """Post-training quantization, which a loop of the user's own begins with: of the network as it is, or made smaller."""
    from edgeq.conversion.training_samples import learned_from

    learned = learned_from(samples)
    smaller = _smaller(
        request, target, model, learned, KeptTraining.beside(work / "prepared"), work, request.tell
    )
    mean_bits = training_options(request).mean_bits
    return _start_of(target, model, smaller, learned, mean_bits, work, request.tell)


def _smaller(
    request: FinetuneRequest,
    target: Target,
    model: Model,
    learned: "Samples",
    kept: KeptTraining,
    work: Path,
    tell: Tell,
) -> Model:
    low_rank = 1.0 if request.low_rank is None else request.low_rank
    wanted = Smaller(request.prune or 0.0, low_rank, request.importance or TAYLOR)
    return made_smaller(
        model,
        learned.without_labels(),
        wanted,
        target,
        kept.smaller,
        work,
        note=lambda words: tell(Note(words)),
        progress=shares(tell),
    )


def _distilled(
    request: FinetuneRequest,
    options: "TrainingOptions",
    model: Model,
    smaller: Model,
    samples: "Samples",
    kept: KeptTraining,
    work: Path,
) -> tuple[Model, bool]:
    """The smaller network, trained in float first; and whether Ctrl-C came. A network as it was has nothing to learn in float."""
    tell, epochs = request.tell, request.epochs if request.float_epochs is None else request.float_epochs
    scored_by = "top-1" if samples.labels is not None else "agreement"
    return distilled_network(
        model,
        smaller,
        samples,
        replace(options, settings=replace(options.settings, epochs=epochs)),
        kept.float_checkpoint,
        work,
        tell=reporter(epochs, scored_by, tell, in_float=True),
        progress=shares(tell),
        note=lambda words: tell(Note(words)),
    )


def _start_of(
    target: Target,
    model: Model,
    smaller: Model,
    learned: "Samples",
    mean_bits: float | None,
    work: Path,
    tell: Tell,
) -> "Start":
    """Of the model's float graph, or of a smaller one."""
    from edgeq.conversion.training_start import start_of as of_samples
    from edgeq.graphs.float_graph import read
    from edgeq.ingest.split import split
    from edgeq.quantize.options import Options

    calibration = split(learned).calibration
    progress = shares(tell, f"{RUNTIME}-{RECIPE}")
    start = of_samples(target, smaller, calibration, work, Options(), progress, mean_bits)
    return start if smaller is model else replace(start, larger=read(Path(model.files["onnx"])))


def _trained(
    request: FinetuneRequest,
    options: "TrainingOptions",
    start: "Start",
    samples: "Samples",
    checkpoint: Path,
    tell: Tell,
) -> "TunedNetwork":
    from edgeq.train.finetune import finetune as trained
    from edgeq.train.tensorboard import EventFiles

    scored_by = "top-1" if samples.labels is not None else "agreement"
    with contextlib.ExitStack() as stack:
        events = None
        if request.tensorboard is not None:
            from edgeq.train.checkpoint import step_of

            events = stack.enter_context(EventFiles(Path(request.tensorboard), step_of(checkpoint)))
        return trained(
            start,
            samples,
            options,
            checkpoint=checkpoint,
            tell=_reporter(request, events, scored_by, tell),
            progress=shares(tell),
            note=lambda words: tell(Note(words)),
        )


def _reporter(
    request: FinetuneRequest, events: "EventFiles | None", scored_by: str, tell: Tell
) -> "Callable[[Report], None]":
    """Hands on each report: to the screen, and to the event files."""
    told = reporter(request.epochs, scored_by, tell)

    def told_and_written(report: "Report") -> None:
        told(report)
        if events is not None:
            events.write(report.step, _scalars(report, scored_by))

    return told_and_written


def _scalars(report: "Report", scored_by: str) -> dict[str, float]:
    scalars = {"loss/train": report.loss, "learning rate": report.learning_rate}
    if report.evaluated:
        scalars["loss/validation"] = report.last.loss
        if report.last.score is not None:
            scalars[f"validation/{scored_by}"] = report.last.score
    return scalars
