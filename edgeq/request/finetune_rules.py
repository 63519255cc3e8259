"""What --finetune can be asked for together with: told before anything is opened."""

from importlib.util import find_spec
from pathlib import Path

from edgeq.errors import DataRefused, ModelRefused, TargetRefused
from edgeq.ingest.extras import missing
from edgeq.ingest.pytorch.trained_weights import holds_trained_network
from edgeq.nouns.recipe import AUTO
from edgeq.request.conversion_options import ConversionOptions
from edgeq.request.paths import AnyPath, text
from edgeq.request.training_options import epochs_of

RECIPE = "trained_static"
OF_A_TRAINING = ("flip", "crop", "activation_bits", "prune", "low_rank", "sparsity")
"""Options that say how --finetune trains, and nothing without it."""


def require_finetunable(model: AnyPath | None, options: ConversionOptions) -> None:
    """Of `model` as it is named. Raises TargetRefused for options that contradict each other, DataRefused without samples, ModelRefused
    for a model or weights that are no float network, and ExtraMissing without torch.
    """
    if not epochs_of(options.finetune):
        _require_none_of_a_training(options)
        return
    name = text(model) or ""
    if options.recipe not in (None, AUTO, RECIPE):
        raise TargetRefused(
            f"--recipe {options.recipe} leaves out the network that --finetune trains",
            f"leave out one of them, or take --recipe {RECIPE}",
        )
    if options.data is None:
        raise DataRefused(
            "--finetune needs samples to train on", "name them with --data, or in edgeq.toml; or leave it out"
        )
    if name.endswith(".tflite"):
        raise ModelRefused(
            f"{name} cannot be trained",
            "name the ONNX file or the torch source that it was made from, or leave out --finetune",
        )
    if options.weights is not None and holds_trained_network(Path(options.weights)):
        raise ModelRefused(
            f"{options.weights} holds a trained network, and --finetune begins with the float one",
            "leave out --finetune to deploy what is trained, or give the weights of the float model",
        )
    if find_spec("torch") is None:
        raise missing("torch", "train", "training a network (--finetune)")


def _require_none_of_a_training(options: ConversionOptions) -> None:
    given = [
        f"--{name.replace('_', '-')}" for name in OF_A_TRAINING if getattr(options, name) not in (None, False)
    ]
    if given:
        listed = " and ".join(given)
        raise TargetRefused(
            f"{listed} {'say' if len(given) > 1 else 'says'} how a network is trained, and none is",
            f"add --finetune EPOCHS, or leave out {listed}",
        )
