"""The calibrators: how a tensor's range is chosen from its statistics. Each file of this folder is one, by its name.

A calibrator has NEEDS_HISTOGRAM, whether it reads `stats.bins`, and `range_of(stats, levels) -> (low, high)`. `stats` is a
TensorStats (calibration/tensor_stats.py): `extremes`, the moving averages `mean_low` and `mean_high`, and the histogram
(`bins`, `centres`, `half_range`). `levels`: how many values the activation's integer type has, 256 or 65,536. The range need
not hold zero, the backend adds it; one that weighs clipping against rounding (mse, entropy) searches from a range with zero.

A new file is a choice of --calibrator at once; `auto` tries those in AUTO. Run `python docs/make_stub.py` afterwards.
"""

import importlib
import pkgutil
from types import ModuleType

from edgeq.errors import TargetRefused

# What "auto" chooses from. Entropy and the moving average are not among them: on every model that we measured they were
# the worst of the five.
AUTO = ("minmax", "percentile", "mse")


def names() -> tuple[str, ...]:
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__)))


def calibrator_named(name: str) -> ModuleType:
    """Raises TargetRefused with the known names when there is none of this name."""
    if name not in names():
        known = ", ".join(("auto", *names()))
        raise TargetRefused(f"there is no calibrator {name!r}", f"the calibrators are: {known}")
    return importlib.import_module(f"{__name__}.{name}")
