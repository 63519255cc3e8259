"""A package that is called like a function: `edgeq.report` and `edgeq.quantize` are names of both."""

import sys
from importlib import import_module
from inspect import Signature, signature
from types import FunctionType, ModuleType


class _AlsoAFunction(ModuleType):
    _calls: tuple[str, str]

    @property
    def _function(self) -> FunctionType:
        module, name = self._calls
        function: FunctionType = getattr(import_module(module), name)
        return function

    def __call__(self, *values: object, **keywords: object) -> object:
        return self._function(*values, **keywords)

    @property
    def __signature__(self) -> Signature:
        return signature(self._function)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._function.__doc__


def also_a_function(package: str, module: str, name: str) -> None:
    """From now on the imported `package` is called as the function `name` of `module`, which is imported then."""
    imported = sys.modules[package]
    vars(imported)["_calls"] = (module, name)
    imported.__class__ = _AlsoAFunction
