"""export(): the file that an application loads, with its contract and an example of code that runs it. No device is needed."""

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edgeq import catalog
from edgeq.app_files.place import ExportPlace, export_place, require_place
from edgeq.app_files.write_files import write_files
from edgeq.application import RUNTIME, runtime_source
from edgeq.conversion import formats
from edgeq.conversion.finished import open_conversion
from edgeq.deliver import runtimes
from edgeq.errors import BundleRefused, ModelRefused, TargetRefused
from edgeq.example_code import LANGUAGES, NoExample, Place, read_contract
from edgeq.nouns.bundle import Artifact, Bundle, Candidate
from edgeq.nouns.export import Exported
from edgeq.nouns.json_text import parse_json
from edgeq.nouns.plan import Skipped
from edgeq.nouns.progress import Note
from edgeq.nouns.record import canonical_json
from edgeq.nouns.results import Conversion
from edgeq.nouns.target import FORMATS, Target
from edgeq.request.finished_bundle import not_asked_for, require_made_for, require_nothing_decided
from edgeq.request.paths import text
from edgeq.request.requests import ConvertRequest, ExportRequest
from edgeq.request.takes import keywords, takes
from edgeq.request.tell import silence
from edgeq.workflow.convert import convert

_PROGRAMS = {"python": "example.py", "c++": "example.cc", "kotlin": "Example.kt"}


@takes(ExportRequest)
def export(asked: ExportRequest) -> Exported:
    """Convert a model (or take a finished .edgeq bundle, for its own target), and write the file of the candidate that is
    expected to be fastest among those that passed the gate, with its contract and an example of code that runs it.

    Nothing that is there is replaced unless by `force`. Raises BundleRefused for `output` before anything is converted,
    TargetRefused and ModelRefused for what cannot become such a file, and what convert() raises.
    """
    model, place = text(asked.model) or "", export_place(asked.output)
    finished = open_conversion(Path(model), silence) if model.endswith(".edgeq") else None
    kind = _kind(model, asked, finished)
    languages = ("kotlin",) if kind is not None and kind.os == "android" else ("python", "c++")
    require_place(place, _in_the_way(place, _known_before(place, languages)), force=asked.force)
    if finished is None:
        assert kind is not None
        _require_possible(model, kind, place, asked)
        runtime = _one_runtime(kind, place, asked)
        finished = convert(
            **keywords(asked, ConvertRequest) | {"output": None, "target": kind, "runtime": runtime}
        )
    with contextlib.closing(finished.bundle) as bundle:
        chosen = _chosen(bundle, place, asked)
        place = replace(place, format=_format(chosen))
        if chosen.recipe == "float" and asked.recipe != "float" and asked.candidate is None:
            asked.tell(Note(f"no quantized .{place.format} file passed the gate: {chosen.id} is float"))
        files, left_out = _files(bundle, chosen, place, languages)
        if not asked.dry_run:
            require_place(place, _in_the_way(place, files), force=asked.force)
            write_files(place.folder, files)
        return Exported(
            path=str(place.path),
            target=bundle.manifest.target,
            digest=bundle.digest,
            candidate=chosen,
            others=tuple(c.id for c in bundle.manifest.candidates if c != chosen),
            files=tuple(_described(place.folder / name, content) for name, content in files.items()),
            fidelity=next((f for f in finished.fidelity if f.candidate == chosen.id), None),
            left_out=left_out,
            written=not asked.dry_run,
        )


def _kind(model: str, asked: ExportRequest, finished: Conversion | None) -> Target | None:
    """The kind of device; None for that of a bundle whose target file is not here."""
    if finished is None:
        return catalog.target(asked.target or "local")
    require_nothing_decided(Path(model), asked, sends=False)
    manifest = finished.bundle.manifest
    if asked.target is not None:
        kind = catalog.target(asked.target)
        require_made_for(manifest, kind, "export")
        return kind
    return catalog.target(manifest.target) if manifest.target in catalog.target_names() else None


def _known_before(place: ExportPlace, languages: tuple[str, ...]) -> dict[str, bytes | None]:
    """What is written beside a model file, by its name; None where its content takes the model."""
    names = (f"model.{place.format}", "contract.json", *(_PROGRAMS[language] for language in languages))
    runtime = {RUNTIME: runtime_source()} if "python" in languages else {}
    return {**dict.fromkeys(map(place.called, names)), **runtime}


def _in_the_way(place: ExportPlace, files: Mapping[str, bytes | None]) -> list[str]:
    """Of these names, those under which something else is there."""
    return [name for name, content in files.items() if not _is_there(place.folder / name, content)]


