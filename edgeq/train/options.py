"""How a network is trained."""

from dataclasses import dataclass, field

from edgeq.train.augment import UNCHANGED, Augmentation
from edgeq.train.low_bits import Bits
from edgeq.train.training import Settings


@dataclass(frozen=True)
class TrainingOptions:
    """`bits` of all layers but the first and the last. `label_share`: the labels' weight in the loss, 0 to 1; distillation from float has
    the rest. `features`: tensors of the float graph that the network is also to have. `temperature` of class scores that are distilled, and
    `float_temperature` while a smaller network learns in float: it is farther from what it learns. `device`: torch's name of it. `sparsity`: the share
    of the weights of these layers that are zero, 0 to 1. `mean_bits`: of the weights of what is begun with, where it has fewer than 8.
    `observed_ranges`: those of activations follow what comes, in place of being learned.
    """

    settings: Settings
    bits: Bits = field(default_factory=Bits)
    batch: int = 128
    label_share: float = 0.0
    temperature: float = 2.0
    float_temperature: float = 4.0
    features: tuple[str, ...] = ()
    augmentation: Augmentation = UNCHANGED
    seed: int = 0
    device: str = "cpu"
    sparsity: float = 0.0
    mean_bits: float | None = None
    observed_ranges: bool = False


def usual_rate(bits: Bits, mean_bits: float | None = None) -> float:
    """The learning rate where none is asked for: fewer bits are further from float, and have further to go."""
    fewest = min(bits.weights, bits.activations)
    if fewest == 8 and mean_bits is not None:
        return 0.002
    return 0.001 if fewest == 8 else 0.01 if fewest >= 4 else 0.02
