"""Opens a trained model from any source as a clean float graph.

The kinds of source are the files in `sources/`: each says whether it claims a source and opens it.
This file knows none of them.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import ModelRefused
from edgeq.ingest import sources
from edgeq.ingest.float_model import FloatModel
from edgeq.ingest.request import Request
from edgeq.ingest.varied import Survey
from edgeq.model_name import model_name
from edgeq.nouns.model import Model
from edgeq.nouns.tensor import TensorSpec
from edgeq.user_code import names_code

if TYPE_CHECKING:
    from edgeq.ingest.pytorch.traced import Program

_NO_SHAPES: Mapping[str, tuple[int, ...]] = MappingProxyType({})


def open_model(
    source: str,
    *,
    workdir: Path,
    name: str | None = None,
    weights: Path | None = None,
    shapes: Mapping[str, tuple[int, ...]] = _NO_SHAPES,
    formats: tuple[str, ...] = ("onnx",),
    example: tuple[np.ndarray, ...] | None = None,
    program: "Program | None" = None,
    cache: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    survey: Callable[[tuple[TensorSpec, ...]], Survey | None] = lambda _: None,
    look: Callable[[FloatModel], None] = lambda _: None,
) -> Model:
    """Clean graphs of `source` in `workdir`, byte-identical for the same source; formats that cannot be had are in
    `Model.absent` with the reason. `program` is what a torch factory built, so that it is not built twice.
    TFLite is made from an ONNX source by a converter whose environment is built below `cache` on first use; without a
    `cache`, never. `say` hears what takes long. `survey` says whether the samples differ in shape: an ONNX graph
    then keeps open what differs (request.py). `look` is given the float model before anything is exported or converted; of
    a `program`, whoever built it has looked.

    Raises ModelRefused naming the operator, input or field; ExtraMissing when an optional package is needed.
    """
    if weights is not None and not names_code(source):
        raise ModelRefused(
            f"{source} contains its own weights, so {weights} would not be used",
            "--weights is for a torch factory such as net.py:build; leave it out",
        )
    workdir.mkdir(parents=True, exist_ok=True)
    name = name or model_name(source)
    request = Request(
        source, workdir, name, weights, shapes, formats, example, program, cache, say, survey, look=look
    )
    model: Model = _claimant(source).open_source(request)
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
