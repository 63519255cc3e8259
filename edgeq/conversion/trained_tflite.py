"""The TFLite graph of a trained network: what its QDQ file computes, in float, converted as an ONNX source is."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.conversion import cache
from edgeq.errors import EdgeqError
from edgeq.ingest.onnx_to_tflite import CONVERTER, convert
from edgeq.nouns.model import Model
from edgeq.nouns.progress import Progress
from edgeq.nouns.training import TrainedFile
from edgeq.request.tell import Tell

if TYPE_CHECKING:
    from onnx import ModelProto

STEP = f"convert the trained network to TFLite ({CONVERTER})"


def with_tflite(network: TrainedFile, model: Model, work: Path, tell: Tell) -> TrainedFile:
    """A network that was trained from `model`; where the target takes TFLite with the graph, or why there is none, which the plan says."""
    if "tflite" not in model.files:
        return network
    from edgeq.graphs.onnx_io import read_onnx

    trained = read_onnx(Path(network.onnx))
    why = _why_not(trained)
    if why:
        return replace(network, why_no_tflite=why)
    tell(Progress(STEP, 0, None, ""))
    try:
        return replace(network, tflite=str(converted(trained, model, work, cache.folder(), tell)))
    except EdgeqError as error:
        why = f"{error.what}; {error.remedy}" if error.remedy else error.what
        return replace(network, why_no_tflite=why)


def _why_not(trained: "ModelProto") -> str:
    from edgeq.quantize.trained.numbers import limited_to_fewer

    bits = limited_to_fewer(trained)
    if bits == 8:
        return ""
    return f"activations of {bits} bits have no TFLite form: only onnxruntime runs them"


def converted(trained: "ModelProto", model: Model, work: Path, converters: Path, tell: Tell) -> Path:
    """The float graph of a QDQ file, with the ends of `model`. `converters`: the folder that has onnx2tf's environment. Raises as
    onnx_to_tflite.convert.
    """
    from edgeq.graphs.onnx_io import write_onnx
    from edgeq.quantize.trained.float_graph import float_graph

    source, out = work / "trained_float.onnx", work / "trained.tflite"
    write_onnx(float_graph(trained), source)
    convert(
        source,
        out,
        inputs=model.inputs,
        outputs=model.outputs,
        example=None,
        cache=converters,
        say=lambda text: tell(Progress(text, 0, None, "")),
    )
    return out
