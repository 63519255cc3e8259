"""Post-training quantization as the start of a training: the QDQ file of a model with the integers of a target."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan
from edgeq.nouns.target import Target
from edgeq.nouns.weight_levels import UNIFORM

if TYPE_CHECKING:
    from edgeq.quantize.options import Options
    from edgeq.quantize.run_model import Progress
    from edgeq.quantize.samples import SamplesLike
    from edgeq.train.finetune import Start

RECIPE, RUNTIME = "int8_static", "onnxruntime"
"""The network that is trained is always the QDQ file; LiteRT's is made from it."""


def start_of(
    target: Target,
    model: Model,
    calibration: "SamplesLike",
    work: Path,
    options: "Options",
    progress: "Progress",
    mean_bits: float | None = None,
) -> "Start":
    """Every layer that `options` quantize, in 8 bits: a training chooses its own scales for fewer. With `mean_bits` weights have so many on
    average, as without a training, which their levels are then chosen for. Raises as quantize/make.py.
    """
    from edgeq.graphs.onnx_io import read_onnx
    from edgeq.quantize.make import quantized
    from edgeq.train.finetune import Start

    q, path = quantized(
        static_candidate(target, model),
        model,
        calibration,
        workdir=work,
        options=replace(options, weight_bits=mean_bits or 8, levels=UNIFORM),
        progress=progress,
    )
    assert q.scheme is not None
    evaluated_as = RUNTIME if _first_runtime(target) == RUNTIME else "litert"
    return Start(read_onnx(path), q.graph, q.scheme, model.sha256, runtime=evaluated_as)


def static_candidate(target: Target, model: Model) -> CandidatePlan:
    """Static int8 with the target's integers, as an ONNX file. A device that has LiteRT alone takes signed ones."""
    from edgeq.graphs.float_graph import PER_CHANNEL_OPSET
    from edgeq.graphs.onnx_io import opset_of
    from edgeq.graphs.weights_in_file import read_weightless
    from edgeq.quantize.scheme import scheme_for

    scheme, why = scheme_for(_first_runtime(target), target.cpu.arch, target.cpu.isa)
    if opset_of(read_weightless(Path(model.files["onnx"]))) < PER_CHANNEL_OPSET:
        scheme = replace(scheme, per_channel=False)
    return CandidatePlan(f"{RUNTIME}-{RECIPE}", RUNTIME, RECIPE, "onnx", why, scheme=scheme)


def _first_runtime(target: Target) -> str:
    runtimes = [each.name for each in target.runtimes]
    return RUNTIME if RUNTIME in runtimes else runtimes[0]
