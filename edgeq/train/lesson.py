"""What a network is taught: the float model's outputs, on which samples, and the loss that compares them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from edgeq.class_scores import class_scores
from edgeq.errors import DataRefused, ModelRefused, TargetRefused
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.stages import ending_at
from edgeq.quantize.evaluate.pre_softmax_outputs import PreSoftmax, pre_softmax_of, tensors_in
from edgeq.quantize.samples import SamplesLike
from edgeq.train.batches import TrainingData, training_data
from edgeq.train.graph_module import GraphModule
from edgeq.train.losses import Loss
from edgeq.train.options import TrainingOptions

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, eq=False)
class Lesson:
    """`teacher` computes `tensors` of the float graph: its outputs before the softmax, and then the features."""

    teacher: GraphModule
    tensors: tuple[PreSoftmax, ...]
    data: TrainingData
    loss: Loss


def lesson_of(
    floats: "ModelProto",
    samples: SamplesLike,
    options: TrainingOptions,
    progress: Callable[[str, float], None],
) -> Lesson:
    """Raises TargetRefused for a device that torch does not have, DataRefused for samples that make no batch, ModelRefused for what cannot
    be trained.
    """
    device = device_of(options.device)
    tensors = _compared(floats, options.features)
    teacher = GraphModule(ending_at(floats, tensors_in(floats, tensors))).eval().to(device)
    teacher.requires_grad_(False).use_channels_last()
    data = training_data(
        samples,
        size=options.batch,
        seed=options.seed,
        augmentation=options.augmentation,
        device=options.device,
        progress=progress,
    )
    return Lesson(teacher, tensors, data, _loss(teacher, data, len(tensors) - len(options.features), options))


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
