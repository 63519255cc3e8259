"""The trained network that `--weights` may hold (`edgeq finetune`): found without torch, read with it."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.conversion.conversion_job import ConversionJob
from edgeq.conversion.trained_tflite import with_tflite
from edgeq.errors import ModelRefused
from edgeq.ingest.extras import needed
from edgeq.ingest.pytorch.trained_weights import holds_trained_network
from edgeq.nouns.model import Model
from edgeq.nouns.training import TrainedFile
from edgeq.request.tell import Tell

if TYPE_CHECKING:
    from onnx import GraphProto

    from edgeq.nouns.training import Training


def trained_sha256(weights: Path | None) -> str:
    """Of the file, where it holds a trained network; else "" """
    if weights is None or not holds_trained_network(weights):
        return ""
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def with_trained_network(model: Model, job: ConversionJob, work: Path, tell: Tell) -> Model:
    """`model` with the QDQ file of the network that was trained from it, and its TFLite graph where the target takes one. Raises
    ModelRefused where it was trained from another one, ExtraMissing without torch.
    """
    if not job.trained or job.weights is None:
        return model
    needed("torch", "torch", f"reading {job.weights.name}")
    from edgeq.graphs.onnx_io import read_onnx
    from edgeq.train.tuned_file import read_tuned

    tuned = read_tuned(job.weights)
    if tuned is None:
        raise ModelRefused(
            f"{job.weights} is damaged: its trained network cannot be read", "train again: edgeq finetune"
        )
    path = work / "trained.onnx"
    path.write_bytes(tuned.model)
    _require_same_ends(read_onnx(path).graph, model, job)
    if model.source_format != "torch":
        _require_same_source(tuned.training, model, job.weights)
    network = with_tflite(TrainedFile(str(path), tuned.training), model, work, tell)
    return replace(model, networks=(network,))


def _require_same_ends(trained: "GraphProto", model: Model, job: ConversionJob) -> None:
    one = [value.name for value in (*trained.input, *trained.output)]
    other = [spec.name for spec in (*model.inputs, *model.outputs)]
    if one != other:
        raise ModelRefused(
            f"{job.weights} holds a network with inputs and outputs {', '.join(one)}, {job.model} has {', '.join(other)}",
            "give the weights that were trained from this model, or train again: edgeq finetune",
        )


def _require_same_source(training: "Training", model: Model, weights: Path) -> None:
    """A torch factory gets its own weights from the same file; what another file holds is not known."""
    if training.source_sha256 != model.sha256:
        raise ModelRefused(
            f"{weights} was trained from another model than {model.source}",
            "give the model that it was trained from, or train again: edgeq finetune",
        )
