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
    make_race: MakeRace, medians: Mapping[str, float | Run], *, refusals: Mapping[str, str | None] | None = None,
    emulated: bool = False, live: str | None = None, **race: object,
) -> Choice:  # fmt: skip
    measurement = make_race(medians, **race)
    order = [id for id in ORDER if id in medians]
    why_not = {id: None for id in order} | dict(refusals or {})
    return choose(compare_runs(measurement), order, why_not, FLOATS, emulated, measurement.quiet, live)


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
    made = decide(make_race, {ORT: 10.0, ORT8: 3.0}, refusals={ORT8: "top-1 fell by 2.4 points"})
    assert (made.candidate, made.why) == (
        ORT,
        "no quantized candidate may go live: onnxruntime float goes live",
    )


def test_an_override_chooses_among_what_it_allows(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, ORT8: 12.0}, refusals={ORT: "--recipe int8_static"})
    assert (made.candidate, made.compared) == (ORT8, True)


def test_nothing_allowed_is_an_error_with_every_reason(make_race: MakeRace) -> None:
    with pytest.raises(GateFailed) as failed:
        decide(make_race, {ORT: 10.0, ORT8: 3.0}, refusals={ORT: "too large", ORT8: "too wrong"})
    assert failed.value.details == (f"{ORT8}: too wrong", f"{ORT}: too large")


def test_an_emulated_device_follows_the_plan(make_race: MakeRace) -> None:
    emulated = replace(FACTS, emulated="marker file")
    made = decide(make_race, {ORT: 10.0, ORT8: 30.0}, facts=emulated, emulated=True)
    assert (made.candidate, made.compared) == (ORT8, False)
    assert made.why.startswith("speed not compared: the device is emulated (marker file)")


def test_too_few_rounds_leave_float_live(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, LITE: 5.0, ORT8: 5.0}, rounds=2)
    assert (made.candidate, made.compared) == (ORT, False)
    assert made.why.endswith("onnxruntime float goes live: float is the baseline")


def test_on_a_busy_device_cpu_time_decides(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, LITE: 8.0, ORT8: 4.0, LITE8: 6.0}, not_quiet=("steal 8 %",))
    assert (made.candidate, made.compared) == (ORT8, True)
    assert made.why.startswith(
        "the device was not quiet (steal 8 %); onnxruntime int8_static is faster than onnxruntime float in CPU time (2.5"
    )


@pytest.mark.parametrize(("int8_ms", "goes_live"), [(8.5, ORT8), (9.2, ORT), (9.9, ORT), (10.5, ORT)])
def test_on_a_busy_device_the_margin_is_wider(make_race: MakeRace, int8_ms: float, goes_live: str) -> None:
    made = decide(make_race, {ORT: 10.0, ORT8: int8_ms}, not_quiet=("busy",))
    assert made.candidate == goes_live
    assert made.compared == (goes_live == ORT8)
    assert ("is not certain enough: on a busy device it has to exceed 10%" in made.why) == (
        int8_ms in (9.2, 9.9)
    )


def test_on_a_busy_device_equals_are_not_told_apart(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, ORT8: 10.0}, not_quiet=("busy",), noise=0.05)
    assert made.candidate == ORT
    assert "CPU time does not tell onnxruntime int8_static from onnxruntime float" in made.why


def test_on_a_busy_device_the_float_that_int8_did_not_beat_is_named(make_race: MakeRace) -> None:
    """Its lead over what stays is large: without the other float the note would contradict itself."""
    made = decide(make_race, {ORT: 10.0, LITE: 9.3, ORT8: 8.5}, not_quiet=("busy",))
    assert (made.candidate, made.compared) == (ORT, False)
    assert "in CPU time onnxruntime int8_static is faster than onnxruntime float (1.1" in made.why
    assert "but not clearly faster than litert float (1.0" in made.why


