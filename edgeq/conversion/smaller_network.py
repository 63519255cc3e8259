"""The float network that is quantized and trained in place of a model's own: smaller, with the same inputs and outputs."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.nouns.model import Model
from edgeq.nouns.record import digest_of
from edgeq.nouns.target import Target
from edgeq.plain_text import counted
from edgeq.request.training_options import ACTIVATIONS, TAYLOR

if TYPE_CHECKING:
    from onnx import ModelProto

    from edgeq.ingest.samples import Samples
    from edgeq.quantize.run_model import Progress
    from edgeq.quantize.samples import SamplesLike
    from edgeq.train.options import TrainingOptions
    from edgeq.train.smaller.low_rank import FactoredLayer
    from edgeq.train.training import Report


@dataclass(frozen=True)
class Smaller:
    """`prune`: the share of the multiply-accumulates that goes with channels and branches; `low_rank`: the share of those of large linear
    layers that is kept. `importance`: what channels are ranked by, gradients or activations (edgeq/train/smaller/importance.py).
    """

    prune: float = 0.0
    low_rank: float = 1.0
    importance: str = TAYLOR

    @property
    def is_whole(self) -> bool:
        """Whether nothing is asked for."""
        return self.prune <= 0 and self.low_rank >= 1


def made_smaller(
    model: Model,
    samples: "SamplesLike",
    wanted: Smaller,
    target: Target,
    kept: Path,
    work: Path,
    note: Callable[[str], None],
    progress: "Progress",
) -> Model:
    """`model` with another float graph, below `work`; itself where nothing was asked for. Pruning takes its time: what it made stays at
    `kept` until the training is over, and is not made again. Raises ModelRefused where it cannot be made so small.
    """
    if wanted.is_whole:
        return model
    from edgeq.graphs.float_graph import read
    from edgeq.graphs.onnx_io import read_onnx, write_onnx
    from edgeq.graphs.weightless import digest
    from edgeq.train.smaller.low_rank import low_rank as factored

    floats, path = read(Path(model.files["onnx"])), work / "smaller.onnx"
    isa = sorted(target.cpu.isa)  # pruning weighs layers by what they cost on this CPU
    key = digest_of(
        {"floats": digest(floats), "samples": samples.sha256, "wanted": asdict(wanted), "isa": isa}
    )
    if kept.is_file() and (known := read_onnx(kept)).doc_string == key:
        write_onnx(known, path)
        return replace(model, files={**model.files, "onnx": str(path)})
    smaller = floats
    if wanted.prune > 0:
        smaller = _pruned(floats, samples, wanted, target, note, progress)
    if wanted.low_rank < 1:
        smaller, layers = factored(
            smaller, samples, keep=wanted.low_rank, threads=target.threads, progress=progress
        )
        note(_low_rank_summary(layers))
    smaller.doc_string = key
    write_onnx(smaller, kept)
    write_onnx(smaller, path)
    return replace(model, files={**model.files, "onnx": str(path)})


def distilled_network(
    model: Model,
    smaller: Model,
    samples: "Samples",
    options: "TrainingOptions",
    checkpoint: Path,
    work: Path,
    *,
    tell: "Callable[[Report], None]",
    progress: "Progress",
    note: Callable[[str], None],
) -> tuple[Model, bool]:
    """The smaller network, trained in float for the epochs of `options` to give the outputs of `model`, below `work`; and whether Ctrl-C
    came. A network as it was has nothing to learn in float. Raises as edgeq/train/smaller/distilled.py.
    """
    if smaller is model or not options.settings.epochs:
        return smaller, False
    from edgeq.graphs.float_graph import read
    from edgeq.graphs.onnx_io import write_onnx
    from edgeq.train.smaller.distilled import RATE, distilled

    learned, interrupted = distilled(
        read(Path(model.files["onnx"])),
        read(Path(smaller.files["onnx"])),
        samples,
        replace(
            options,
            settings=replace(options.settings, learning_rate=RATE),
            temperature=options.float_temperature,
        ),
        checkpoint=checkpoint,
        tell=tell,
        progress=progress,
        note=note,
    )
    path = work / "distilled.onnx"
    write_onnx(learned, path)
    return replace(smaller, files={**smaller.files, "onnx": str(path)}), interrupted


def _pruned(
    floats: "ModelProto",
    samples: "SamplesLike",
    wanted: Smaller,
    target: Target,
    note: Callable[[str], None],
    progress: "Progress",
) -> "ModelProto":
    from edgeq.train.smaller.distilled import pruned
    from edgeq.train.smaller.kernel_time import call_price
    from edgeq.train.smaller.pruning_summary import pruning_summary

    made = pruned(
        floats,
        samples,
        wanted.prune,
        call=call_price(target.cpu.isa),
        by_activations=wanted.importance == ACTIVATIONS,
        progress=progress,
    )
    note(pruning_summary(floats, made))
    return made


def _low_rank_summary(layers: "tuple[FactoredLayer, ...]") -> str:
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
