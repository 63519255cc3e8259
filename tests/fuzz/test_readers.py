"""A small part of what `python -m tests.fuzz` executes, for every reader."""

from importlib import import_module

import pytest

from tests.fuzz.campaign import reader_names, run


@pytest.mark.parametrize("reader", reader_names())
def test_only_own_errors_come_out(reader):
    module = import_module(f"tests.fuzz.readers.{reader}")
    outcome = run(reader, executions=getattr(module, "IN_TESTS", 100), seed="tests")
    assert outcome.finds == []
    assert outcome.states["refused"], "the mutations change nothing that matters"
