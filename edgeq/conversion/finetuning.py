"""Trains the quantized networks of a conversion (--finetune) before its candidates are made: each is one of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.conversion.conversion_job import ConversionJob
from edgeq.conversion.data_use import SampleSplit
from edgeq.conversion.one_training import its_runtimes, trained
from edgeq.conversion.plan_candidates import plan_candidates
from edgeq.conversion.trained_tflite import with_tflite
from edgeq.conversion.training_settings import options_for
from edgeq.conversion.training_start import RUNTIME
from edgeq.conversion.wanted_trainings import WantedTraining, wanted_trainings
from edgeq.errors import ConversionFailed, ModelRefused, TargetRefused
from edgeq.foreign import as_conversion_failed
from edgeq.limited.native_call import RunTooLong
from edgeq.nouns.model import Model
from edgeq.nouns.plan import Plan
from edgeq.nouns.progress import Note, Progress
from edgeq.nouns.training import TrainedFile
from edgeq.request.duration import seconds_of
from edgeq.request.finetune_rules import RECIPE
from edgeq.request.tell import Tell
from edgeq.request.time_left import TimeLeft

if TYPE_CHECKING:
    from edgeq.ingest.samples import Samples
    from edgeq.quantize.trained_candidate import TrainedNetwork

_TO_TRAIN = 0.5  # of --time-budget: making the candidates needs the rest


def to_be_trained(job: ConversionJob, model: Model, tell: Tell) -> "tuple[TrainedNetwork, ...] | None":
    """What the plan has to know of the trainings that follow, or why none does; None where none was asked for. Raises ModelRefused for
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
        return (TrainedNetwork(why_none=why),)
    return tuple(each.planned() for each in wanted_trainings(job.request, model))


def trains(job: ConversionJob, plan: Plan) -> bool:
    """Whether a network has to be trained for a candidate of the plan."""
    return bool(job.epochs) and any(each.recipe == RECIPE for each in plan.candidates)


def require_possible(job: ConversionJob) -> None:
    """Raises TargetRefused, before the model is opened, for options that contradict each other, and where no runtime that candidates are
    made for has what is to be trained.
    """
    for wanted in wanted_trainings(job.request):
        options_for(wanted.fewer, wanted.epochs)
    bits, runtimes = job.request.activation_bits or 8, its_runtimes(job)
    if bits < 8 and RUNTIME not in runtimes:
        raise TargetRefused(
            f"activations of {bits} bits run on {RUNTIME} alone, and candidates are made for {', '.join(runtimes)}",
            "leave out --activation-bits: --weight-bits alone has a TFLite form",
        )


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
    began: float,
) -> tuple[Model, Plan]:
    """The model with its trained networks, and the plan that follows. Where it turns out that nothing can be trained, the plan says why;
    that is an error where nothing else was asked for. `began`: the conversion, by time.monotonic. Raises KeyboardInterrupt after Ctrl-C,
    and DataRefused.
    """
    if not trains(job, plan) or split.training is None:
        return model, plan
    budget = _TrainingBudget(began, seconds_of(job.request.time_budget))
    files, planned = list[TrainedFile](), list["TrainedNetwork"]()
    for wanted in wanted_trainings(job.request, model):
        started = time.monotonic()
        why = budget.why_not()
        if not why:
            found, why = _trained_file(job, model, split, split.training, wanted, work, tell, times)
            files += [found] if found is not None else []
            budget.took(time.monotonic() - started)
        if why:
            tell(
                Note(
                    f"{wanted.variant} is not trained: {why}"
                    if wanted.variant
                    else f"nothing is trained: {why}"
                )
            )
        planned.append(wanted.planned(why))
        if why and not wanted.variant:
            break  # the others begin with the same
    model = replace(model, networks=tuple(files))
    return model, plan_candidates(job, model, _as_trained(planned, model))


@dataclass
class _TrainingBudget:
    """Whether another training fits: `seconds` of --time-budget from `began` on; None: no limit. The first always does."""

    began: float
    seconds: float | None
    longest: float = 0.0

    def why_not(self) -> str:
        """Empty where it fits."""
        if self.seconds is None or not self.longest:
            return ""
        spent = time.monotonic() - self.began
        if spent + self.longest <= _TO_TRAIN * self.seconds:
            return ""
        return f"--time-budget {self.seconds:g} s: {spent:.0f} s are over, it would take about {self.longest:.0f} s, and trainings may take half"

    def took(self, seconds: float) -> None:
        self.longest = max(self.longest, seconds)


def _trained_file(
    job: ConversionJob,
    model: Model,
    split: SampleSplit,
    samples: "Samples",
    wanted: WantedTraining,
    work: Path,
    tell: Tell,
    times: TimeLeft,
) -> tuple[TrainedFile | None, str]:
    """Or why there is none. Raises what went wrong where only this was asked for."""
    folder = work / wanted.of.replace(" ", "-")
    folder.mkdir()
    if wanted.variant:
        tell(Note(f"one more training, {wanted.variant}: {wanted.why}"))
    try:
        with as_conversion_failed("the network could not be trained", "leave out --finetune"):
            tuned = trained(job, model, split, samples, wanted, folder, tell, times)
    except (ModelRefused, ConversionFailed, RunTooLong) as error:
        if job.request.recipe == RECIPE:
            raise
        return None, ": ".join((error.what, *error.details[:1]))
    finally:
        times.over(wanted.of)
    path = folder / "trained.onnx"
    path.write_bytes(tuned.model)
    file = with_tflite(TrainedFile(str(path), tuned.training, wanted.variant), model, folder, tell)
    if file.why_no_tflite:
        tell(Note(f"LiteRT does not get the trained network: {file.why_no_tflite}"))
    return file, ""


def _as_trained(planned: "Sequence[TrainedNetwork]", model: Model) -> "tuple[TrainedNetwork, ...]":
    """As the plan has it from now on: nothing is still to come."""
    why_no_tflite = {each.variant: each.why_no_tflite for each in model.networks}
    return tuple(
        replace(each, epochs=0.0, why_no_tflite=why_no_tflite.get(each.variant, "")) for each in planned
    )
