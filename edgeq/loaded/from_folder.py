"""A candidate that lies in a folder already: as export writes it, or a release as it is on a device."""

from pathlib import Path

from edgeq.errors import BundleRefused, TargetRefused
from edgeq.loaded.source import Source, read

CONTRACT = "contract.json"


def from_folder(path: Path, candidate: str | None) -> Source:
    """With contract.json in it, or a release with its candidates in folders of their own, the first by name where none is asked
    for. Raises BundleRefused, TargetRefused for a candidate that is not there.
    """
    if (path / CONTRACT).is_file():
        return from_contract(path / CONTRACT, candidate, path)
    found = {file.parent.name: file for file in sorted(path.glob(f"candidates/*/{CONTRACT}"))}
    if not found:
        raise BundleRefused(
            f"{path} has no {CONTRACT}, and no candidates/ with one",
            "name a .edgeq bundle, a model file, or a folder that `edgeq export` wrote",
        )
    chosen = candidate or next(iter(found))
    if chosen not in found:
        raise _no_candidate(path, chosen, tuple(found))
    return from_contract(found[chosen], None, path, tuple(found))


def from_contract(file: Path, candidate: str | None, path: Path, candidates: tuple[str, ...] = ()) -> Source:
    """What `file` describes, with the model beside it. A link is followed now: what goes live later is another model."""
    file = file.resolve()
    contract = read(file)
    if candidate not in (None, contract.candidate):
        raise _no_candidate(path, candidate, (contract.candidate,))
    return Source(path, file, contract, candidates or (contract.candidate,))


def _no_candidate(path: Path, id: str | None, known: tuple[str, ...]) -> TargetRefused:
    return TargetRefused(f"{path} has no candidate {id}", f"its candidates: {', '.join(known)}")
