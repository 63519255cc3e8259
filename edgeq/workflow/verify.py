"""verify(): a bundle's candidates on a CPU that is not here, emulated, held against this machine and against float."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq import catalog
from edgeq.bundle import read_bundle, read_fidelity, read_noun
from edgeq.conversion import bundle_parts
from edgeq.conversion.cache import folder as cache_folder
from edgeq.errors import DeviceUnfit, ModelCrashed, TargetRefused
from edgeq.nouns.bundle import Bundle, Candidate
from edgeq.nouns.data import DataUse
from edgeq.nouns.progress import Note, Progress
from edgeq.nouns.project import Gates
from edgeq.nouns.verification import Verification, Verified
from edgeq.request.paths import text_or_given
from edgeq.request.requests import VerifyRequest
from edgeq.request.takes import takes
from edgeq.request.tell import Tell

if TYPE_CHECKING:
    from edgeq.conversion.bundle_samples import Chosen
    from edgeq.emulate.answers import Answers
    from edgeq.emulate.compare import Bench
    from edgeq.emulate.machine import Machine
    from edgeq.quantize.samples import Array

# Inference under emulation: float computes the same on every CPU but for the last bits, and is the slowest to emulate.
_SECONDS = 60.0  # of all quantized candidates together
_FLOAT_SECONDS = 3.0  # of each float one
_PATIENCE_S = 120.0  # for one sample, where nobody asked for a number of them


@takes(VerifyRequest)
def verify(asked: VerifyRequest) -> Verification:
    """Run the candidates of a bundle as the CPU of target `emulate` computes them. Read `passed` of the result.

    Raises BundleRefused, DataRefused, TargetRefused, ExtraMissing and DeviceUnfit.
    """
    from edgeq.emulate.machine import emulated, this_machine

    rootfs, tell = asked.rootfs, asked.tell
    with read_bundle(Path(asked.bundle)) as opened, tempfile.TemporaryDirectory(prefix="edgeq-") as name:
        target = catalog.target(asked.emulate or opened.manifest.target)
        scratch = Path(name)
        wanted = _wanted(
            opened, (asked.candidate,) if isinstance(asked.candidate, str) else tuple(asked.candidate)
        )
        there = emulated(
            target, rootfs=None if rootfs is None else Path(rootfs), scratch=scratch, cache=cache_folder()
        )
        assert there.emulation is not None
        tell(there.emulation)
        opened.extract(scratch / "bundle")
        if asked.data is not None:
            _check_samples(opened, scratch / "bundle", asked)
        chosen = _samples(opened, asked, scratch / "samples")
        for note in _notes(opened, target.name, chosen):
            tell(Note(note))
        here, seconds = this_machine(cache_folder()), None if asked.samples else _seconds(wanted)
        trial = _Trial(scratch / "bundle", chosen, here, there, seconds, tell)
        bench = _bench(opened, trial, asked.gates or Gates())
        verified = []
        for candidate in wanted:
            verified.append(_verified(candidate, bench, trial))
            tell(verified[-1])
        manifest = opened.manifest
        return Verification(manifest.name, manifest.digest, there.emulation, chosen.source, tuple(verified))


@dataclass(frozen=True)
class _Trial:
    """The bundle's files in `folder` and both machines; `seconds` bound a candidate's inference `there`, by its id."""

    folder: Path
    chosen: "Chosen"
    here: "Machine"
    there: "Machine"
    seconds: dict[str, float] | None
    tell: Tell

    def answers(self, candidate: Candidate, *, there: bool) -> "Answers":
        from edgeq.emulate.answers import Question, ask

        where = f"on {self.there.emulation.cpu}" if there and self.there.emulation else "here"
        step, total = f"{candidate.id} {where}", self.chosen.count
        question = Question(candidate, self.folder, self.chosen.files)
        if there and self.seconds is not None:
            question = replace(question, seconds=self.seconds[candidate.id], patience_s=_PATIENCE_S)
        return ask(
            self.there if there else self.here,
            question,
            on_note=lambda text: self.tell(Note(text)),
            progress=lambda done: self.tell(Progress(step, done, total, "samples")),
        )


def _wanted(bundle: Bundle, names: tuple[str, ...]) -> tuple[Candidate, ...]:
    known = {c.id: c for c in bundle.manifest.candidates}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise TargetRefused(f"the bundle has no candidate {unknown[0]}", f"it has {', '.join(known)}")
    return tuple(known[name] for name in names or known)


def _seconds(wanted: tuple[Candidate, ...]) -> dict[str, float]:
    """Of inference there, by candidate."""
    quantized = sum(c.recipe != "float" for c in wanted)
    return {c.id: _FLOAT_SECONDS if c.recipe == "float" else _SECONDS / quantized for c in wanted}


def _samples(bundle: Bundle, asked: VerifyRequest, folder: Path) -> "Chosen":
    from edgeq.conversion import bundle_samples

    data, most = text_or_given(asked.data), asked.samples
    if data is None:
        return bundle_samples.of_bundle(bundle, most, folder)
    return bundle_samples.of_data(bundle, data, asked.preprocess, asked.calibrate, most, folder)


def _check_samples(bundle: Bundle, folder: Path, asked: VerifyRequest) -> None:
    """As when a bundle is made, by its float model. Raises DataRefused."""
    from edgeq.conversion.early_checks import findings_of
    from edgeq.ingest import tflite_float
    from edgeq.ingest.graph import float_run
    from edgeq.ingest.preprocess import parse
    from edgeq.ingest.samples import open_samples

    manifest, data = bundle.manifest, text_or_given(asked.data)
    candidate = next((c for c in manifest.candidates if c.recipe == "float"), None)
    if candidate is None or data is None:
        return
    source = float_run if candidate.model.endswith(".onnx") else tflite_float
    model = source.float_model(folder / candidate.model, manifest.inputs, manifest.outputs, quantized=False)
    preprocessing = manifest.preprocessing if asked.preprocess is None else parse(asked.preprocess)
    samples = open_samples(data, inputs=manifest.inputs, preprocessing=preprocessing)
    for finding in findings_of(samples, model, asked.gates or Gates()):
        asked.tell(finding)


def _notes(bundle: Bundle, target: str, chosen: "Chosen") -> Iterator[str]:
    yield chosen.source
    made_for = bundle.manifest.target
    if made_for != target:
        yield f"the bundle was made for {made_for}: `edgeq convert --target {target}` makes one for this CPU"
    data = read_noun(bundle, bundle_parts.DATA, DataUse)
    if data is not None and data.states:
        yield (
            f"{', '.join(data.states)} is fed back when the model runs: what changes on this CPU is measured in single steps from "
            "stored states, so accumulated error is not measured; what the candidate costs here was judged in closed "
            "loop when the bundle was made"
        )


def _bench(bundle: Bundle, trial: _Trial, gates: Gates) -> "Bench":
    """Float's answers come from this machine, onnxruntime's where there are several: as when the bundle was made."""
    from edgeq.emulate.compare import Bench
    from edgeq.quantize.evaluate.gate import Gate

    recorded = {f.candidate: f for f in read_fidelity(bundle)} if trial.chosen.judged else {}
    return Bench(
        samples=trial.chosen,
        float_outputs=_float_outputs(bundle, trial),
        recorded=recorded,
        names=tuple(o.name for o in bundle.manifest.outputs),
        gate=Gate(**{key: value for key, value in gates.to_dict().items() if value is not None}),
    )


def _float_outputs(bundle: Bundle, trial: _Trial) -> "tuple[Array, ...] | None":
    floats = [c for c in bundle.manifest.candidates if c.recipe == "float"]
    for candidate in sorted(floats, key=lambda c: c.runtime != "onnxruntime"):
        try:
            return trial.answers(candidate, there=False).outputs
        except ModelCrashed as error:
            trial.tell(Note(f"{candidate.id} does not run on this machine: {error.what}"))
    trial.tell(Note("the bundle has no float candidate: the others are compared with this machine's outputs"))
    return None


def _verified(candidate: Candidate, bench: "Bench", trial: _Trial) -> Verified:
    """Every way not to answer is a result too."""
    from edgeq.emulate.answers import TooSlow
    from edgeq.emulate.compare import compare

    try:
        here = trial.answers(candidate, there=False)
    except ModelCrashed as error:
        return Verified(candidate.id, not_run=f"it does not run on this machine: {error.what}")
    try:
        return compare(bench, candidate, here, trial.answers(candidate, there=True))
    except TooSlow as error:
        return Verified(candidate.id, not_run=f"{error.what} under emulation")
    except DeviceUnfit as error:
        return Verified(candidate.id, not_run=error.what)
    except ModelCrashed as error:
        return Verified(candidate.id, why_failed=f"it does not run on the emulated CPU: {error.what}")
