"""Which layers of a QDQ file take fewer than 8 bits: all with integer weights but the first and the last ones, and those that
only select values.

What the first layer loses is in everything behind it, and the last makes the answer: both keep 8 bits in what is published of
low bits (LSQ, arXiv:1902.08153, section 3; APoT, arXiv:1909.13144, section 4).
"""

from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import TargetRefused
from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.outer_layers import outer_layers
from edgeq.train.low_bits import Bits
from edgeq.train.sites import WeightSite, array_of, sites_of

if TYPE_CHECKING:
    from onnx import ModelProto


def low_bit_layers(model: "ModelProto", bits: Bits) -> dict[str, Bits]:
    """By node; empty for 8 bits. Raises TargetRefused where no layer stands between the first and the last."""
    if min(bits.weights, bits.activations) == 8:
        return {}
    index = index_of(model.graph)
    layers = [site.layer for site in sites_of(model).weights if not _selects(index, site)]
    outer = outer_layers(index)
    inner = [name for name in layers if name not in outer]
    if not inner:
        raise TargetRefused(
            f"the network has no layer for fewer than 8 bits: its {len(layers)} layers in int8 are first and last ones",
            "leave out --weight-bits and --activation-bits",
        )
    return dict.fromkeys(inner, bits)


def _selects(index: OnnxIndex, site: WeightSite) -> bool:
    """Whether each channel gives one value as it is: a shortcut that was written as a convolution."""
    rows = np.moveaxis(array_of(index, site.integers), site.axis or 0, 0)
    return bool((np.count_nonzero(rows.reshape(len(rows), -1), axis=1) <= 1).all())
