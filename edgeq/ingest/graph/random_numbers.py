"""Refuses a graph that draws random numbers: two runs on one input differ, so nothing can be compared with it."""

from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import ModelRefused
from edgeq.graphs.onnx_index import model_nodes
from edgeq.graphs.op_sets import RANDOM
from edgeq.ingest.graph.trial import CannotRun, references, steady
from edgeq.nouns.tensor import TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto

NOISE_AS_INPUT = "make the noise a model input, or export it with fixed noise"
_IN_TRAINING = "export it for inference: model.eval(), and no training mode in the exporter"


def refuse_random(
    model: "ModelProto",
    source: "ModelProto | str",
    inputs: tuple[TensorSpec, ...],
    example: tuple[np.ndarray, ...] | None,
) -> None:
    """`source` is what the runtime is given: `model`, or its path. A graph whose random numbers do not reach its outputs
    is taken. Raises ModelRefused naming the operators.
    """
    drawing = [node for node in model_nodes(model) if node.op_type in RANDOM]
    if not drawing:
        return
    try:
        if all(steady(source, feed) for feed, _ in references(source, inputs, example)):
            return
    except CannotRun:
        return
    named = ", ".join(f"{n.op_type} {n.name or n.output[0]!r}" for n in drawing[:3])
    only_dropout = all(node.op_type == "Dropout" for node in drawing)
    raise refusal(named, _IN_TRAINING if only_dropout else NOISE_AS_INPUT)


def refusal(named: str, remedy: str = NOISE_AS_INPUT) -> ModelRefused:
    """`named` are the operators that draw."""
    return ModelRefused(
        f"the model draws random numbers ({named}): its outputs differ from run to run, so candidates cannot be compared with float",
        remedy,
    )
