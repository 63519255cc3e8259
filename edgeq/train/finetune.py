"""Trains a quantized network from where post-training quantization left it, and says what came of it.

The story of the torch side: which layers get few bits, what the loss compares, which samples are held out, how it goes on.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from onnx import numpy_helper

from edgeq.graphs.macs import onnx_macs
from edgeq.graphs.onnx_index import index_of
from edgeq.nouns.plan import Scheme
from edgeq.nouns.record import digest_of
from edgeq.nouns.training import Training
from edgeq.quantize.evaluate.pre_softmax_outputs import PreSoftmax, tensors_in
from edgeq.quantize.samples import SamplesLike, Subset, evenly_spaced
from edgeq.train.batches import Batches, TrainingData
from edgeq.train.checkpoint import Checkpoint, keeper, resumed
from edgeq.train.fitted_levels import with_fitted_levels
from edgeq.train.lesson import lesson_of
from edgeq.train.losses import Loss
from edgeq.train.low_bit_layers import low_bit_layers
from edgeq.train.low_bits import Bits, largest_level, with_low_bits
from edgeq.train.norm_statistics import norms_of
from edgeq.train.options import TrainingOptions, share_of_rate
from edgeq.train.quantized_network import QuantizedNetwork
from edgeq.train.sites import array_of, sites_of
from edgeq.train.sparse_weights import Mask, kept_weights
from edgeq.train.training import Outcome, Report, Settings, evaluate, train

if TYPE_CHECKING:
    from onnx import ModelProto

_LEAST_BATCH = 16  # whose statistics stand for those of all samples
_FEWER = Bits(7)  # layers that may have fewer bits may have zeros
_LEVELS_OF_SEVEN_BITS = 2**7
_CALIBRATE = 200  # samples that the scales of few bits are chosen by


@dataclass(frozen=True, eq=False)
class Start:
    """What post-training quantization made: `quantized`, the QDQ file, of `floats`, its float graph; and `source_sha256` of the model
    behind both. `larger`: the model's own float graph, where `floats` was made smaller; it is what is distilled. `runtime`: whose
    kernels' roundings are followed where it is evaluated, onnxruntime's or litert's.
    """

    quantized: "ModelProto"
    floats: "ModelProto"
    scheme: Scheme
    source_sha256: str
    larger: "ModelProto | None" = None
    runtime: str = "onnxruntime"

    @property
    def distilled(self) -> "ModelProto":
        return self.floats if self.larger is None else self.larger


@dataclass(frozen=True, eq=False)
class Finetuned:
    """`model`: the QDQ file with what was trained."""

    model: "ModelProto"
    training: Training


def finetune(
    start: Start,
    samples: SamplesLike,
    options: TrainingOptions,
    *,
    checkpoint: Path | None = None,
    tell: Callable[[Report], None] = lambda report: None,
    progress: Callable[[str, float], None] = lambda stage, done: None,
    note: Callable[[str], None] = lambda words: None,
) -> Finetuned:
    """`note` gets the step at which an interrupted training resumes, and the reason where a checkpoint cannot be written. Raises
    TargetRefused for a device that torch does not have, DataRefused for samples that make no batch, ModelRefused for what cannot be trained.
    """
    began = time.monotonic()
    torch.manual_seed(options.seed)
    lesson = lesson_of(start.distilled, samples, options, progress)
    teacher, data, loss = lesson.teacher, lesson.data, lesson.loss
    low = low_bit_layers(start.quantized, options.bits)
    progress("choose scales", 0.0)
    norms_from = data.train if options.settings.epochs else None
    trained_on = Subset(samples, tuple(int(i) for i in data.train.positions))
    kept = kept_of(start, options.sparsity, data.train)
    network = network_of(
        start,
        low,
        trained_on,
        lesson.tensors,
        norms_from,
        kept,
        observed=options.observed_ranges,
        progress=progress,
    ).to(options.device)
    place = None if checkpoint is None else Checkpoint(checkpoint, _key(start, samples, options))
    outcome = train(
        network,
        teacher,
        data,
        loss,
        _settings(options, data),
        begun=resumed(place, note),
        keep=keeper(place, note),
        tell=tell,
    )
    floats_score = evaluate(teacher, teacher, data.validation, loss, 0).score
    summary = _summary(start, samples, options, low, data, loss, outcome)
    return Finetuned(
        network.model(),
        Training(**summary, float_score=floats_score, seconds=round(time.monotonic() - began, 1)),
    )


def _settings(options: TrainingOptions, data: TrainingData) -> Settings:
    if not options.rate_by_steps:
        return options.settings
    share = share_of_rate(options.bits, math.ceil(options.settings.epochs * data.train.steps))
    return replace(options.settings, learning_rate=share * options.settings.learning_rate)


def network_of(
    start: Start,
    low: Mapping[str, Bits],
    samples: SamplesLike,
    tensors: tuple[PreSoftmax, ...] = (),
    norms_from: Batches | None = None,
    kept: Mapping[str, Mask] | None = None,
    *,
    observed: bool = False,
    progress: Callable[[str, float], None] = lambda stage, done: None,
) -> QuantizedNetwork:
    """What is trained: post-training quantization, the layers of `low` with fewer bits, and norms behind them by the statistics of
    `norms_from`. It computes `tensors` of the float graph; none: the outputs. `kept`: by layer, weights that are not zero for good. `observed`:
    ranges of activations follow what comes, in place of being learned.
    """
    floats = _weights_of(start.floats)
    few = evenly_spaced(samples, _CALIBRATE)
    limited, model = start.scheme.pairs_fit, start.quantized
    if low:
        model = with_low_bits(model, floats, low, few, limited=limited)
        model = with_fitted_levels(model, start.floats, low, few, largest_level(limited), progress)
    norms = {}
    if low and norms_from is not None and norms_from.size >= _LEAST_BATCH:
        norms = norms_of(model, start.floats, low, norms_from)
    outputs = tensors_in(model, tensors) if tensors else ()
    network = QuantizedNetwork(
        model,
        floats,
        low,
        outputs,
        norms=norms,
        limited=limited,
        kept=kept,
        observed=observed,
        runtime=start.runtime,
    )
    network.graph.use_channels_last()
    return network


def kept_of(start: Start, sparsity: float, samples: Batches) -> dict[str, Mask]:
    """By layer, the weights that stay; none where no weight is to be zero."""
    if not sparsity:
        return {}
    inner = tuple(low_bit_layers(start.quantized, _FEWER))
    return kept_weights(start.floats, _weights_of(start.floats), inner, sparsity, samples)


def _weights_of(floats: "ModelProto") -> dict[str, Any]:
    return {t.name: numpy_helper.to_array(t) for t in floats.graph.initializer}


def _key(start: Start, samples: SamplesLike, options: TrainingOptions) -> str:
    """Of all that the steps depend on, but for torch's own version and threads."""
    smaller = {} if start.larger is None else {"floats": sha256(start.floats.SerializeToString()).hexdigest()}
    runtime = {} if start.runtime == Start.runtime else {"runtime": start.runtime}
    return digest_of(
        smaller
        | runtime
        | {
            "source": start.source_sha256,
            "scheme": start.scheme.to_dict(),
            "samples": samples.sha256,
            "labels": samples.labels is not None,
            "options": repr(options),
        }
    )


