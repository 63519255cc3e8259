"""How a network is trained."""

from dataclasses import dataclass, field

from edgeq.train.augment import UNCHANGED, Augmentation
from edgeq.train.low_bits import Bits
from edgeq.train.training import Settings

_SETTLED, _LEAST_SHARE = 250, 0.25  # steps


@dataclass(frozen=True)
class TrainingOptions:
    """`bits` of all layers but the first and the last. `label_share`: the labels' weight in the loss, 0 to 1; distillation from float has
    the rest. `features`: tensors of the float graph that the network is also to have. `temperature` of class scores that are distilled, and
    `float_temperature` while a smaller network learns in float: it is farther from what it learns. `device`: torch's name of it. `sparsity`: the share
    of the weights of these layers that are zero, 0 to 1. `mean_bits`: of the weights of what is begun with, where it has fewer than 8.
    `observed_ranges`: those of activations follow what comes, in place of being learned. `rate_by_steps`: few steps have a lower learning rate.
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
    rate_by_steps: bool = False


def usual_rate(bits: Bits, mean_bits: float | None = None) -> float:
    """The learning rate where none is asked for: fewer bits are further from float, and have further to go."""
    fewest = min(bits.weights, bits.activations)
    if fewest == 8 and mean_bits is not None:
        return 0.002
    return 0.001 if fewest == 8 else 0.01 if fewest >= 3 else 0.02


def share_of_rate(bits: Bits, steps: int) -> float:
    """Of the usual rate, in a training of few steps: what large steps shake is not settled by its end. ResNet-20 with 3 bits ended with
    losses of 0.19 (rate 0.005) and 0.57 (0.02) after 19 steps, 0.31 and 0.57 after 44, and 0.25 (0.006) and 0.40 after 148; with 2 bits, which begin
    far away, with 1.69 (0.006) and 1.29 (0.02) after 148.
    """
    if not 3 <= min(bits.weights, bits.activations) < 8:
        return 1.0
    return min(max(steps / _SETTLED, _LEAST_SHARE), 1.0)
