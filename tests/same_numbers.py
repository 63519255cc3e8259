"""Each test draws the same random numbers, whichever tests ran before it in its process.

Modules of tests keep a numpy Generator. It is put back to where it stood after the import, before a test's fixtures are made
and before its body runs.
"""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

_STATES: dict[int, Any] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for generator in _generators(item):
            _STATES.setdefault(id(generator), generator.bit_generator.state)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _put_back(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    _put_back(item)


def _put_back(item: pytest.Item) -> None:
    for generator in _generators(item):
        generator.bit_generator.state = _STATES[id(generator)]


def _generators(item: pytest.Item) -> list[np.random.Generator]:
    module = getattr(item, "module", None)
    held = vars(module).values() if isinstance(module, ModuleType) else ()
    return [value for value in held if isinstance(value, np.random.Generator)]
