"""The one place that constructs LiteRT interpreters on this host, and gives them their inputs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import ConversionFailed, ExtraMissing
from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.input_integers import input_integers

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

Array = npt.NDArray[Any]


def interpreter_of(path: Path, threads: int, *, keep_all: bool = False) -> "Interpreter":
    """Of a file, with its tensors allocated; `keep_all` keeps every intermediate tensor readable. Raises ExtraMissing
    without LiteRT, ConversionFailed when it does not load the file.
    """
    try:
        import ai_edge_litert.interpreter  # noqa: F401
    except ImportError:
        raise ExtraMissing(
            "LiteRT is not installed, so a .tflite candidate cannot be judged on this host",
            "pip install 'edgeq[litert]', or deploy with --runtime onnxruntime",
        ) from None
    with as_conversion_failed(f"LiteRT does not load {path.name}"):
        return open_interpreter(path, threads, keep_all=keep_all)


def open_interpreter(
    model: Path | bytes,
    threads: int,
    *,
    keep_all: bool = False,
    delegates: bool = True,
    shapes: Sequence[tuple[int, ...]] = (),
) -> "Interpreter":
    """Without `delegates` the graph's own operators are run, not XNNPACK's. `shapes` are those of its inputs, where they
    may differ from the file's. Raises whatever LiteRT raises.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.AUTO if delegates else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    given: dict[str, Any] = (
        {"model_path": str(model)} if isinstance(model, Path) else {"model_content": model}
    )
    with quiet():
        interpreter = Interpreter(
            **given,
            num_threads=threads,
            experimental_preserve_all_tensors=keep_all,
            experimental_op_resolver_type=kind,
        )
        for detail, shape in zip(interpreter.get_input_details(), shapes, strict=False):
            if tuple(detail["shape"]) != shape:
                interpreter.resize_tensor_input(detail["index"], shape)
        interpreter.allocate_tensors()
    return interpreter


def feed(interpreter: "Interpreter", arrays: tuple[Array, ...]) -> None:
    """Sets the inputs, quantizing them where the file wants integers and resizing where a shape differs."""
    details = interpreter.get_input_details()
    if len(details) != len(arrays):
        raise ConversionFailed(f"the .tflite takes {len(details)} inputs and the samples have {len(arrays)}")
    resized = [d for d, a in zip(details, arrays, strict=True) if tuple(d["shape"]) != a.shape]
    for detail, array in zip(details, arrays, strict=True):
        if tuple(detail["shape"]) != array.shape:
            interpreter.resize_tensor_input(detail["index"], array.shape)
    if resized:
        interpreter.allocate_tensors()
    for detail, array in zip(details, arrays, strict=True):
        interpreter.set_tensor(detail["index"], _of_input(array, detail))


def _of_input(array: Array, detail: dict[str, Any]) -> Array:
    scale, zero = detail["quantization"]
    if not scale or not np.issubdtype(array.dtype, np.floating):
        return np.asarray(array, detail["dtype"])
    return input_integers(array, detail["dtype"], scale, zero)
