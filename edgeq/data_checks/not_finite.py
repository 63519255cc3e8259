"""NaN or infinity in any sample: such samples can neither calibrate ranges nor judge a candidate.

Arrays in memory are looked through whole; files one by one, as far as the work goes. Those that are not reached are
refused when they are read.
"""

import numpy as np

from edgeq.data_checks.work import Cost, Work
from edgeq.ingest.samples import Samples


def require_finite(samples: Samples, cost: Cost, work: Work) -> None:
    """Raises DataRefused naming the sample."""
    if samples.stored.images or samples.preprocessing is not None:
        return  # pixels are integers
    whole = samples.stored.arrays
    if whole is not None and all(_is_finite(array) for array in whole.values()):
        return
    for i in range(samples.count):
        if not work.left:
            return
        work.spend(cost.read)
        samples[i]


def _is_finite(array: np.ndarray) -> bool:
    """In parts: the answer takes as much memory as there are values."""
    if array.dtype.kind != "f":
        return True
    flat = array.reshape(-1)
    return all(np.isfinite(flat[at : at + 4_000_000]).all() for at in range(0, flat.size, 4_000_000))
