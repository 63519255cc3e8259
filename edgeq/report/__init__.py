"""What measurements mean: compared, judged, shown. `edgeq.report(...)`, the function, is edgeq/workflow/report.py."""

import sys
from importlib import import_module
from inspect import Signature, signature
from types import FunctionType, ModuleType


class _AlsoAFunction(ModuleType):
    # A package and a function of the public API have the same name, edgeq.report: it is both.

    @property
    def _function(self) -> FunctionType:
        function: FunctionType = import_module("edgeq.workflow.report").report
        return function

    def __call__(self, *measurements: object, **keywords: object) -> object:
        return self._function(*measurements, **keywords)

    @property
    def __signature__(self) -> Signature:
        return signature(self._function)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._function.__doc__


sys.modules[__name__].__class__ = _AlsoAFunction
