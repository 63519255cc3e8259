"""load(): a bundle, a model file or a folder with a contract as a model that runs here."""

import os
import tempfile
from pathlib import Path
from typing import Any

from edgeq.application import edgeq_runtime
from edgeq.errors import BundleRefused, ExtraMissing, ModelRefused
from edgeq.foreign import quiet
from edgeq.loaded.from_bundle import from_bundle
from edgeq.loaded.from_file import RUNTIMES, from_file
from edgeq.loaded.from_folder import from_contract, from_folder
from edgeq.loaded.model import LoadedModel
from edgeq.loaded.source import Source
from edgeq.nouns.progress import Note
from edgeq.request.accepts import accepts
from edgeq.request.paths import is_path
from edgeq.request.requests import LoadRequest

_LOADABLE = "a .edgeq bundle, an .onnx or .tflite file, or a folder with contract.json"


@accepts(LoadRequest)
def load(request: LoadRequest) -> LoadedModel:
    """Load a model to run it in this process, as an application on a device does (edgeq_runtime.py).

    Of a bundle the first candidate is taken whose runtime is installed here: the one expected to be fastest of those that passed
    the gate, which a deploy without a race would activate. A file that was exported with its contract beside it
    (net.contract.json) has the names and the preprocessing of that. Load only what you trust: a model runs with your
    rights. Raises BundleRefused, ModelRefused, TargetRefused for a candidate that there is not, ExtraMissing.
    """
    path = _existing(request.model)
    folder = tempfile.TemporaryDirectory(prefix="edgeq-")
    try:
        source = _source(path, request.candidate, Path(folder.name))
        for note in source.notes:
            request.tell(Note(note))
        return LoadedModel(source, _opened(source, request.threads), folder)
    except BaseException:
        folder.cleanup()
        raise


def _existing(model: Any) -> Path:
    if not is_path(model):
        raise TypeError(
            f"load takes the path of {_LOADABLE}, not {type(model).__name__}; edgeq.quantize takes a torch module"
        )
    path = Path(os.fspath(model)).expanduser()
    if not path.exists():
        raise ModelRefused(f"{path} is not there", f"name {_LOADABLE}")
    return path


def _source(path: Path, candidate: str | None, folder: Path) -> Source:
    suffix = path.suffix.lower()
    if path.is_dir():
        return from_folder(path, candidate)
    if suffix == ".edgeq":
        return from_bundle(path, candidate, folder)
    if suffix == ".json":
        return from_contract(path, candidate, path)
    if suffix not in RUNTIMES:
        raise ModelRefused(
            f"{path} is nothing that can be loaded",
            f"name {_LOADABLE}; `edgeq.quantize` converts a torch factory or a .pt2",
        )
    beside = path.with_name(f"{path.stem}.contract.json")
    if beside.is_file():
        return from_contract(beside, candidate, path)
    return from_file(path, candidate, folder)


def _opened(source: Source, threads: int | None) -> edgeq_runtime.Model:
    """Raises ExtraMissing, BundleRefused and ModelRefused in place of what the runtime raises."""
    try:
        with quiet():
            return edgeq_runtime.load(source.contract_file, threads=threads)
    except edgeq_runtime.LoadError as error:
        kind = ExtraMissing if isinstance(error.__cause__, ImportError) else BundleRefused
        raise kind(str(error)) from error
    except Exception as error:  # what runtimes raise has no common class
        words = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelRefused(f"{source.contract.runtime} does not load {source.model}: {words}") from error
