"""What an application gets: the model file, its contract, and an example in each language of the target."""

import hashlib
from pathlib import Path

from edgeq.app_files.place import SUFFIXES, ExportPlace
from edgeq.application import RUNTIME, runtime_source
from edgeq.errors import BundleRefused
from edgeq.example_code import LANGUAGES, NoExample, Place, read_contract
from edgeq.nouns.bundle import Artifact, Bundle, Candidate
from edgeq.nouns.json_text import parse_json
from edgeq.nouns.plan import Skipped
from edgeq.nouns.record import canonical_json

CONTRACT = "contract.json"
_PROGRAMS = {"python": "example.py", "c++": "example.cc", "kotlin": "Example.kt"}


def known_before(place: ExportPlace, languages: tuple[str, ...]) -> dict[str, bytes | None]:
    """What is written beside a model file, by its name; None where its content takes the model."""
    names = (f"model.{place.format}", CONTRACT, *(_PROGRAMS[language] for language in languages))
    runtime = {RUNTIME: runtime_source()} if "python" in languages else {}
    return {**dict.fromkeys(map(place.called, names)), **runtime}


def contents(
    bundle: Bundle, candidate: Candidate, place: ExportPlace, languages: tuple[str, ...]
) -> tuple[dict[str, bytes], tuple[Skipped, ...]]:
    """What is written, by its name in the place, the model first; and what is not. The bundle may come from an untrusted source, and
    Python imports what lies beside a program or is named in a python_path.json: only model and contract are taken from it.
    The module that the example in Python imports is edgeq's own.
    """
    base, model = f"candidates/{candidate.id}/", Path(candidate.model).name
    if Path(model).suffix not in SUFFIXES:
        raise BundleRefused(
            f"{bundle.path}: {candidate.model} is named like no model file, so it is not written"
        )
    own = [a.path.removeprefix(base) for a in bundle.manifest.artifacts if a.path.startswith(base)]
    others = tuple(
        Skipped(name, "a bundle of this edgeq has no such file")
        for name in own
        if base + name not in (candidate.model, base + CONTRACT, base + RUNTIME)
    )
    contract = _contract(bundle, bundle.artifact(base + CONTRACT), place.called(model))
    examples, left_out = _examples(languages, contract, place)
    written = {place.called(model): bundle.artifact(candidate.model), place.called(CONTRACT): contract}
    runtime = {RUNTIME: runtime_source()} if "python" in languages else {}
    return {**written, **runtime, **examples}, (*others, *left_out)


def _contract(bundle: Bundle, content: bytes, model: str) -> bytes:
    """As it is, but for the name of the model file, and without `python_path`, which names a file that only a device has. Raises
    BundleRefused.
    """
    try:
        contract = parse_json(content)
        if not isinstance(contract, dict):
            raise ValueError("it is no object")
    except ValueError as error:
        raise BundleRefused(f"{bundle.path}: a contract.json cannot be read: {error}") from None
    contract.pop("python_path", None)
    return canonical_json(contract | {"model": model})


def _examples(
    languages: tuple[str, ...], contract: bytes, place: ExportPlace
) -> tuple[dict[str, bytes], tuple[Skipped, ...]]:
    written, left_out = {}, []
    for language in languages:
        name = place.called(_PROGRAMS[language])
        try:
            terms = read_contract(contract)
            where = Place(terms.model, Path(name).stem, place.called("contract.json"))
            written[name] = LANGUAGES[language](terms, where).encode()
        except NoExample as error:
            left_out.append(Skipped(name, str(error)))
    return written, tuple(left_out)


def described(path: Path, content: bytes) -> Artifact:
    return Artifact(str(path), len(content), hashlib.sha256(content).hexdigest())
