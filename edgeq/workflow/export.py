"""export(): the file that an application loads, with its contract and an example of code that runs it. No device is needed."""

import contextlib
from dataclasses import replace
from pathlib import Path

from edgeq import catalog
from edgeq.app_files.contents import contents, described, known_before
from edgeq.app_files.feasible import one_runtime, require_possible
from edgeq.app_files.place import ExportPlace, export_place, in_the_way, require_place
from edgeq.app_files.write_files import write_files
from edgeq.conversion.finished import open_conversion
from edgeq.errors import TargetRefused
from edgeq.nouns.bundle import Bundle, Candidate
from edgeq.nouns.export import Exported
from edgeq.nouns.progress import Note
from edgeq.nouns.results import Conversion
from edgeq.nouns.target import Target
from edgeq.request.accepts import accepts, keywords
from edgeq.request.finished_bundle import excluded_by_options, require_made_for, require_nothing_fixed
from edgeq.request.paths import text
from edgeq.request.requests import ConvertRequest, ExportRequest
from edgeq.request.tell import silence
from edgeq.workflow.convert import convert


@accepts(ExportRequest)
def export(request: ExportRequest) -> Exported:
    """Convert a model (or take a finished .edgeq bundle, for its own target), and write the file of the candidate that is
    expected to be fastest among those that passed the gate, with its contract and an example of code that runs it.

    Nothing that is there is replaced unless by `force`. Raises BundleRefused for `output` before anything is converted,
    TargetRefused and ModelRefused for what cannot become such a file, and what convert() raises.
    """
    model, place = text(request.model) or "", export_place(request.output)
    finished = open_conversion(Path(model), silence) if model.endswith(".edgeq") else None
    kind = _kind(model, request, finished)
    languages = ("kotlin",) if kind is not None and kind.os == "android" else ("python", "c++")
    require_place(place, in_the_way(place, known_before(place, languages)), force=request.force)
    if finished is None:
        assert kind is not None
        require_possible(model, kind, place, request)
        runtime = one_runtime(kind, place, request)
        finished = convert(
            **keywords(request, ConvertRequest)
            | {"output": None, "target": kind, "runtime": runtime, "one_per_speed": True}
        )
    with contextlib.closing(finished.bundle) as bundle:
        chosen = _chosen(bundle, place, request)
        place = replace(place, format=_format(chosen))
        if chosen.recipe == "float" and request.recipe != "float" and request.candidate is None:
            request.tell(Note(f"no quantized .{place.format} file passed the gate: {chosen.id} is float"))
        files, left_out = contents(bundle, chosen, place, languages)
        if not request.dry_run:
            require_place(place, in_the_way(place, files), force=request.force)
            write_files(place.folder, files)
        return Exported(
            path=str(place.path),
            target=bundle.manifest.target,
            digest=bundle.digest,
            candidate=chosen,
            others=tuple(c.id for c in bundle.manifest.candidates if c != chosen),
            files=tuple(described(place.folder / name, content) for name, content in files.items()),
            fidelity=next((f for f in finished.fidelity if f.candidate == chosen.id), None),
            left_out=left_out,
            written=not request.dry_run,
        )


def _kind(model: str, request: ExportRequest, finished: Conversion | None) -> Target | None:
    """The kind of device; None for that of a bundle whose target file is not here."""
    if finished is None:
        return catalog.target(request.target or "local")
    require_nothing_fixed(Path(model), request, sends=False)
    manifest = finished.bundle.manifest
    if request.target is not None:
        kind = catalog.target(request.target)
        require_made_for(manifest, kind, "export")
        return kind
    return catalog.target(manifest.target) if manifest.target in catalog.target_names() else None


def _chosen(bundle: Bundle, place: ExportPlace, request: ExportRequest) -> Candidate:
    """The first in the plan's order that fits. Raises TargetRefused with those that there are."""
    known, wanted = bundle.manifest.candidates, request.candidate
    fits = [c for c in known if place.format in (None, _format(c))]
    able = [c for c in fits if (c.id == wanted if wanted else not excluded_by_options(c, request))]
    if able:
        return able[0]
    of = f"{bundle.manifest.name} for {bundle.manifest.target}"
    kind = f".{place.format} file" if place.format else "candidate"
    options = [
        f"--{name} {getattr(request, name)}" for name in ("recipe", "runtime") if getattr(request, name)
    ]
    of_these = f" of {' and '.join(options)}" if options and not wanted else ""
    raise TargetRefused(
        f"{of} has no {f'candidate {wanted}' if wanted else kind}{of_these}",
        f"its candidates: {', '.join(f'{c.id} (.{_format(c)})' for c in known)}",
    )


def _format(candidate: Candidate) -> str:
    return Path(candidate.model).suffix.removeprefix(".")
