"""Which files an ONNX model keeps weights in, by its own word. Read in the limited child."""

from pathlib import Path

from edgeq.errors import EdgeqError, ModelRefused
from edgeq.limited.ask import ask
from edgeq.limited.limits import for_file
from edgeq.limited.reader import Reader

_READER = Reader("edgeq.ingest.graph.external_files:names", ModelRefused, "the model")


def prepare() -> None:
    import onnx  # noqa: F401


def external_files(path: Path) -> list[Path]:
    """None for what is no model: whoever opens it says what is wrong with it."""
    try:
        found, _ = ask(_READER, path, for_file(path.stat().st_size))
    except EdgeqError:
        return []
    return [path.parent / name for name in found]


def names(path: str) -> list[str]:
    """Runs in the child."""
    import onnx

    from edgeq.ingest.graph.subgraphs import tensors

    model = onnx.load(path, load_external_data=False)
    external = (t for t in tensors(model) if t.data_location == onnx.TensorProto.EXTERNAL)
    return sorted({entry.value for t in external for entry in t.external_data if entry.key == "location"})
