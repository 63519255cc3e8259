"""A quantized network for a training loop of the user's own: a torch module, its optimizer, and what is written of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from edgeq.errors import EdgeqError
from edgeq.graphs.onnx_io import write_onnx
from edgeq.nouns.training import Training
from edgeq.quantize.samples import SamplesLike
from edgeq.train.batches import training_data
from edgeq.train.finetune import Start, kept_of, low_bit_names, macs_share, network_of
from edgeq.train.low_bit_layers import low_bit_layers
from edgeq.train.options import TrainingOptions
from edgeq.train.relative_adam import RelativeAdam
from edgeq.train.tuned_file import write_tuned

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, eq=False)
class Source:
    """What the network was made from. `state_dict`: the float module's own."""

    start: Start
    state_dict: Mapping[str, Tensor]
    data_sha256: str
    samples: int


class PreparedNetwork(nn.Module):
    """Called with the model's inputs, [N, ...] each, it gives the model's output, or a tuple of several, as the device computes them.

    In training mode it has batch norms behind layers below 8 bits; `freeze_norms` keeps their statistics for the last steps. In eval
    mode it computes what `export` writes.
    """

    def __init__(self, source: Source, options: TrainingOptions, samples: SamplesLike) -> None:
        super().__init__()
        self._source, self._options = source, options
        data = training_data(samples)
        self._low = low_bit_layers(source.start.quantized, options.bits)
        kept = kept_of(source.start, options.sparsity, data.train)
        self.network = network_of(
            source.start,
            self._low,
            samples,
            norms_from=data.train,
            kept=kept,
            observed=options.observed_ranges,
        )

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        outputs = self.network(*inputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def optimizer(self, learning_rate: float = 0.01) -> torch.optim.Optimizer:
        """Adam, whose rate is the share of itself by which a step moves a weight; any other optimizer takes `parameters()`."""
        return RelativeAdam(self.network.parameters_with_units(), learning_rate)

    def freeze_norms(self) -> None:
        self.network.freeze_norms()

    def model(self) -> "ModelProto":
        """The QDQ file with what was trained."""
        return self.network.model()

    def export(self, path: str | Path) -> Path:
        """Writes the QDQ file to a path that ends in .onnx; to .pt what `edgeq deploy --weights` takes. Raises EdgeqError where it
        cannot be written.
        """
        path = Path(path)
        if path.suffix == ".onnx":
            write_onnx(self.model(), path)
        elif path.suffix in (".pt", ".pth"):
            write_tuned(path, self._source.state_dict, self.model(), self._training())
        else:
            raise EdgeqError(f"{path} is neither an ONNX file nor weights of torch", "name it .onnx or .pt")
        return path

    def _training(self) -> Training:
        source = self._source
        return Training(
            source_sha256=source.start.source_sha256,
            data_sha256=source.data_sha256,
            scheme=source.start.scheme,
            weight_bits=self._options.mean_bits or self._options.bits.weights,
            activation_bits=self._options.bits.activations,
            sparsity=self._options.sparsity,
            levels=self._options.bits.levels,
            macs_share=macs_share(source.start),
            low_bit_layers=low_bit_names(source.start, self._low),
            samples=source.samples,
            validated=0,
            epochs=0.0,
            step=0,
            steps=0,
            before=None,
            best=None,
            scored_by="",
            float_score=None,
            seconds=0.0,
        )
