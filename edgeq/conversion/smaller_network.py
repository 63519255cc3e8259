"""The float network that is quantized and trained in place of a model's own: smaller, with the same inputs and outputs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.nouns.model import Model
from edgeq.nouns.progress import Note
from edgeq.plain_text import counted
from edgeq.request.tell import Tell, shares

if TYPE_CHECKING:
    from edgeq.quantize.samples import SamplesLike
    from edgeq.train.smaller.low_rank import FactoredLayer


def made_smaller(
    model: Model, samples: "SamplesLike", low_rank: float | None, threads: int, work: Path, tell: Tell
) -> Model:
    """`model` with another float graph, below `work`; itself where nothing was asked for. `low_rank`: the share of the multiplications of
    its large linear layers that is kept. Raises ModelRefused where it cannot be made so small.
    """
    if low_rank is None or low_rank >= 1:
        return model
    from edgeq.graphs.float_graph import read
    from edgeq.graphs.onnx_io import write_onnx
    from edgeq.train.smaller.low_rank import low_rank as factored

    floats, path = read(Path(model.files["onnx"])), work / "smaller.onnx"
    smaller, layers = factored(floats, samples, keep=low_rank, threads=threads, progress=shares(tell))
    write_onnx(smaller, path)
    tell(Note(_told(layers)))
    return replace(model, files={**model.files, "onnx": str(path)})


def _told(layers: "tuple[FactoredLayer, ...]") -> str:
    before, after = sum(each.macs_before for each in layers), sum(each.macs for each in layers)
    listed = ", ".join(
        f"{each.name} ({each.rank} of {min(each.inputs, each.outputs)})" for each in layers[:6]
    )
    more = f" and {len(layers) - 6} more" if len(layers) > 6 else ""
    worst = max((each.error for each in layers), default=0.0)
    return (
        f"{counted(len(layers), 'linear layer')} of two factors, {before:,} multiplications -> {after:,}; at most {worst:.1%} of a layer's "
        f"variance is lost; ranks: {listed}{more}"
    )
