"""How long fitting a layer's weights takes, by counts: what estimates and the progress of the fit go by.

The constants are processor seconds of one core with AVX-512, by least squares over the layers of ResNet-20, MobileNetV2, keyword
spotting, and a residual network and a transformer of 5 M weights (benchmarks/time_left.py), for both runtimes. With other processors
they change alike, and only their ratios matter once a step has begun (request/time_left.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from edgeq.graphs.products import Product

_FEWEST, _MOST = 2048, 32768  # columns that moments are made of: passes/fit/least_squares.py
_LAYER_S = 0.055
_COLUMN_S = 3e-9  # each that a layer has
_RUN_S = 1.7e-11  # each multiply-accumulate of the runs up to the layer, float and quantized
_VALUE_S = 2.4e-8  # each value of the columns that moments are made of
_MOMENT_S = 8e-12  # each of their products, twice
_CUBE_S, _SQUARE_S = 1e-10, 4e-10  # decompositions of a matrix of moments, and solutions for a row of weights


def fit_seconds(product: Product, samples: float, columns: float = 8, block: int | None = None) -> float:
    """`samples` are those to learn from; `columns` of them are used for each weight of a row, at most. Rows are fitted in blocks
    of `block` weights; None: whole.
    """
    length = min(block or product.length, product.length)
    blocks = product.groups * product.length / length
    seen = samples * product.columns
    used = min(seen, max(columns * length, _FEWEST / product.groups), _MOST)
    each = length * used * (_VALUE_S + _MOMENT_S * length)
    each += length**2 * (_CUBE_S * length + _SQUARE_S * product.rows)
    runs = product.groups * product.rows * product.length * seen
    return _LAYER_S + _COLUMN_S * product.groups * seen + _RUN_S * runs + blocks * each


def seconds_by_layer(
    products: Iterable[Product], samples: float, columns: float, block: int | None
) -> dict[str, float]:
    """By the names of `products`."""
    return {p.name: fit_seconds(p, samples, columns, block) for p in products}


def shares_before(layers: Sequence[str], seconds: Mapping[str, float]) -> tuple[float, ...]:
    """The share of the time of all `layers` that is over when each begins, 0 to 1. One that `seconds` does not have takes the mean of
    those that it has.
    """
    known = [seconds[layer] for layer in layers if layer in seconds]
    usual = sum(known) / len(known) if known else 1.0
    ends = list(accumulate((seconds.get(layer, usual) for layer in layers), initial=0.0))
    return tuple(end / ends[-1] for end in ends[:-1])
