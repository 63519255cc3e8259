from dataclasses import replace

import pytest

from edgeq.errors import EdgeqError
from edgeq.nouns.measurement import Block, Run
from edgeq.nouns.report import RaceReport
from edgeq.report.race import compare_runs, rounds_of

from .conftest import FACTS, MakeRace

FLOAT, INT8 = "onnxruntime-float", "onnxruntime-int8_static"


def test_a_row_per_entrant_with_figures_in_milliseconds(make_race: MakeRace) -> None:
    report = compare_runs(make_race({FLOAT: 10.0, INT8: 5.0}))
    assert [row.id for row in report.rows] == [FLOAT, INT8]
    row = report.row(INT8)
    assert row.latency is not None and row.ratio is not None and row.speedup is not None
    assert row.latency.p50_ms.low < row.latency.p50_ms.value < row.latency.p50_ms.high
    assert row.latency.p50_ms.value == pytest.approx(5.0, rel=0.05)
    assert row.latency.throughput_per_s == pytest.approx(200, rel=0.05)
    assert row.ratio.value == pytest.approx(0.5, rel=0.02) and row.speedup.value == pytest.approx(2, rel=0.02)
    assert (row.verdict, report.row(FLOAT).verdict) == ("faster", "reference")
    assert (row.load_ms, row.load_warm_ms) == (41.0, 3.0)
    assert row.cpu_ms_per_inference == pytest.approx(4.9, rel=0.05)
    assert row.peak_memory_bytes == 61_000_000
    assert row.energy is not None and row.energy.kind == "estimated"
    assert report.seconds == 41.0


def test_the_twin_is_the_noise_floor_and_no_row(make_race: MakeRace) -> None:
    report = compare_runs(make_race({FLOAT: 10.0, INT8: 9.0}))
    assert report.noise_floor is not None and report.noise_floor < 0.01
    assert report.margin == 0.01
    assert not any("#twin" in row.id for row in report.rows)


def test_a_noisy_twin_widens_the_margin(make_race: MakeRace) -> None:
    race = make_race({FLOAT: 10.0, INT8: 9.7}, twin=False)
    from .conftest import run

    biased = replace(race, runs=(*race.runs, run(f"{FLOAT}#twin", 10.5)))
    assert compare_runs(race).row(INT8).verdict == "faster"
    report = compare_runs(biased)
    assert report.margin == pytest.approx(0.05, abs=0.01)
    assert report.row(INT8).verdict == "cannot tell"


@pytest.mark.parametrize(
    ("int8_ms", "verdict"), [(5.0, "faster"), (9.95, "cannot tell"), (10.05, "cannot tell"), (13.0, "slower")]
)
def test_verdicts(make_race: MakeRace, int8_ms: float, verdict: str) -> None:
    assert compare_runs(make_race({FLOAT: 10.0, INT8: int8_ms})).row(INT8).verdict == verdict


def test_pairs_are_inverse_of_each_other(make_race: MakeRace) -> None:
    report = compare_runs(make_race({FLOAT: 10.0, INT8: 5.0, "litert-float": 8.0}))
    there, back = report.pair("litert-float", INT8), report.pair(INT8, "litert-float")
    assert there is not None and back is not None
    assert there.ratio.value == pytest.approx(1 / back.ratio.value)
    assert (there.verdict, back.verdict) == ("slower", "faster")
    assert len(report.pairs) == 6


def test_another_reference(make_race: MakeRace) -> None:
    report = compare_runs(make_race({FLOAT: 10.0, INT8: 5.0}), reference=INT8)
    assert report.row(FLOAT).ratio.value == pytest.approx(2, rel=0.02)  # type: ignore[union-attr]
    with pytest.raises(EdgeqError, match="no entrant 'tpu'"):
        compare_runs(make_race({FLOAT: 10.0}), reference="tpu")


def test_a_crash_is_a_row_with_its_words(make_race: MakeRace) -> None:
    report = compare_runs(make_race({FLOAT: 10.0, INT8: Run(INT8, "crashed", "SIGILL after load")}))
    row = report.row(INT8)
    assert (row.state, row.error, row.latency, row.verdict) == (
        "crashed",
        "SIGILL after load",
        None,
        "not compared",
    )


def test_an_emulated_device_decides_nothing(make_race: MakeRace) -> None:
    report = compare_runs(make_race({FLOAT: 10.0, INT8: 5.0}, facts=replace(FACTS, emulated="marker file")))
    assert report.emulated == "marker file"
    assert report.not_compared is not None and "emulated (marker file)" in report.not_compared
    assert report.row(INT8).verdict == "not compared"


def test_too_few_rounds_decide_nothing(make_race: MakeRace) -> None:
    report = compare_runs(make_race({FLOAT: 10.0, INT8: 5.0}, rounds=3))
    assert report.not_compared == "too few rounds to compare (3 of 4); try --seconds 82"
    assert report.row(INT8).latency is not None
    assert report.row(INT8).ratio is None


def test_a_disturbed_device_decides_nothing(make_race: MakeRace) -> None:
    report = compare_runs(make_race({FLOAT: 10.0, INT8: 5.0}, not_quiet=("steal 8 %",)))
    assert report.not_compared == "the device was not quiet (steal 8 %)"
    assert report.row(INT8).verdict == "not compared"
    alone = compare_runs(make_race({FLOAT: 10.0}, not_quiet=("steal 8 %",)))
    assert alone.not_compared is None  # nothing was to be compared


def test_nothing_ran(make_race: MakeRace) -> None:
    report = compare_runs(make_race({FLOAT: Run(FLOAT, "timeout"), INT8: Run(INT8, "crashed")}))
    assert report.not_compared == "no candidate finished its run"
    assert report.noise_floor is None


def test_only_rounds_that_both_ran_are_paired(make_race: MakeRace) -> None:
    race = make_race({FLOAT: 10.0, INT8: 5.0})
    cut = replace(race.runs[1], blocks=race.runs[1].blocks[:16])
    report = compare_runs(replace(race, runs=(race.runs[0], cut, race.runs[2])))
    assert report.row(INT8).latency.rounds == 8  # type: ignore[union-attr]
    assert report.row(INT8).verdict == "faster"


def test_blocks_of_a_round_are_joined_in_the_order_of_time() -> None:
    made = (
        Block(1, 0, 0, 0, (5,)),
        Block(0, 3, 0, 0, (3, 4)),
        Block(0, 0, 0, 0, (1, 2)),
        Block(2, 0, 0, 0, ()),
    )
    assert {k: v.tolist() for k, v in rounds_of(Run("a", "ok", blocks=made)).items()} == {
        0: [1, 2, 3, 4],
        1: [5],
    }


def test_a_report_survives_json(make_race: MakeRace) -> None:
    report = compare_runs(make_race({FLOAT: 10.0, INT8: 5.0}))
    assert RaceReport.from_dict(report.to_dict()) == report
