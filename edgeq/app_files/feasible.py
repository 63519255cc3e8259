"""Whether a file that was asked for can be made at all, found out before anything is converted."""

from pathlib import Path

from edgeq import catalog
from edgeq.app_files.place import ExportPlace
from edgeq.conversion import formats
from edgeq.deliver import runtimes
from edgeq.errors import ModelRefused, TargetRefused
from edgeq.nouns.recipe import one_recipe
from edgeq.nouns.target import FORMATS, Target
from edgeq.request.requests import ExportRequest


def require_possible(model: str, kind: Target, place: ExportPlace, request: ExportRequest) -> None:
    """Raises TargetRefused or ModelRefused for a file that no candidate can be, before anything is converted."""
    wanted = place.format
    if wanted is None:
        return
    loaded = formats.loadable(kind, None)
    if wanted not in loaded:
        raise TargetRefused(
            f"target {kind.name} runs {' and '.join(f'.{f}' for f in loaded)}, and no .{wanted}",
            f"-o {_named(place, loaded[0])}, or another --target",
        )
    for name, runtime in (
        (f"--runtime {request.runtime}", request.runtime),
        (request.candidate, _runtime_of(request.candidate)),
    ):
        if runtime is not None and FORMATS.get(runtime, wanted) != wanted:
            raise TargetRefused(
                f"{name} is a .{FORMATS[runtime]} file, and -o asks for .{wanted}",
                f"-o {_named(place, FORMATS[runtime])}, or leave it out",
            )
    if wanted not in formats.producible(model, kind, None):
        raise ModelRefused(
            f"{model} is TFLite, which is not converted to ONNX",
            f"-o {_named(place, 'tflite')}, or give the torch or ONNX model that it was made from",
        )
    recipe = one_recipe(request.recipe)
    if recipe is not None and not any(FORMATS[r] == wanted for r in catalog.recipe(recipe).runtimes):
        raise TargetRefused(
            f"--recipe {recipe} makes no .{wanted} file", "leave out --recipe, or choose another -o"
        )
    if kind.detect:
        missing = [runtimes.why_not_here(name) for name in _able(kind, wanted, request.runtime)]
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


def one_runtime(kind: Target, place: ExportPlace, request: ExportRequest) -> str | None:
    """The runtime whose files are wanted, so that no others are made; None where they may be any."""
    named = _runtime_of(request.candidate)
    if request.runtime is not None or (place.format is None and named is None):
        return request.runtime
    return next(iter(_able(kind, place.format, named)), None)