def _require_possible(model: str, kind: Target, place: ExportPlace, asked: ExportRequest) -> None:
    """Raises TargetRefused or ModelRefused for a file that no candidate can be, before anything is converted."""
    wanted = place.format
    if wanted is None:
        return
    loaded = formats.loaded(kind, None)
    if wanted not in loaded:
        raise TargetRefused(
            f"target {kind.name} runs {' and '.join(f'.{f}' for f in loaded)}, and no .{wanted}",
            f"-o {_named(place, loaded[0])}, or another --target",
        )
    for name, runtime in (
        (f"--runtime {asked.runtime}", asked.runtime),
        (asked.candidate, _runtime_of(asked.candidate)),
    ):
        if runtime is not None and FORMATS.get(runtime, wanted) != wanted:
            raise TargetRefused(
                f"{name} is a .{FORMATS[runtime]} file, and -o asks for .{wanted}",
                f"-o {_named(place, FORMATS[runtime])}, or leave it out",
            )
    if wanted not in formats.possible(model, kind, None):
        raise ModelRefused(
            f"{model} is TFLite, which is not converted to ONNX",
            f"-o {_named(place, 'tflite')}, or give the torch or ONNX model that it was made from",
        )
    recipe = asked.recipe
    if recipe is not None and not any(FORMATS[r] == wanted for r in catalog.recipe(recipe).runtimes):
        raise TargetRefused(
            f"--recipe {recipe} makes no .{wanted} file", "leave out --recipe, or choose another -o"
        )
    if kind.detect:
        missing = [runtimes.why_not_here(name) for name in _able(kind, wanted, asked.runtime)]
        if all(missing):
            raise TargetRefused(f"no .{wanted} file can be checked on this machine", missing[0])


def _named(place: ExportPlace, format: str) -> Path:
    return place.path.with_suffix(f".{format}")


def _runtime_of(candidate: str | None) -> str | None:
    """By its id; None for one that no runtime begins."""
    return next((r for r in FORMATS if candidate and candidate.startswith(f"{r}-")), None)


def _able(kind: Target, format: str | None, runtime: str | None) -> list[str]:
    """The target's runtimes that load this format, or only `runtime`."""
    return [r.name for r in kind.runtimes if format in (None, FORMATS[r.name]) and runtime in (None, r.name)]


def _one_runtime(kind: Target, place: ExportPlace, asked: ExportRequest) -> str | None:
    """The runtime whose files are wanted, so that no others are made; None where they may be any."""
    named = _runtime_of(asked.candidate)
    if asked.runtime is not None or (place.format is None and named is None):
        return asked.runtime
    return next(iter(_able(kind, place.format, named)), None)


def _chosen(bundle: Bundle, place: ExportPlace, asked: ExportRequest) -> Candidate:
    """The first in the plan's order that fits. Raises TargetRefused with those that there are."""
    known, wanted = bundle.manifest.candidates, asked.candidate
    fits = [c for c in known if place.format in (None, _format(c))]
    able = [c for c in fits if (c.id == wanted if wanted else not not_asked_for(c, asked))]
    if able:
        return able[0]
    of = f"{bundle.manifest.name} for {bundle.manifest.target}"
    kind = f".{place.format} file" if place.format else "candidate"
    options = [f"--{name} {getattr(asked, name)}" for name in ("recipe", "runtime") if getattr(asked, name)]
    of_these = f" of {' and '.join(options)}" if options and not wanted else ""
    raise TargetRefused(
        f"{of} has no {f'candidate {wanted}' if wanted else kind}{of_these}",
        f"its candidates: {', '.join(f'{c.id} (.{_format(c)})' for c in known)}",
    )


def _format(candidate: Candidate) -> str:
    return Path(candidate.model).suffix.removeprefix(".")


def _files(
    bundle: Bundle, candidate: Candidate, place: ExportPlace, languages: tuple[str, ...]
) -> tuple[dict[str, bytes], tuple[Skipped, ...]]:
    """What is written, by its name in the place, the model first; and the examples that could not be. The module that the one in
    Python imports is edgeq's own: the bundle may be a stranger's.
    """
    base, model = f"candidates/{candidate.id}/", Path(candidate.model).name
    own = [
        a.path for a in bundle.manifest.artifacts if a.path.startswith(base) and not a.path.endswith(".py")
    ]
    files = {path.removeprefix(base): bundle.artifact(path) for path in own}
    contract = _contract(bundle, files.pop("contract.json", b""), place.called(model))
    examples, left_out = _examples(languages, contract, place)
    written = {place.called(model): files.pop(model), place.called("contract.json"): contract}
    runtime = {RUNTIME: runtime_source()} if "python" in languages else {}
    others = {place.called(name): content for name, content in files.items()}
    return {**written, **others, **runtime, **examples}, left_out


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


def _is_there(path: Path, content: bytes | None) -> bool:
    """This very content."""
    if content is None or not path.is_file() or path.stat().st_size != len(content):
        return False
    return path.read_bytes() == content


def _described(path: Path, content: bytes) -> Artifact:
    return Artifact(str(path), len(content), hashlib.sha256(content).hexdigest())
