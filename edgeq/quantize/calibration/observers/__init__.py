"""The calibrators: how a tensor's range is chosen from its statistics. Each file of this folder is one, by its name.

A calibrator has `HISTOGRAM`, whether it needs one, and `range_of(stats, levels) -> (low, high)`.
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


def observer(name: str) -> ModuleType:
    """Raises TargetRefused with the known names when there is none of this name."""
    if name not in names():
        known = ", ".join(("auto", *names()))
        raise TargetRefused(f"there is no calibrator {name!r}", f"the calibrators are: {known}")
    return importlib.import_module(f"{__name__}.{name}")
