"""The graphs that a traced torch program was exported to, kept for another target, gate or name.

They are found by what was traced, not by how it came about. A graph that failed to export is not kept.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgeq.conversion import cache
from edgeq.conversion.conversion_job import tool_versions
from edgeq.conversion.recognition import Built
from edgeq.graphs.onnx_io import external_locations, read_onnx
from edgeq.ingest.request import Request
from edgeq.installed import installed_versions
from edgeq.nouns.model import Model
from edgeq.nouns.record import canonical_json
from edgeq.quantize.calibration.array_cache import ArrayCache

_FORMAT = 2  # rises with a change by which the same program gives other graphs
_MOST = 2 * 2**30  # bytes
_EXPORTERS = ("onnxscript", "onnx-ir")


def find(built: Built, request: Request) -> Model | None:
    """As `open_model` would give it, its files written to the request's folder."""
    stored = _cache().find(**_facts(built, request.formats))
    if stored is None:
        return None
    try:
        model = Model.from_dict(json.loads(stored["json"].tobytes()))
    except (KeyError, ValueError):  # another version of edgeq wrote it
        return None
    request.workdir.mkdir(parents=True, exist_ok=True)
    files = {}
    for kind in (name for name in stored if name != "json"):
        path = request.path(f".{kind}")
        path.write_bytes(stored[kind].tobytes())
        files[kind] = str(path)
    return replace(model, name=request.name, source=request.source, files=files)


def put(built: Built, request: Request, model: Model) -> None:
    paths = [Path(file) for file in model.files.values()]
    if model.absent or set(model.files) != set(request.formats) or any(map(_has_files_beside, paths)):
        return
    contents = {kind: np.frombuffer(Path(file).read_bytes(), np.uint8) for kind, file in model.files.items()}
    about = np.frombuffer(canonical_json(replace(model, files={}).to_dict()), np.uint8)
    _cache().put({**contents, "json": about}, **_facts(built, request.formats))


def _has_files_beside(path: Path) -> bool:
    return path.suffix == ".onnx" and bool(external_locations(read_onnx(path, weights=False)))


def _cache() -> ArrayCache:
    return ArrayCache(cache.folder() / "exported", _MOST, compressed=False)


def _facts(built: Built, formats: tuple[str, ...]) -> dict[str, object]:
    return {
        "format": _FORMAT,
        "built": built.to_dict(),
        "formats": sorted(formats),
        "versions": tool_versions() | installed_versions(_EXPORTERS),
    }
