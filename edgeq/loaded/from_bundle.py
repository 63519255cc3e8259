"""One candidate of a bundle, as files in a folder: its model and its contract, none of the code that comes with it."""

from pathlib import Path

from edgeq.bundle import OpenBundle, read_bundle, read_fidelity, read_noun
from edgeq.bundle.chosen import candidate_of
from edgeq.bundle.layout import contract_path
from edgeq.conversion.bundle_parts import MODEL
from edgeq.deliver.runtimes import why_not_here
from edgeq.errors import BundleRefused, ExtraMissing
from edgeq.graphs.ort_session import host_saturates
from edgeq.loaded.source import Source, written
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.json_text import parse_json
from edgeq.nouns.model import Model


def from_bundle(path: Path, candidate: str | None, folder: Path) -> Source:
    """`candidate`, or the first that runs here: candidates stand in the order of their expected speed. Raises BundleRefused,
    TargetRefused for a candidate that there is not, ExtraMissing where its runtime is not installed.
    """
    with read_bundle(path) as bundle:
        chosen = _first_here(bundle) if candidate is None else _required(bundle, candidate)
        model = Path(chosen.model).name
        (folder / model).write_bytes(bundle.artifact(chosen.model))
        contract = written(folder / "contract.json", {**_contract(bundle, chosen), "model": model})
        source = read_noun(bundle, MODEL, Model)
        return Source(
            path=path,
            contract_file=folder / "contract.json",
            contract=contract,
            candidates=tuple(c.id for c in bundle.manifest.candidates),
            bundle=path,
            target=bundle.manifest.target,
            fidelity=next((f for f in read_fidelity(bundle) if f.candidate == chosen.id), None),
            float_bytes=source.float_bytes if source else None,
            memory_bytes=chosen.memory_bytes,
            notes=_arithmetic(bundle.manifest.target, chosen),
        )


def _arithmetic(target: str, candidate: Candidate) -> tuple[str, ...]:
    """A note where this CPU does not compute what the target computes."""
    fixed = candidate.runtime == "onnxruntime" and candidate.recipe.endswith("_static")
    if target == "local" or not fixed or not host_saturates():
        return ()
    return (
        f"made for {target}; the integer kernels of this CPU add pairs of products in 16 bits and may saturate where those of "
        "the target do not: `edgeq verify` computes what the target does",
    )


def _required(bundle: OpenBundle, id: str) -> Candidate:
    chosen = candidate_of(bundle, id)
    if why := why_not_here(chosen.runtime):
        what, _, remedy = why.partition(": ")
        raise ExtraMissing(f"{id} runs on {chosen.runtime}, which is {what}", remedy or None)
    return chosen


def _first_here(bundle: OpenBundle) -> Candidate:
    candidates = bundle.manifest.candidates
    reasons = {c.runtime: why_not_here(c.runtime) for c in candidates}
    for candidate in candidates:
        if reasons[candidate.runtime] is None:
            return candidate
    raise ExtraMissing(
        f"nothing that is installed here runs a candidate of {bundle.path}",
        details=[f"{runtime}: {why}" for runtime, why in reasons.items()],
    )


def _contract(bundle: OpenBundle, candidate: Candidate) -> dict[str, object]:
    try:
        contract = parse_json(bundle.artifact(contract_path(candidate.id)))
    except ValueError as error:
        raise BundleRefused(f"{bundle.path}: the contract of {candidate.id} is no JSON: {error}") from None
    if not isinstance(contract, dict):
        raise BundleRefused(f"{bundle.path}: the contract of {candidate.id} is no object")
    return contract
