"""verify(): a bundle's candidates on a CPU that is not here, emulated, compared with this machine and with float."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq import catalog
from edgeq.bundle import read_bundle, read_noun
from edgeq.conversion import bundle_parts
from edgeq.conversion.cache import folder as cache_folder
from edgeq.errors import TargetRefused
from edgeq.nouns.bundle import Bundle, Candidate
from edgeq.nouns.data import DataUse
from edgeq.nouns.progress import Note
from edgeq.nouns.project import Gates
from edgeq.nouns.verification import Verification
from edgeq.request.accepts import accepts
from edgeq.request.requests import VerifyRequest

if TYPE_CHECKING:
    from edgeq.conversion.bundle_samples import Chosen
    from edgeq.ingest.float_model import FloatModel


@accepts(VerifyRequest)
def verify(request: VerifyRequest) -> Verification:
    """Run the candidates of a bundle as the CPU of target `emulate` computes them. Read `passed` of the result.

    Raises BundleRefused, DataRefused, TargetRefused, ExtraMissing and DeviceUnfit.
    """
    from edgeq.emulate.machine import emulated, this_machine
    from edgeq.emulate.trial import Trial, baseline_of, seconds_of, verified_by

    tell = request.tell
    with read_bundle(Path(request.bundle)) as opened, tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        target = catalog.target(request.emulate or opened.manifest.target)
        scratch = Path(folder)
        names = (request.candidate,) if isinstance(request.candidate, str) else tuple(request.candidate)
        wanted = _wanted(opened, names)
        rootfs = None if request.rootfs is None else Path(request.rootfs)
        there = emulated(target, rootfs=rootfs, scratch=scratch, cache=cache_folder())
        assert there.emulation is not None
        tell(there.emulation)
        opened.extract(scratch / "bundle")
        chosen = _samples(opened, request, scratch)
        for note in _notes(opened, target.name, chosen):
            tell(Note(note))
        here, seconds = this_machine(cache_folder()), None if request.samples else seconds_of(wanted)
        trial = Trial(scratch / "bundle", chosen, here, there, seconds, tell)
        baseline = baseline_of(opened, trial, request.gates or Gates())
        verified = []
        for candidate in wanted:
            verified.append(verified_by(candidate, baseline, trial))
            tell(verified[-1])
        manifest = opened.manifest
        return Verification(manifest.name, manifest.digest, there.emulation, chosen.source, tuple(verified))


def _wanted(bundle: Bundle, names: tuple[str, ...]) -> tuple[Candidate, ...]:
    known = {c.id: c for c in bundle.manifest.candidates}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise TargetRefused(f"the bundle has no candidate {unknown[0]}", f"it has {', '.join(known)}")
    return tuple(known[name] for name in names or known)


def _samples(bundle: Bundle, request: VerifyRequest, scratch: Path) -> "Chosen":
    """Raises DataRefused for samples of the user's own as `convert` does."""
    from edgeq.conversion import bundle_samples
    from edgeq.conversion.early_checks import findings_of

    data, folder = request.data, scratch / "samples"
    if data is None:
        return bundle_samples.of_bundle(bundle, request.samples, folder)
    samples = bundle_samples.open_data(bundle, data, request.preprocess)
    model = _float_model(bundle, scratch / "bundle")
    for finding in findings_of(samples, model, request.gates or Gates()) if model else ():
        request.tell(finding)
    return bundle_samples.of_data(bundle, samples, str(data), request.calibrate, request.samples, folder)


def _float_model(bundle: Bundle, folder: Path) -> "FloatModel | None":
    """Of its files in `folder`; None where it has no float candidate."""
    from edgeq.ingest import tflite_float
    from edgeq.ingest.graph import float_run

    manifest = bundle.manifest
    candidate = next((c for c in manifest.candidates if c.recipe == "float"), None)
    if candidate is None:
        return None
    source = float_run if candidate.model.endswith(".onnx") else tflite_float
    path, inputs, outputs = folder / candidate.model, manifest.inputs, manifest.outputs
    model: FloatModel = source.float_model(path, inputs, outputs, quantized=False)
    return model


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
