"""The options of a training, each a field."""

from dataclasses import dataclass
from typing import Any

from edgeq.nouns.weight_levels import KINDS
from edgeq.request.option import option
from edgeq.request.paths import AnyPath

LEARNED, OBSERVED = "learned", "ema"
TAYLOR, ACTIVATIONS = "taylor", "activations"
_ONLY_HERE: dict[str, Any] = {"toml": None}


def epochs_of(epochs: float | None) -> float:
    return epochs or 0.0


def flip_of(flip: bool | None) -> bool:
    return bool(flip)


def crop_of(pixels: int | None) -> int:
    return pixels or 0


@dataclass(frozen=True, eq=False, kw_only=True)
class WithFinetuning:
    """A training as a part of a conversion; what it does not say is the default of WithTraining."""

    finetune: float | None = option(
        "Also train the quantized network (docs/training.md) for so many epochs; a fifth of --data only judges; default: none.",
        least=0,
        metavar="EPOCHS",
        parse=epochs_of,
        example="2  # epochs for which the quantized network is trained; a fifth of the samples only judges",
    )
    flip: bool | None = option(
        "With --finetune: mirror every second image, by chance, left to right.", parse=flip_of
    )
    crop: int | None = option(
        "With --finetune: shift images by up to so many pixels, by chance.",
        least=0,
        metavar="PIXELS",
        parse=crop_of,
    )
    activation_bits: int | None = option(
        "With --finetune: bits of what inner layers read, for onnxruntime; default: 8.",
        least=2,
        most=8,
        metavar="BITS",
    )
    prune: float | None = option(
        "With --finetune: remove channels and residual branches with so much of the multiply-accumulates, 0 to 1, and train what is left, first in float.",
        least=0,
        most=0.99,
        metavar="SHARE",
    )
    low_rank: float | None = option(
        "With --finetune: make two factors of large linear and 1x1 layers, so that they take so much of their multiplications, 0 to 1.",
        least=0.01,
        most=1,
        metavar="SHARE",
    )
    sparsity: float | None = option(
        "With --finetune: make so much of the inner layers' weights zero, 0 to 1: only smaller to send.",
        least=0,
        most=0.99,
        metavar="SHARE",
    )


def features_of(names: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (names or "").split(",") if name.strip())


@dataclass(frozen=True, eq=False, kw_only=True)
class WithTraining:
    """How a quantized network is trained (docs/training.md)."""

    weight_bits: float | None = option(
        "Bits of the weights, but of the first and the last layer, which keep 8; 3.5: each layer has its own, so many in the mean; default: 8.",
        least=1,
        most=8,
        metavar="BITS",
        **_ONLY_HERE,
    )
    levels: str | None = option(
        "What weights of few bits are: uniform integers, additive powers of two (apot), a codebook of each channel, or two or three "
        "values with a scale; default: uniform.",
        choices=KINDS,
        **_ONLY_HERE,
    )
    activation_bits: int | None = option(
        "Bits of what these layers read; default: 8.", least=2, most=8, metavar="BITS", **_ONLY_HERE
    )
    prune: float | None = option(
        "Remove the channels and residual branches that cost the outputs least, and with them so much of the multiply-accumulates, 0 to 1; "
        "default: none.",
        least=0,
        most=0.99,
        metavar="SHARE",
        **_ONLY_HERE,
    )
    importance: str | None = option(
        "With --prune: which channels matter least, by what the outputs lose without them as gradients tell (taylor) or by how large they are "
        "(activations); what a round costs is measured either way; default: taylor.",
        choices=(TAYLOR, ACTIVATIONS),
        **_ONLY_HERE,
    )
    sparsity: float | None = option(
        "Make so much of the weights zero, 0 to 1, but of the first and the last layer, and train the others: only smaller to send; default: none.",
        least=0,
        most=0.99,
        metavar="SHARE",
        **_ONLY_HERE,
    )
    low_rank: float | None = option(
        "Make two factors of large linear and 1x1 layers, so that they take so much of their multiplications, 0 to 1; default: all of them.",
        least=0.01,
        most=1,
        metavar="SHARE",
        **_ONLY_HERE,
    )
    activation_ranges: str = option(
        "What the ranges of activations follow: the loss (learned), or the range of each mini-batch by an exponential moving average (ema), "
        "from what calibration chose on.",
        LEARNED,
        choices=(LEARNED, OBSERVED),
        shows_default=True,
        **_ONLY_HERE,
    )
    epochs: float = option(
        "How often each sample is trained on; a fraction is a part of the first.",
        5.0,
        least=0,
        metavar="N",
        shows_default=True,
        **_ONLY_HERE,
    )
    float_epochs: float | None = option(
        "With --prune or --low-rank: epochs in which the smaller network learns in float, before it is quantized; default: as many as "
        "--epochs.",
        least=0,
        metavar="N",
        **_ONLY_HERE,
    )
    learning_rate: float | None = option(
        "The share of itself by which a step moves a weight, at the peak; default: 0.01, lower where steps are few, 0.02 below 3 bits, 0.001 with 8.",
        least=0,
        metavar="RATE",
        **_ONLY_HERE,
    )
    batch: int = option(
        "Samples in a mini-batch.", 128, least=1, metavar="N", shows_default=True, **_ONLY_HERE
    )
    label_share: float = option(
        "The labels' share in the loss, 0 to 1; the rest is the distance to float's outputs, which needs no labels.",
        0.0,
        least=0,
        most=1,
        metavar="SHARE",
        shows_default=True,
        **_ONLY_HERE,
    )
    temperature: float | None = option(
        "The temperature of the distillation of class scores; default: 2, and 4 while a smaller network learns in float.",
        least=0.1,
        metavar="T",
        **_ONLY_HERE,
    )
    features: str | None = option(
        "Tensors of the float graph that are distilled too, separated by commas.",
        metavar="NAMES",
        parse=features_of,
        **_ONLY_HERE,
    )
    flip: bool = option("Mirror every second image, by chance, left to right.", False, **_ONLY_HERE)
    crop: int = option(
        "Shift images by up to so many pixels, by chance.", 0, least=0, metavar="PIXELS", **_ONLY_HERE
    )
    patience: int = option(
        "Stop after so many evaluations, two an epoch, without a better one; 0: never.",
        10,
        least=0,
        metavar="N",
        shows_default=True,
        **_ONLY_HERE,
    )
    seed: int = option(
        "Of the order of samples and their changes.",
        0,
        least=0,
        most=2**31 - 1,
        metavar="N",
        shows_default=True,
        **_ONLY_HERE,
    )
    device: str = option(
        "What torch computes on: cpu, cuda, cuda:1.", "cpu", metavar="NAME", shows_default=True, **_ONLY_HERE
    )
    tensorboard: AnyPath | None = option(
        "Write event files for TensorBoard into this folder.", metavar="DIR", **_ONLY_HERE
    )
