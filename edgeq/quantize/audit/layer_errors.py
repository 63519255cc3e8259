"""Where each statically quantized layer's error comes from: its input's range and rounding, its weights, a shifted bias.

With x the layer's input in float, z its input once quantized, W, b float's weights and bias, Q, c the file's:

    Q z + c - (W x + b)  =  W (clip(x) - x)  +  W (z - clip(x))  +  ((Q - W) z + c - b)
                            clipping            rounding             weights
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.evaluate.sqnr import NO_SIGNAL, Doubles
from edgeq.quantize.passes.fit.fit_layers import Layer, Pairs, QuantizedFile, layer_inputs
from edgeq.quantize.passes.fit.linear import Linear
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike

if TYPE_CHECKING:
    import onnx

_LEVELS = 256  # of activations in 8 bits
_COLUMNS = 4096  # of a layer's outputs, evenly spread, are enough for shares


@dataclass(frozen=True)
class LayerError:
    """Root mean squares over that of float's output. `own` is the error where the layer gets float's input. `low` and
    `high` bound its quantized input and `clipping` is what they cut off, None where ranges are not static. Other parts are
    None where they cannot be told apart.
    """

    error: float
    own: float
    bias_shift: float
    rounding: float | None
    weights: float | None
    low: float | None = None
    high: float | None = None
    clipping: float | None = None


class ErrorSums:
    """Sums of squares over samples: of a layer's output in float (`signal`), and of its error and the parts of that."""

    def __init__(self) -> None:
        self._powers: dict[str, float] = defaultdict(float)
        self._total: Doubles = np.zeros(1)
        self._count = 0

    def add(self, by_channel: Doubles, **parts: Doubles) -> None:
        """`by_channel`: the error once more, [positions, channels]. `parts`: signal, error, own and others of LayerError."""
        with np.errstate(invalid="ignore", over="ignore"):  # what is infinite here leaves no error
            for name, part in parts.items():
                self._powers[name] += float(np.sum(np.square(part)))
            self._total = self._total + by_channel.sum(axis=0)
        self._count += len(by_channel)

    def error(self, low: float | None = None, high: float | None = None) -> LayerError | None:
        """None where values are beyond what floats hold, or there were none."""
        powers = dict(self._powers)
        with np.errstate(invalid="ignore", over="ignore"):
            shift = float(np.sum(np.square(self._total / max(self._count, 1))))
        powers["bias_shift"] = shift * self._count
        signal = max(powers.pop("signal", 0.0), NO_SIGNAL)
        shares = {name: float(np.sqrt(power / signal)) for name, power in powers.items()}
        if not self._count or not np.isfinite([shares["error"], shares["own"]]).all():
            return None
        return LayerError(**shares, low=low, high=high)


@dataclass(frozen=True)
class _Product:
    """What a layer multiplies and adds: matrices [groups, rows, k], biases [groups, rows]; and its input's range."""

    linear: Linear
    weight: Doubles
    bias: Doubles
    quantized: Doubles
    quantized_bias: Doubles
    low: float
    high: float
    levels: int

    def to_grid(self, x: Doubles) -> Doubles:
        """`x`, which is within the range, as the layer gets it where nothing before it was quantized."""
        step = (self.high - self.low) / (self.levels - 1)
        return np.asarray(self.low + np.round((x - self.low) / step) * step)


def onnx_layer_errors(
    model: "onnx.ModelProto", quantized: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> dict[str, LayerError]:
    """By node, of the float graph `model` and the QDQ file made from it."""
    return layer_errors(QdqFile.read(quantized, model), samples, threads=threads, progress=progress)


def layer_errors(
    file: QuantizedFile[Layer],
    samples: SamplesLike,
    *,
    threads: int,
    progress: Progress,
    levels: int = _LEVELS,
) -> dict[str, LayerError]:
    """By layer of `file`, whose activations have so many `levels`; without layers whose values are infinite or NaN."""
    runs = file.runs(samples, threads)
    found, layers = {}, file.layers()
    for k, layer in enumerate(layers):
        progress("explain", k / len(layers))
        pairs = layer_inputs(layer, runs)
        product = _product(file, layer, pairs[0][0].shape, levels)
        error = None if product is None else _error(product, pairs)
        if error is not None:
            found[layer.name] = error
    return found


def _product(
    file: QuantizedFile[Layer], layer: Layer, input_shape: tuple[int, ...], levels: int
) -> _Product | None:
    linear, limits = layer.linear(input_shape), file.input_range(layer)
    if linear is None or limits is None:
        return None
    weight = linear.matrix(layer.weight)
    rows = weight.shape[:2]
    scale = file.scale(layer).astype(np.float64).reshape(-1)
    step = np.broadcast_to(scale, rows[0] * rows[1]).reshape(*rows, 1)
    bias, quantized_bias = (_bias(stored, rows) for stored in (layer.bias, file.bias(layer)))
    integers = linear.matrix(file.integers(layer))
    return _Product(linear, weight, bias, integers * step, quantized_bias, *limits, levels)


def _bias(stored: npt.NDArray[Any] | None, rows: tuple[int, ...]) -> Doubles:
    return np.zeros(rows) if stored is None else stored.astype(np.float64).reshape(rows)


@np.errstate(over="ignore", invalid="ignore")
def _error(product: _Product, pairs: Pairs) -> LayerError | None:
    sums = ErrorSums()
    for parts in _parts(product, pairs):
        error = parts["error"]
        sums.add(error.reshape(-1, error.shape[-1]).T, **parts)
    return sums.error(product.low, product.high)


def _parts(p: _Product, pairs: Pairs) -> Iterator[dict[str, Doubles]]:
    """Of each sample, the parts of the docstring above and their sum, each [groups, rows, positions]."""
    bias, quantized_bias = p.bias[..., None], p.quantized_bias[..., None]
    for i, (x, z) in enumerate(pairs):
        step = max(1, p.linear.positions(x.shape) * len(pairs) // _COLUMNS) | 1
        xs, zs = (p.linear.columns(a, i % step, step).astype(np.float64) for a in (x, z))
        cut = np.clip(xs, p.low, p.high)
        clipping, rounding = p.weight @ (cut - xs), p.weight @ (zs - cut)
        weights = (p.quantized - p.weight) @ zs + quantized_bias - bias
        signal = p.weight @ xs + bias
        yield {
            "signal": signal,
            "clipping": clipping,
            "rounding": rounding,
            "weights": weights,
            "error": clipping + rounding + weights,
            "own": p.quantized @ p.to_grid(cut) + quantized_bias - signal,
        }
