"""What goes live, told as races. The plan expects int8 to be fastest, LiteRT first."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from edgeq.errors import GateFailed
from edgeq.nouns.measurement import Run
from edgeq.nouns.report import Choice
from edgeq.report.choose import WORST_RATIO, choose
from edgeq.report.race import compare_runs

from .conftest import FACTS, MakeRace

ORT, LITE = "onnxruntime-float", "litert-float"
ORT8, LITE8 = "onnxruntime-int8_static", "litert-int8_static"
ORDER = (LITE8, ORT8, LITE, ORT)
FLOATS = frozenset({ORT, LITE})


def decide(
    make_race: MakeRace, medians: Mapping[str, float | Run], *, allowed: Mapping[str, str | None] | None = None,
    emulated: bool = False, **race: object,
) -> Choice:  # fmt: skip
    measurement = make_race(medians, **race)
    order = [id for id in ORDER if id in medians]
    may = {id: None for id in order} | dict(allowed or {})
    return choose(compare_runs(measurement), order, may, FLOATS, emulated, measurement.quiet)


def test_the_fastest_that_clears_float_goes_live(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, LITE: 8.0, ORT8: 4.0, LITE8: 6.0})
    assert (made.candidate, made.compared) == (ORT8, True)
    assert made.why == "onnxruntime int8_static is faster than litert float (1.99x, 1.98x to 2.01x)"


def test_int8_has_to_beat_every_float_not_only_its_own(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, LITE: 5.0, ORT8: 6.0})
    assert made.candidate == LITE
    assert "onnxruntime int8_static is slower than float" in made.why


def test_what_cannot_be_told_apart_leaves_float_live(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, ORT8: 9.97})
    assert made.candidate == ORT
    assert "cannot be told apart from float" in made.why and "noise floor 0." in made.why


def test_equal_int8_ones_follow_the_plan(make_race: MakeRace) -> None:
    assert decide(make_race, {ORT: 10.0, ORT8: 4.99, LITE8: 5.0}).candidate == LITE8


def test_equal_floats_follow_the_plan(make_race: MakeRace) -> None:
    assert decide(make_race, {ORT: 10.0, LITE: 10.02, ORT8: 12.0}).candidate == LITE


@pytest.mark.parametrize("int8_ms", [3.0, 9.0, 9.8, 9.9, 10.0, 10.1, 10.5, 14.0])
@pytest.mark.parametrize("noise", [0.002, 0.05])
def test_the_promise_never_slower_than_float(make_race: MakeRace, int8_ms: float, noise: float) -> None:
    report = compare_runs(make_race({ORT: 10.0, ORT8: int8_ms}, noise=noise, rounds=8))
    made = choose(report, (ORT8, ORT), {}, FLOATS, False, True)
    if made.candidate != ORT:
        pair = report.pair(made.candidate, ORT)
        assert pair is not None and pair.ratio.high <= WORST_RATIO


def test_a_candidate_that_failed_its_gate_cannot_win(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, ORT8: 3.0}, allowed={ORT8: "top-1 fell by 2.4 points"})
    assert (made.candidate, made.why) == (ORT, "onnxruntime float is the only kind that may go live here")


def test_an_override_chooses_among_what_it_allows(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, ORT8: 12.0}, allowed={ORT: "--recipe int8_static"})
    assert (made.candidate, made.compared) == (ORT8, True)


def test_nothing_allowed_is_an_error_with_every_reason(make_race: MakeRace) -> None:
    with pytest.raises(GateFailed) as failed:
        decide(make_race, {ORT: 10.0, ORT8: 3.0}, allowed={ORT: "too large", ORT8: "too wrong"})
    assert failed.value.details == (f"{ORT8}: too wrong", f"{ORT}: too large")


def test_an_emulated_device_follows_the_plan(make_race: MakeRace) -> None:
    emulated = replace(FACTS, emulated="marker file")
    made = decide(make_race, {ORT: 10.0, ORT8: 30.0}, facts=emulated, emulated=True)
    assert (made.candidate, made.compared) == (ORT8, False)
    assert made.why.startswith("speed not compared: the device is emulated (marker file)")


def test_too_few_rounds_follow_the_plan(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, ORT8: 5.0}, rounds=2)
    assert (made.candidate, made.compared) == (ORT8, False)


def test_a_device_that_was_not_quiet_follows_the_plan(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, ORT8: 5.0}, not_quiet=("steal 8 % of CPU time",))
    assert (made.candidate, made.compared) == (ORT8, False)
    assert made.why == (
        "speed not compared: the device was not quiet (steal 8 % of CPU time); "
        "onnxruntime int8_static, which the plan expects to be fastest, goes live"
    )


def test_the_plan_is_not_followed_against_the_evidence(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, ORT8: 20.0}, not_quiet=("busy",))
    assert (made.candidate, made.compared) == (ORT, False)
    assert made.why == (
        "speed not compared: the device was not quiet (busy); onnxruntime float goes live, for "
        "onnxruntime int8_static seemed slower than onnxruntime float (0.50x)"
    )


def test_a_crashed_candidate_is_passed_over(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, LITE8: Run(LITE8, "crashed"), ORT8: 5.0})
    assert made.candidate == ORT8
    made = decide(make_race, {ORT: 10.0, LITE8: Run(LITE8, "crashed")}, rounds=2)
    assert (made.candidate, made.compared) == (ORT, False)


def test_when_all_failed_the_plan_names_the_first(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: Run(ORT, "timeout"), ORT8: Run(ORT8, "crashed")})
    assert (made.candidate, made.compared) == (ORT8, False)
    assert made.why.startswith("speed not compared: no entrant ran to its end; ")
