"""How much a conversion has to do: what times and efforts are estimated by. Reads shapes, never values."""

from dataclasses import dataclass
from pathlib import Path

from edgeq.graphs.input_shapes import OPEN_SHAPES, sized
from edgeq.graphs.macs import heavy_operators, onnx_macs
from edgeq.graphs.products import Product, onnx_products, tflite_products
from edgeq.graphs.weights_in_file import read_weightless
from edgeq.nouns.model import Model


@dataclass(frozen=True)
class Counted:
    """`macs` of one run of the network, its products, and how many samples calibrate and are judged."""

    macs: int
    products: tuple[Product, ...]
    calibrate: int
    judged: int

    @property
    def weights(self) -> int:
        return sum(p.groups * p.rows * p.length for p in self.products)


def counted(model: Model, calibrate: int, judged: int) -> Counted:
    """Raises ConversionFailed when the float file cannot be read."""
    shapes = model.varied.largest if model.varied else OPEN_SHAPES
    if "onnx" in model.files:
        graph = sized(read_weightless(Path(model.files["onnx"])), shapes)
        return Counted(onnx_macs(graph), tuple(onnx_products(graph)), calibrate, judged)
    path = Path(next(iter(model.files.values())))
    macs = sum(operator.macs for operator in heavy_operators(path))
    return Counted(macs, tuple(tflite_products(path)), calibrate, judged)