def test_what_took_less_cpu_time_but_was_no_faster_undisturbed_stays_out(make_race: MakeRace) -> None:
    """Others empty the caches, which costs the larger model more; its fastest inferences show the truth."""
    measurement = make_race({ORT: 10.0, ORT8: 10.0}, not_quiet=("busy",))
    cheap = tuple(
        replace(run, blocks=tuple(replace(b, cpu_ns=b.cpu_ns // 2) for b in run.blocks))
        if run.entrant == ORT8
        else run
        for run in measurement.runs
    )
    report = compare_runs(replace(measurement, runs=cheap))
    made = choose(report, (ORT8, ORT), {}, FLOATS, False, False)
    assert (made.candidate, made.compared) == (ORT, False)


def test_what_takes_more_cpu_time_never_goes_live(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, ORT8: 20.0}, not_quiet=("busy",))
    assert (made.candidate, made.compared) == (ORT, True)
    assert "onnxruntime int8_static is slower in CPU time (0.50x" in made.why


def test_int8_has_to_beat_every_float_in_cpu_time_too(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, LITE: 5.0, ORT8: 6.0}, not_quiet=("busy",))
    assert (made.candidate, made.compared) == (LITE, True)


@pytest.mark.parametrize("rounds", [2, 20])
def test_where_nothing_can_be_told_what_was_live_stays(make_race: MakeRace, rounds: int) -> None:
    made = decide(
        make_race, {ORT: 10.0, LITE: 10.1, ORT8: 9.8}, not_quiet=("busy",), rounds=rounds, live=ORT8
    )
    assert (made.candidate, made.compared) == (ORT8, False)
    assert made.why.endswith("onnxruntime int8_static stays live")


def test_what_was_live_gives_way_to_what_is_faster_in_cpu_time(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, ORT8: 5.0, LITE8: 8.0}, not_quiet=("busy",), live=LITE8)
    assert (made.candidate, made.compared) == (ORT8, True)
    slower = decide(make_race, {ORT: 10.0, LITE8: 13.0}, not_quiet=("busy",), live=LITE8)
    assert (slower.candidate, slower.compared) == (ORT, True)


def test_what_was_live_and_may_not_any_more_gives_way_to_float(make_race: MakeRace) -> None:
    race = {ORT: 10.0, ORT8: 9.8}
    gone = decide(make_race, race, not_quiet=("busy",), live=LITE8)
    failed = decide(make_race, race, not_quiet=("busy",), live=ORT8, refusals={ORT8: "wrong outputs"})
    assert gone.candidate == failed.candidate == ORT


def test_a_quiet_race_is_decided_by_its_times_whatever_was_live(make_race: MakeRace) -> None:
    assert decide(make_race, {ORT: 10.0, ORT8: 5.0}, live=ORT).candidate == ORT8
    assert decide(make_race, {ORT: 10.0, ORT8: 12.0}, live=ORT8).candidate == ORT


def test_a_crashed_candidate_is_passed_over(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: 10.0, LITE8: Run(LITE8, "crashed"), ORT8: 5.0})
    assert made.candidate == ORT8
    made = decide(make_race, {ORT: 10.0, LITE8: Run(LITE8, "crashed")}, rounds=2)
    assert (made.candidate, made.compared) == (ORT, False)


def test_when_all_failed_float_is_named(make_race: MakeRace) -> None:
    made = decide(make_race, {ORT: Run(ORT, "timeout"), ORT8: Run(ORT8, "crashed")})
    assert (made.candidate, made.compared) == (ORT, False)
    assert made.why.startswith("speed not compared: no candidate finished its run; ")


@pytest.mark.parametrize("only", [ORT, ORT8])
@pytest.mark.parametrize(
    "race",
    [
        {"not_quiet": ("busy",)},
        {"rounds": 2, "not_quiet": ("busy",)},
        {"facts": replace(FACTS, emulated="marker file"), "emulated": True},
    ],
)
def test_one_candidate_alone_has_no_speed_to_compare(
    make_race: MakeRace, only: str, race: dict[str, object]
) -> None:
    made = decide(make_race, {only: 10.0}, **race)  # type: ignore[arg-type]
    assert (made.candidate, made.compared) == (only, True)
    assert made.why.endswith("is the only candidate that may go live, so there was no speed to compare")


def test_where_all_others_failed_their_gates_there_is_no_speed_to_compare(make_race: MakeRace) -> None:
    refused: dict[str, str | None] = {ORT8: "top-1 fell by 2.4 points", LITE8: "SQNR 3 dB"}
    made = decide(make_race, {ORT: 10.0, ORT8: 3.0, LITE8: 3.0}, refusals=refused, not_quiet=("busy",))
    assert (made.candidate, made.compared) == (ORT, True)


def test_one_candidate_that_did_not_run_is_not_called_compared(make_race: MakeRace) -> None:
    crashed = Run(ORT, state="crashed", error="signal 11")
    assert not decide(make_race, {ORT: crashed}).compared
