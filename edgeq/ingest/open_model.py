"""Opens a trained model from any source as a clean float graph.

The kinds of source are the files in `sources/`: each says whether it claims a source and opens it.
This file knows none of them.
"""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from edgeq.errors import ModelRefused
from edgeq.ingest import sources
from edgeq.ingest.request import Request
from edgeq.model_name import model_name
from edgeq.nouns.model import Model
from edgeq.user_code import names_code


def open_model(request: Request) -> Model:
    """Clean graphs of the source in its folder, byte-identical for the same source; formats that cannot be had are in
    `Model.absent` with the reason. Of a `program`, whoever built it has looked.

    Raises ModelRefused naming the operator, input or field; ExtraMissing when an optional package is needed.
    """
    if request.weights is not None and not names_code(request.source):
        raise ModelRefused(
            f"{request.source} contains its own weights, so {request.weights} would not be used",
            "leave it out: --weights is for a torch factory such as net.py:build, or what `edgeq finetune` wrote, and this file holds "
            "no trained network, or is damaged",
        )
    request.workdir.mkdir(parents=True, exist_ok=True)
    request = replace(request, name=request.name or model_name(request.source))
    model: Model = _claimant(request.source).open_source(request)
    return model


def look_at_model(request: Request) -> None:
    """Opens the source, hands its float model to `request.look`, and converts nothing. Raises as `open_model`."""
    request.workdir.mkdir(parents=True, exist_ok=True)
    source = (
        _claimant(request.source) if request.module is None else import_module(f"{sources.__name__}.torch")
    )
    source.look(request)


def _claimant(source: str) -> ModuleType:
    modules = [import_module(f"{sources.__name__}.{m.name}") for m in iter_modules(sources.__path__)]
    for module in modules:
        if module.claims(source):
            return module
    known = "; ".join(module.TAKES for module in modules)
    if not Path(source).exists():
        raise ModelRefused(f"there is no model {source}", f"edgeq takes {known}")
    if source.endswith(".edgeq"):
        raise ModelRefused(
            f"{source} is a finished bundle, not a model", "`edgeq deploy`, `explain` and `export` take it"
        )
    raise ModelRefused(f"{source} is not a model that edgeq can read", f"edgeq takes {known}")
