"""A source model as edgeq understood it: clean float graphs, ready to be quantized."""

from dataclasses import dataclass, field
from typing import Optional

from .record import Record
from .tensor import TensorSpec
from .training import TrainedFile


@dataclass(frozen=True)
class Varied(Record):
    """The samples have `shapes` different ones, so the graph keeps open where they differ. By input name: `device` is what
    the device checks and measures with, the most frequent among the samples that judge (of equally frequent ones the
    largest); `smallest` and `largest` count the values of all inputs of a sample.
    """

    shapes: int
    device: dict[str, tuple[int, ...]]
    smallest: dict[str, tuple[int, ...]]
    largest: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Model(Record):
    """`files` maps a format ("onnx", "tflite") to the path of the clean graph in that format on this host; `absent`
    says why a format is not there. Inputs and outputs are in graph order, which is how formats are matched.
    `sha256` is that of the source (file, or exported program with its weights). `quantized` names what was found
    ("QDQ int8", "int8 TFLite") when the source is quantized already and is to be deployed as it is.
    `varied`: the samples differ in shape, and None stands in `inputs` where they do; or, with one of `shapes`, the graph
    loads only with its shapes open. `kept_opset`: why the ONNX graph has an opset below 13, without scales per channel.
    `networks`: those that were trained from this one.
    """

    name: str
    source: str
    source_format: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    float_bytes: int
    files: dict[str, str]
    absent: dict[str, str] = field(default_factory=dict)
    quantized: Optional[str] = None
    notes: tuple[str, ...] = ()
    varied: Optional[Varied] = None
    kept_opset: str = ""
    networks: tuple[TrainedFile, ...] = ()
