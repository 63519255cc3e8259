"""A model file at a glance: its size, the bits of each layer, how close it is to float."""

from dataclasses import dataclass, replace
from typing import Optional

from .fidelity import Fidelity
from .record import Record
from .shown import Shown
from .tensor import TensorSpec


@dataclass(frozen=True)
class LayerBits(Record):
    """One operator with weights, or `count` of them that are alike. `weights` and `activations` are numpy's words for the types
    in the file, "int4" too; the bits say how many of a type's are used, where all weights of the layer are on a grid of 64
    levels or fewer. `parameters` counts weights, without biases. `dynamic`: activations are quantized as the model runs.
    `activations` is empty where rows of a table are looked up.
    """

    layer: str
    operator: str
    parameters: int
    weights: str
    weight_bits: int
    activations: str
    activation_bits: int
    dynamic: bool = False
    count: int = 1

    @property
    def integer(self) -> bool:
        """Whether weights and activations are integers; which kernel runs is the runtime's choice."""
        return all(t.startswith(("int", "uint")) for t in (self.weights, self.activations))


@dataclass(frozen=True, repr=False)
class ModelSummary(Shown, Record):
    """One candidate. `file_bytes` is its size on disk, `float_bytes` that of the float model; `memory_bytes` the predicted peak
    above the loaded runtime; `fidelity` how close it is to float, on held-out samples. None where it is not known.
    """

    name: str
    candidate: str
    runtime: str
    path: str
    file_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: tuple[LayerBits, ...]
    target: Optional[str] = None
    float_bytes: Optional[int] = None
    memory_bytes: Optional[int] = None
    fidelity: Optional[Fidelity] = None
    notes: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def bits_per_weight(self) -> Optional[float]:
        """In the mean over all weights; None for a model without any."""
        bits = sum(layer.parameters * layer.weight_bits for layer in self.layers)
        return bits / self.parameters if self.parameters else None

    @property
    def integer_layers(self) -> int:
        return sum(layer.count for layer in self.layers if layer.integer)

    @property
    def float_layers(self) -> int:
        return sum(layer.count for layer in self.layers if not layer.integer)

    def by_kind(self) -> "ModelSummary":
        """Layers of one operator with the same types and bits as one, in the order of their first."""
        kinds: dict[LayerBits, LayerBits] = {}
        for layer in self.layers:
            kind = replace(layer, layer="", parameters=0, count=1)
            so_far = kinds.get(kind, replace(kind, count=0))
            kinds[kind] = replace(
                so_far,
                layer=so_far.layer or layer.layer,
                parameters=so_far.parameters + layer.parameters,
                count=so_far.count + layer.count,
            )
        return replace(self, layers=tuple(kinds.values()))

    def in_short(self) -> str:
        bits = self.bits_per_weight
        mean = "" if bits is None else f", {bits:.3g} bits per weight"
        return (
            f"{self.name}: {self.candidate}, {self.file_bytes:,} bytes, "
            f"{self.integer_layers} of {self.integer_layers + self.float_layers} layers integer{mean}"
        )
