"""Trains a quantized network from where post-training quantization left it, and says what came of it.

The story of the torch side: which layers get few bits, what the loss compares, which samples are held out, how it goes on.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from onnx import numpy_helper

from edgeq.class_scores import class_scores
from edgeq.errors import DataRefused, EdgeqError, ModelRefused, TargetRefused
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.stages import ending_at
from edgeq.nouns.plan import Scheme
from edgeq.nouns.record import digest_of
from edgeq.nouns.training import Training
from edgeq.quantize.evaluate.pre_softmax_outputs import PreSoftmax, pre_softmax_of, tensors_in
from edgeq.quantize.samples import SamplesLike, Subset, evenly_spaced
from edgeq.train.augment import UNCHANGED, Augmentation
from edgeq.train.batches import Batches, TrainingData, training_data
from edgeq.train.checkpoint import Checkpoint
from edgeq.train.graph_module import GraphModule
from edgeq.train.losses import Loss
from edgeq.train.low_bit_layers import low_bit_layers
from edgeq.train.low_bits import Bits, with_low_bits
from edgeq.train.norm_statistics import norms_of
from edgeq.train.quantized_network import QuantizedNetwork
from edgeq.train.training import Outcome, Report, Settings, State, evaluate, train

if TYPE_CHECKING:
    from onnx import ModelProto

_LEAST_BATCH = 16  # whose statistics stand for those of all samples
_CALIBRATE = 200  # samples that the scales of few bits are chosen by


@dataclass(frozen=True, eq=False)
class Start:
    """What post-training quantization made: `quantized`, the QDQ file, of `floats`, its float graph; and `source_sha256` of the model
    behind both. `larger`: the model's own float graph, where `floats` was made smaller; it is what is distilled.
    """

    quantized: "ModelProto"
    floats: "ModelProto"
    scheme: Scheme
    source_sha256: str
    larger: "ModelProto | None" = None

    @property
    def distilled(self) -> "ModelProto":
        return self.floats if self.larger is None else self.larger


@dataclass(frozen=True)
class TrainingOptions:
    """`bits` of all layers but the first and the last. `label_share`: the labels' weight in the loss, 0 to 1; distillation from float has
    the rest. `features`: tensors of the float graph that the network is also to have. `device`: torch's name of it.
    """

    settings: Settings
    bits: Bits = field(default_factory=Bits)
    batch: int = 128
    label_share: float = 0.0
    temperature: float = 2.0
    features: tuple[str, ...] = ()
    augmentation: Augmentation = UNCHANGED
    seed: int = 0
    device: str = "cpu"


def usual_rate(bits: Bits) -> float:
    """The learning rate where none is asked for: fewer bits are further from float, and have further to go."""
    fewest = min(bits.weights, bits.activations)
    return 0.001 if fewest == 8 else 0.01 if fewest >= 4 else 0.02


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
    device = device_of(options.device)
    tensors = _compared(start.distilled, options.features)
    teacher = GraphModule(ending_at(start.distilled, tensors_in(start.distilled, tensors))).eval().to(device)
    teacher.requires_grad_(False).use_channels_last()
    data = training_data(
        samples,
        size=options.batch,
        seed=options.seed,
        augmentation=options.augmentation,
        device=options.device,
        progress=progress,
    )
    low = low_bit_layers(start.quantized, options.bits)
    progress("choose scales", 0.0)
    norms_from = data.train if options.settings.epochs else None
    trained_on = Subset(samples, tuple(int(i) for i in data.train.positions))
    network = network_of(start, low, trained_on, tensors, norms_from).to(device)
    loss = _loss(teacher, data, len(tensors) - len(options.features), options)
    kept = None if checkpoint is None else Checkpoint(checkpoint, _key(start, samples, options))
    begun = _begun(kept, note)
    outcome = train(
        network,
        teacher,
        data,
        loss,
        options.settings,
        begun=begun,
        keep=_keeper(kept, note),
        tell=tell,
    )
    floats_score = evaluate(teacher, teacher, data.validation, loss, 0).score
    summary = _summary(start, samples, options, low, data, loss, outcome)
    return Finetuned(
        network.model(),
        Training(**summary, float_score=floats_score, seconds=round(time.monotonic() - began, 1)),
    )


def _begun(kept: Checkpoint | None, note: Callable[[str], None]) -> State | None:
    begun = None if kept is None else kept.read()
    if begun is not None:
        note(f"goes on from step {begun.step:,}, where it was interrupted")
    elif kept is not None and kept.path.exists():
        note(f"{kept.path} is of a training with other options or samples: it begins anew")
    return begun


def _keeper(kept: Checkpoint | None, note: Callable[[str], None]) -> Callable[[State], None]:
    """A state that cannot be written is no reason to end a training."""

    def keep(state: State) -> None:
        if kept is None:
            return
        try:
            kept.write(state)
        except EdgeqError as error:
            note(f"{error.what}: an interrupted training would begin anew")

    return keep


def network_of(
    start: Start,
    low: Mapping[str, Bits],
    samples: SamplesLike,
    tensors: tuple[PreSoftmax, ...] = (),
    norms_from: Batches | None = None,
) -> QuantizedNetwork:
    """What is trained: post-training quantization, the layers of `low` with fewer bits, and norms behind them by the statistics of
    `norms_from`. It computes `tensors` of the float graph; none: the outputs.
    """
    floats = {t.name: numpy_helper.to_array(t) for t in start.floats.graph.initializer}
    few = evenly_spaced(samples, _CALIBRATE)
    model = with_low_bits(start.quantized, floats, low, few) if low else start.quantized
    norms = {}
    if low and norms_from is not None and norms_from.size >= _LEAST_BATCH:
        norms = norms_of(model, start.floats, low, norms_from)
    outputs = tensors_in(model, tensors) if tensors else ()
    network = QuantizedNetwork(model, floats, low, outputs, norms=norms, limited=start.scheme.pairs_fit)
    network.graph.use_channels_last()
    return network


def _compared(model: "ModelProto", features: Sequence[str]) -> tuple[PreSoftmax, ...]:
    """The pre-softmax outputs, and then the features."""
    index = index_of(model.graph)
    unknown = [name for name in features if index.producer(name) is None]
    if unknown:
        known = [n.output[0] for n in index.nodes if n.op_type in ("Relu", "Add", "Conv", "Gemm", "MatMul")]
        raise ModelRefused(
            f"the graph has no tensor {', '.join(unknown)}",
            f"tensors whose values can be distilled are, among others: {', '.join(known[:12])}",
        )
    made = (PreSoftmax(name, name, index.producer(name).name) for name in features)  # type: ignore[union-attr]
    return (*pre_softmax_of(model), *made)


def _loss(teacher: GraphModule, data: TrainingData, outputs: int, options: TrainingOptions) -> Loss:
    """With class scores where float's outputs on the held-out samples are some."""
    with torch.no_grad():
        batches = list(data.validation.in_order())
        found = [teacher(*batch.inputs)[:outputs] for batch in batches]
    whole = [torch.cat(parts).cpu().numpy() for parts in zip(*found, strict=True)]
    labels = data.validation.labels
    shapes = [tuple(x.shape[1:]) for x in batches[0].inputs]
    scores = class_scores(whole, shapes, labelled=labels is not None)
    if options.label_share and (scores is None or labels is None):
        raise DataRefused(
            "the labels cannot have a share in the loss: "
            + ("there are none" if labels is None else "no output holds class scores"),
            "leave out --label-share, which trains towards float's outputs alone",
        )
    if scores is not None and labels is not None and labels.max() >= whole[scores].shape[1]:
        raise DataRefused(
            f"label {labels.max()} is beyond the {whole[scores].shape[1]} classes of the model",
            "leave the labels out, or give those of this model",
        )
    return Loss(scores, outputs, options.temperature, options.label_share)


def device_of(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TargetRefused(
            f"torch cannot train on {name!r}: {reason}", "leave out --device to train on the CPU"
        ) from None
    return device


def _key(start: Start, samples: SamplesLike, options: TrainingOptions) -> str:
    """Of all that the steps depend on, but for torch's own version and threads."""
    smaller = {} if start.larger is None else {"floats": sha256(start.floats.SerializeToString()).hexdigest()}
    return digest_of(
        smaller
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
        "weight_bits": options.bits.weights,
        "activation_bits": options.bits.activations,
        "low_bit_layers": tuple(low),
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
    }
