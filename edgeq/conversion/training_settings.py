"""How `edgeq finetune` and a conversion train, by their options. Torch is imported as they are read."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgeq.errors import TargetRefused
from edgeq.nouns.weight_levels import UNIFORM, bits_of
from edgeq.request.requests import FinetuneRequest
from edgeq.request.training_options import OBSERVED, features_of

if TYPE_CHECKING:
    from edgeq.train.options import TrainingOptions


@dataclass(frozen=True)
class FewerBits:
    """What is asked for of weights and activations: `weight_bits` a whole number, or the mean of numbers of each layer's own; `levels` of
    the weights; `sparsity` the share of them that is zero. None: as with 8 bits.
    """

    weight_bits: float | None = None
    activation_bits: int | None = None
    levels: str | None = None
    sparsity: float | None = None


def training_options(request: FinetuneRequest) -> "TrainingOptions":
    """Raises TargetRefused for options that contradict each other."""
    from edgeq.train.augment import Augmentation

    if request.importance is not None and not request.prune:
        raise TargetRefused(
            f"--importance {request.importance} says which channels --prune removes, and none are removed",
            "add --prune SHARE, or leave out --importance",
        )
    if request.float_epochs and not request.prune and request.low_rank in (None, 1.0):
        raise TargetRefused(
            f"--float-epochs {request.float_epochs:g} trains a smaller network in float, and the network stays as it is",
            "add --prune or --low-rank SHARE, or leave out --float-epochs",
        )
    fewer = FewerBits(request.weight_bits, request.activation_bits, request.levels, request.sparsity)
    options = options_for(fewer, request.epochs, request.learning_rate)
    return replace(
        options,
        settings=replace(options.settings, patience=request.patience),
        batch=request.batch,
        label_share=request.label_share,
        temperature=request.temperature or options.temperature,
        float_temperature=request.temperature or options.float_temperature,
        features=features_of(request.features),
        augmentation=Augmentation(request.flip, request.crop),
        seed=request.seed,
        device=request.device,
        observed_ranges=request.activation_ranges == OBSERVED,
    )


def options_for(fewer: FewerBits, epochs: float, rate: float | None = None) -> "TrainingOptions":
    """The defaults, for so few bits. `rate`: the learning rate; default: the usual one. Raises TargetRefused for options that contradict
    each other.
    """
    from edgeq.train.low_bits import Bits
    from edgeq.train.options import TrainingOptions, usual_rate
    from edgeq.train.training import Settings

    kind = fewer.levels or UNIFORM
    mean = _mean_bits(fewer.weight_bits, kind)
    whole = 8 if mean else None if fewer.weight_bits is None else int(fewer.weight_bits)
    bits = Bits(bits_of(kind, whole), fewer.activation_bits or 8, kind)
    settings = Settings(epochs, usual_rate(bits, mean) if rate is None else rate)
    return TrainingOptions(
        settings,
        bits,
        sparsity=_sparsity(fewer.sparsity, kind),
        mean_bits=mean,
        rate_by_steps=rate is None,
    )


def _mean_bits(asked: float | None, kind: str) -> float | None:
    """None where all layers have the same number."""
    if asked is None or asked % 1 == 0:
        return None
    if kind != "uniform" or asked < 2:
        raise TargetRefused(
            f"--weight-bits {asked:g} gives each layer its own number of bits, 2 to 8, and needs uniform levels",
            "take a whole number, or leave out --levels",
        )
    return asked


def _sparsity(asked: float | None, kind: str) -> float:
    share = asked or 0.0
    if share and kind != "uniform":
        raise TargetRefused(
            f"--sparsity needs a level at zero for every layer, and --levels {kind} has its own levels",
            "leave out one of them",
        )
    return share
