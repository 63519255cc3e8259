from dataclasses import replace

import pytest

from edgeq.errors import NotComparable
from edgeq.nouns.measurement import Measurement
from edgeq.report.compare import compare_measurements, differing_conditions

from .conftest import FACTS, MakeRace

FLOAT, INT8 = "onnxruntime-float", "onnxruntime-int8_static"


def under_other_conditions(race: Measurement) -> Measurement:
    entrants = tuple(replace(entrant, threads=4) for entrant in race.job.entrants)
    return replace(
        race,
        job=replace(race.job, id="job2", entrants=entrants),
        facts=replace(FACTS, board="Raspberry Pi 5", machine_id="m2", emulated="marker"),
        before=replace(race.before, governor={"policy0": "ondemand"}),
        runs=tuple(replace(run, runtime_version="1.31.1") for run in race.runs),
        quiet=False,
        not_quiet=("steal 8 %",),
    )


def test_a_change_between_two_measurements(make_race: MakeRace) -> None:
    before, after = make_race({FLOAT: 10.0, INT8: 5.0}), make_race({FLOAT: 10.0, INT8: 4.0}, id="job2")
    made = compare_measurements(before, after)
    assert (made.first, made.second, made.unlike) == ("job1", "job2", ())
    changes = {change.entrant: change for change in made.changes}
    assert changes[INT8].verdict == "faster"
    assert changes[INT8].ratio.value == pytest.approx(0.8, rel=0.02)  # type: ignore[union-attr]
    assert changes[FLOAT].verdict == "cannot tell"


def test_differing_conditions_are_refused_one_by_one(make_race: MakeRace) -> None:
    first = make_race({FLOAT: 10.0, INT8: 5.0})
    with pytest.raises(NotComparable) as refused:
        compare_measurements(first, under_other_conditions(first))
    said = "\n".join(refused.value.details)
    for line in (
        "board: Raspberry Pi 4 Model B Rev 1.4 in the first, Raspberry Pi 5 in the second",
        "device: m1 in the first, m2 in the second",
        "governor: performance in the first, ondemand in the second",
        "emulated: no in the first, marker in the second",
        "quiet: yes in the first, no (steal 8 %) in the second",
        f"threads of {FLOAT}: 1 in the first, 4 in the second",
        f"onnxruntime of {INT8}: 1.20.1 in the first, 1.31.1 in the second",
    ):
        assert line in said
    assert "--force" in str(refused.value.remedy)


def test_forced_all_the_same_they_stay_on_record(make_race: MakeRace) -> None:
    first = make_race({FLOAT: 10.0, INT8: 5.0})
    made = compare_measurements(first, under_other_conditions(first), force=True)
    assert len(made.unlike) == len(differing_conditions(first, under_other_conditions(first))) == 9
    assert {change.verdict for change in made.changes} == {"not compared"}, (
        "an emulator's times decide nothing"
    )


def test_nothing_in_common(make_race: MakeRace) -> None:
    with pytest.raises(NotComparable, match="no candidate in common"):
        compare_measurements(make_race({FLOAT: 10.0}), make_race({INT8: 5.0}, id="job2"))


def test_what_only_one_has_is_named_and_short_ones_are_not_compared(make_race: MakeRace) -> None:
    made = compare_measurements(
        make_race({FLOAT: 10.0, INT8: 5.0}, rounds=2),
        make_race({FLOAT: 10.0, "litert-float": 8.0}, id="job2"),
    )
    assert made.unmatched == (INT8, "litert-float")
    assert made.changes[0].verdict == "not compared"
