"""Which networks a conversion trains (--finetune): the one that is asked for, or with --recipe auto several, of which gate and race choose."""

from dataclasses import dataclass, field
from pathlib import Path

from edgeq.conversion.smaller_network import Smaller
from edgeq.conversion.training_settings import FewerBits
from edgeq.graphs.macs import graph_macs
from edgeq.nouns.model import Model
from edgeq.nouns.recipe import AUTO
from edgeq.nouns.weight_levels import UNIFORM, levels_of
from edgeq.quantize.trained_candidate import TrainedNetwork
from edgeq.request.conversion_options import ConversionOptions
from edgeq.request.training_options import epochs_of

_LINEAR = ("Gemm", "MatMul")
_MOSTLY_LINEAR = 0.5  # of the weights: from here on two factors of the linear layers are worth a training


@dataclass(frozen=True)
class WantedTraining:
    """`variant`: as its candidates' ids end; empty of the one that is asked for. `why`: what another one is for."""

    epochs: float
    variant: str = ""
    why: str = ""
    fewer: FewerBits = field(default_factory=FewerBits)
    smaller: Smaller = field(default_factory=Smaller)

    @property
    def of(self) -> str:
        """The name of its steps in what is planned."""
        return f"training {self.variant}".rstrip()

    def planned(self, why_none: str = "") -> TrainedNetwork:
        """What a plan has to know of it; `why_none` where nothing came of it."""
        bits, levels = self.fewer.weight_bits or 8, levels_of(self.fewer.levels)
        return TrainedNetwork(not why_none, "", self.epochs, why_none, bits, self.variant, self.why, levels)


def wanted_trainings(options: ConversionOptions, model: Model | None = None) -> tuple[WantedTraining, ...]:
    """The first is the usual one. `model`: once its graph is open; before, the linear layers count for few."""
    epochs = epochs_of(options.finetune)
    if not epochs:
        return ()
    levels = None if levels_of(options.levels) == UNIFORM else options.levels
    fewer = FewerBits(options.weight_bits, options.activation_bits, levels, options.sparsity)
    low_rank = 1.0 if options.low_rank is None else options.low_rank
    first = WantedTraining(epochs, fewer=fewer, smaller=Smaller(options.prune or 0.0, low_rank))
    if options.recipe != AUTO or first != WantedTraining(epochs):
        return (first,)
    others = (
        WantedTraining(epochs, "2.5bit", "2.5 bits a weight on average: smaller to send", FewerBits(2.5)),
        WantedTraining(epochs, "pruned-30", "0.7 of the multiplications", smaller=Smaller(0.3)),
        WantedTraining(epochs, "pruned-50", "0.5 of the multiplications", smaller=Smaller(0.5)),
    )
    if model is None or not _mostly_linear(model):
        return (first, *others)
    words = "linear layers of two factors, with 0.5 of their multiplications"
    return (first, *others, WantedTraining(epochs, "low-rank-50", words, smaller=Smaller(low_rank=0.5)))


def _mostly_linear(model: Model) -> bool:
    if "onnx" not in model.files:
        return False
    return graph_macs(Path(model.files["onnx"]), "onnx").weight_share(_LINEAR) >= _MOSTLY_LINEAR
