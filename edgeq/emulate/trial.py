"""A bundle's candidates on an emulated CPU and on this machine, compared with each other and with float."""

import importlib.metadata
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.bundle import read_fidelity
from edgeq.conversion.bundle_samples import Chosen
from edgeq.conversion.data_use import gate_of
from edgeq.emulate.answers import Answers, Question, TooSlow, ask
from edgeq.emulate.compare import Baseline, compare
from edgeq.emulate.machine import Machine
from edgeq.errors import ConversionFailed, DeviceUnfit, ModelCrashed
from edgeq.graphs.ort_session import host_saturates
from edgeq.nouns.bundle import Bundle, Candidate
from edgeq.nouns.progress import Note, Progress
from edgeq.nouns.project import Gates
from edgeq.nouns.verification import Verified
from edgeq.quantize.run_model import load, run
from edgeq.request.tell import Tell

if TYPE_CHECKING:
    from edgeq.quantize.samples import Array

# Inference under emulation: float computes the same on every CPU but for the last bits, and is the slowest to emulate.
_SECONDS = 60.0  # of all quantized candidates together
_FLOAT_SECONDS = 3.0  # of each float one
_REPLY_TIMEOUT_S = 120.0  # for one sample, where nobody asked for a number of them


@dataclass(frozen=True)
class Trial:
    """The bundle's files in `folder` and both machines; `seconds` bound a candidate's inference `there`, by its id."""

    folder: Path
    chosen: Chosen
    here: Machine
    there: Machine
    seconds: dict[str, float] | None
    tell: Tell

    def answers(self, candidate: Candidate, *, there: bool) -> Answers:
        if not there and _saturates_here(candidate):
            return self._exact_answers(candidate)
        where = f"on {self.there.emulation.cpu}" if there and self.there.emulation else "here"
        step, total = f"{candidate.id} {where}", self.chosen.count
        question = Question(candidate, self.folder, self.chosen.files)
        if there and self.seconds is not None:
            question = replace(question, seconds=self.seconds[candidate.id], reply_timeout_s=_REPLY_TIMEOUT_S)
        return ask(
            self.there if there else self.here,
            question,
            tell=self.tell,
            progress=lambda done: self.tell(Progress(step, done, total, "samples")),
        )

    def _exact_answers(self, candidate: Candidate) -> Answers:
        """As this machine judged the candidate when the bundle was made: with integer sums that do not saturate, though its own
        kernels do. Otherwise it would have the errors that the other CPU is tried for, and not those of an exact one.
        """
        start, total = time.monotonic(), self.chosen.count
        try:
            runner = load(self.folder / candidate.model, "onnx")
            with tempfile.TemporaryDirectory(prefix="edgeq-") as scratch:
                outputs = run(
                    runner,
                    self.chosen,
                    Path(scratch),
                    stage=f"{candidate.id} here",
                    progress=lambda step, done: self.tell(
                        Progress(step, round(done * total), total, "samples")
                    ),
                )
        except ConversionFailed as error:
            raise ModelCrashed(error.what) from error
        return Answers(
            outputs, importlib.metadata.version("onnxruntime"), total, None, time.monotonic() - start
        )


def _saturates_here(candidate: Candidate) -> bool:
    return candidate.runtime == "onnxruntime" and candidate.recipe != "float" and host_saturates()


def seconds_of(wanted: tuple[Candidate, ...]) -> dict[str, float]:
    """Of inference there, by candidate."""
    quantized = sum(c.recipe != "float" for c in wanted)
    return {c.id: _FLOAT_SECONDS if c.recipe == "float" else _SECONDS / quantized for c in wanted}


def baseline_of(bundle: Bundle, trial: Trial, gates: Gates) -> Baseline:
    """Float's answers come from this machine, onnxruntime's where there are several: as when the bundle was made."""
    recorded = {f.candidate: f for f in read_fidelity(bundle)} if trial.chosen.judged else {}
    return Baseline(
        samples=trial.chosen,
        float_outputs=_float_outputs(bundle, trial),
        recorded=recorded,
        names=tuple(o.name for o in bundle.manifest.outputs),
        gate=gate_of(gates),
    )


def _float_outputs(bundle: Bundle, trial: Trial) -> "tuple[Array, ...] | None":
    floats = [c for c in bundle.manifest.candidates if c.recipe == "float"]
    for candidate in sorted(floats, key=lambda c: c.runtime != "onnxruntime"):
        try:
            return trial.answers(candidate, there=False).outputs
        except ModelCrashed as error:
            trial.tell(Note(f"{candidate.id} does not run on this machine: {error.what}"))
    trial.tell(Note("the bundle has no float candidate: the others are compared with this machine's outputs"))
    return None


def verified_by(candidate: Candidate, baseline: Baseline, trial: Trial) -> Verified:
    """Every way not to answer is a result too."""
    try:
        here = trial.answers(candidate, there=False)
    except ModelCrashed as error:
        return Verified(candidate.id, not_run=f"it does not run on this machine: {error.what}")
    try:
        return compare(baseline, candidate, here, trial.answers(candidate, there=True))
    except TooSlow as error:
        return Verified(candidate.id, not_run=f"{error.what} under emulation")
    except DeviceUnfit as error:
        return Verified(candidate.id, not_run=error.what)
    except ModelCrashed as error:
        return Verified(candidate.id, why_failed=f"it does not run on the emulated CPU: {error.what}")
