"""What measurements mean: compared, judged, shown. `edgeq.report(...)`, the function, is edgeq/workflow/report.py."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _AlsoAFunction(ModuleType):
    # A package and a function of the public API have the same name, edgeq.report: it is both.

    @property
    def _function(self) -> Any:
        return import_module("edgeq.workflow.report").report

    def __call__(self, *measurements: Any, **keywords: Any) -> Any:
        return self._function(*measurements, **keywords)

    @property
    def __signature__(self) -> Any:
        return self._function.__signature__

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        return self._function.__doc__


sys.modules[__name__].__class__ = _AlsoAFunction
