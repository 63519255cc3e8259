"""What a quantized layer multiplies and adds."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Weights:
    """`integers` int8 in the file's shape (LiteRT: outputs, inputs, kernel), `scale` one per row or one for all, `bias` in
    reals, None where it has none to set.
    """

    integers: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64] | None
