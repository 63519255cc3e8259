"""A measurement that an older agent wrote is read today, with nothing lost and nothing half understood."""

import json
from pathlib import Path

import pytest

from edgeq.nouns.measurement import SCHEMA, Attempt, Measurement

VERSION_1 = json.loads((Path(__file__).parent / "measurement_1.json").read_text())


def test_one_of_schema_1_had_one_attempt_that_nobody_waited_for():
    read = Measurement.from_dict(VERSION_1)
    assert read.schema == SCHEMA == 2
    assert read.attempts == (Attempt(0, 4, 0, ("steal 8 %",), "the limit of 4 rounds after 3.0 s"),)
    assert [r.to_dict() for r in read.runs] == VERSION_1["runs"]
    assert Measurement.from_dict(read.to_dict()) == read


def test_one_of_schema_1_in_which_nothing_ran_had_none():
    assert Measurement.from_dict({**VERSION_1, "runs": []}).attempts == ()


@pytest.mark.parametrize("schema", [0, 3, "2", None, [1]])
def test_one_of_another_schema_is_refused(schema):
    with pytest.raises(ValueError, match="schema"):
        Measurement.from_dict({**VERSION_1, "schema": schema})


@pytest.mark.parametrize("raw", [None, [], "text", {"schema": 1}, {**VERSION_1, "runs": 3}])
def test_what_is_no_measurement_is_refused_as_any_other_noun(raw):
    with pytest.raises(ValueError):
        Measurement.from_dict(raw)
