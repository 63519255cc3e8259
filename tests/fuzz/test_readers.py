"""A small part of what `python -m tests.fuzz` executes, for every reader."""

import pytest

from tests.fuzz.campaign import reader_names, run


@pytest.mark.parametrize("reader", reader_names())
def test_only_own_errors_come_out(reader):
    outcome = run(reader, executions=100, seed="tests")
    assert outcome.finds == []
    assert outcome.states["refused"], "the mutations change nothing that matters"
