"""How a tensor's range is chosen from what calibration saw of it: one file per way, the folder is the list.

Each way has `HISTOGRAM`, whether it needs one, and `range_of(seen, levels) -> (low, high)`. Beside them: `seen`, what
they choose from, and `squared_error`, what a range costs.
"""

import importlib
import pkgutil
from types import ModuleType

from edgeq.errors import TargetRefused

# What "auto" chooses from. Entropy and the moving average are not among them: on every model that we measured they were
# the worst of the five.
AUTO = ("minmax", "percentile", "mse")

_BESIDE = ("seen", "squared_error")


def names() -> tuple[str, ...]:
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in _BESIDE))


def observer(name: str) -> ModuleType:
    """Raises TargetRefused with the known names when there is none of this name."""
    if name not in names():
        known = ", ".join(("auto", *names()))
        raise TargetRefused(f"there is no calibrator {name!r}", f"the calibrators are: {known}")
    return importlib.import_module(f"{__name__}.{name}")