def _summary(
    start: Start,
    samples: SamplesLike,
    options: TrainingOptions,
    low: Mapping[str, Bits],
    data: TrainingData,
    loss: Loss,
    outcome: Outcome,
) -> dict[str, Any]:
    scored = "" if loss.scores is None else "agreement" if samples.labels is None else "top-1"
    return {
        "source_sha256": start.source_sha256,
        "data_sha256": samples.sha256,
        "scheme": start.scheme,
        "weight_bits": options.mean_bits or options.bits.weights,
        "activation_bits": options.bits.activations,
        "low_bit_layers": low_bit_names(start, low),
        "samples": data.train.count,
        "validated": data.validation.count,
        "epochs": options.settings.epochs,
        "step": outcome.step,
        "steps": outcome.steps,
        "before": outcome.evaluations[0],
        "best": outcome.best,
        "scored_by": scored,
        "stopped_early": outcome.stopped_early,
        "interrupted": outcome.interrupted,
        "macs_share": macs_share(start),
        "sparsity": options.sparsity,
        "levels": options.bits.levels,
    }


def low_bit_names(start: Start, low: Mapping[str, Bits]) -> tuple[str, ...]:
    """The layers that have fewer than 8 bits: those of `low`, and whose weights had fewer levels before."""
    index = index_of(start.quantized.graph)
    few = (
        site.layer
        for site in sites_of(start.quantized).weights
        if np.ptp(array_of(index, site.integers).astype(np.int16)) < _LEVELS_OF_SEVEN_BITS
    )
    return tuple(dict.fromkeys((*low, *few)))


def macs_share(start: Start) -> float | None:
    """Of the model's own multiply-accumulates; None where it was not made smaller."""
    if start.larger is None:
        return None
    return round(onnx_macs(start.floats) / max(onnx_macs(start.larger), 1), 4)
