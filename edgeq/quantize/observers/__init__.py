"""How a tensor's range is chosen from what calibration saw of it: one file per way, the folder is the list.

Each file has `HISTOGRAM`, whether it needs one, and `range_of(seen, levels) -> (low, high)`.
"""

import importlib
import pkgutil
from types import ModuleType

from edgeq.errors import TargetRefused

# Tried by "auto". Entropy is not among them: it was the worst of the four on every model we measured.
AUTO = ("minmax", "percentile", "mse")


def names() -> tuple[str, ...]:
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "seen"))


def observer(name: str) -> ModuleType:
    """Raises TargetRefused with the known names when there is none of this name."""
    if name not in names():
        known = ", ".join(("auto", *names()))
        raise TargetRefused(f"there is no calibrator {name!r}", f"the calibrators are: {known}")
    return importlib.import_module(f"{__name__}.{name}")
