"""How `edgeq finetune` trains, by its options. Torch is imported as they are read."""

from typing import TYPE_CHECKING

from edgeq.errors import TargetRefused
from edgeq.request.requests import FinetuneRequest
from edgeq.request.training_options import features_of

if TYPE_CHECKING:
    from edgeq.train.options import TrainingOptions


def training_options(request: FinetuneRequest) -> "TrainingOptions":
    """Raises TargetRefused for options that contradict each other."""
    from edgeq.train.augment import Augmentation
    from edgeq.train.low_bits import Bits
    from edgeq.train.options import TrainingOptions, usual_rate
    from edgeq.train.training import Settings
    from edgeq.train.weight_levels import UNIFORM, bits_of

    kind = request.levels or UNIFORM
    mean = _mean_bits(request, kind)
    whole = None if request.weight_bits is None else int(request.weight_bits)
    bits = Bits(bits_of(kind, whole), request.activation_bits or 8, kind)
    rate = request.learning_rate
    return TrainingOptions(
        bits=bits,
        settings=Settings(
            request.epochs,
            usual_rate(bits) if rate is None else rate,
            patience=request.patience,
        ),
        batch=request.batch,
        label_share=request.label_share,
        temperature=request.temperature,
        features=features_of(request.features),
        augmentation=Augmentation(request.flip, request.crop),
        seed=request.seed,
        device=request.device,
        sparsity=_sparsity(request, kind),
        mean_bits=mean,
    )


def _mean_bits(request: FinetuneRequest, kind: str) -> float | None:
    """None where all layers have the same number."""
    mean = request.weight_bits
    if mean is None or mean % 1 == 0:
        return None
    if kind != "uniform" or mean < 2:
        raise TargetRefused(
            f"--weight-bits {mean:g} gives each layer its own number of bits, 2 to 8, and needs uniform levels",
            "take a whole number, or leave out --levels",
        )
    return mean


def _sparsity(request: FinetuneRequest, kind: str) -> float:
    share = request.sparsity or 0.0
    if share and kind != "uniform":
        raise TargetRefused(
            f"--sparsity needs a level at zero for every layer, and --levels {kind} has its own levels",
            "leave out one of them",
        )
    return share
