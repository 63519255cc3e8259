"""Who is on the front, who keeps the limits, who stands for the others with its kernels."""

from dataclasses import replace

import pytest

from edgeq.errors import GateFailed
from edgeq.nouns.fidelity import Accuracy, Agreement, Fidelity, OutputError
from edgeq.nouns.tradeoff import CostLimits, Standing, Tradeoff
from edgeq.report.tradeoff import (
    left_out,
    loss_of,
    measure_of,
    raced,
    require_within,
    stand_ins,
    with_front,
    within,
)

from .conftest import MakeRace

FLOAT, INT8, FOUR, OTHER = (
    "onnxruntime-float",
    "onnxruntime-int8_static",
    "onnxruntime-int8_static-4bit",
    "litert-int8_static",
)


def row(candidate: str, loss: float, wire: int, kernels: str) -> Standing:
    return Standing(candidate, loss, wire, 4 * wire, 10**6, kernels)


ROWS = (
    row(INT8, 0.1, 200, "int8"),
    row(FOUR, 0.4, 110, "int8"),
    row(OTHER, 0.2, 190, "lite"),
    row(FLOAT, 0.0, 900, "float"),
)


def tradeoff(*rows: Standing, auto: bool = True, **limits: float) -> Tradeoff:
    return within(Tradeoff("top-1", CostLimits(), auto, rows or ROWS), CostLimits(**limits))


def front(found: Tradeoff) -> set[str]:
    return {each.candidate for each in found.rows if each.front}


def test_without_latencies_only_those_with_the_same_kernels_are_compared() -> None:
    assert front(tradeoff()) == {INT8, FOUR, OTHER, FLOAT}
    worse = row("onnxruntime-int8_static-6bit", 0.5, 150, "int8")
    assert front(tradeoff(*ROWS, worse)) == {INT8, FOUR, OTHER, FLOAT}


def test_with_latencies_a_slower_one_that_is_no_better_in_anything_is_not_on_the_front(
    make_race: MakeRace,
) -> None:
    from edgeq.report.race import compare_runs

    found = raced(
        tradeoff(), compare_runs(make_race({FLOAT: 10.0, INT8: 4.0, OTHER: 3.0}, rounds=8)), timed=True
    )
    assert front(found) == {INT8, FOUR, OTHER, FLOAT}
    times = {each.candidate: each.p50_ms for each in found.rows}
    assert times[FOUR] == times[INT8]
    assert [each.candidate for each in found.rows if not each.raced] == [FOUR]

    slow = raced(
        tradeoff(), compare_runs(make_race({FLOAT: 10.0, INT8: 4.0, OTHER: 12.0}, rounds=8)), timed=True
    )
    assert OTHER in front(slow)  # the smallest but one, and loses less than that
    smaller = tradeoff(replace(ROWS[0], loss=0.15, wire_bytes=100), *ROWS[1:])
    slow = raced(
        smaller, compare_runs(make_race({FLOAT: 10.0, INT8: 4.0, OTHER: 12.0}, rounds=8)), timed=True
    )
    assert front(slow) == {INT8, FLOAT}


def test_one_that_breaks_a_limit_is_off_the_front_and_bars_nobody() -> None:
    found = tradeoff(row(INT8, 0.0, 100, "int8"), row(FOUR, 0.4, 90, "int8"), max_bytes=95)
    assert front(found) == {FOUR}
    assert found.rows[0].refused == "100 bytes on the wire, --max-bytes 95"


def test_of_the_same_kernels_the_one_that_loses_least_is_raced() -> None:
    assert stand_ins(tradeoff()) == {FOUR: INT8}
    assert left_out(tradeoff()) == {
        FOUR: "same kernels as onnxruntime-int8_static, which is chosen before it"
    }
    assert stand_ins(tradeoff(max_bytes=150)) == {}
    assert set(left_out(tradeoff(max_bytes=150))) == {INT8, OTHER, FLOAT}


def test_of_those_that_lose_as_much_the_smallest_is_raced() -> None:
    assert stand_ins(tradeoff(row(INT8, 0.0, 200, "int8"), row(FOUR, 0.0, 110, "int8"))) == {INT8: FOUR}


def test_where_nothing_is_to_be_chosen_only_limits_leave_out() -> None:
    assert left_out(tradeoff(auto=False)) == {}


def test_nothing_within_the_limits_names_the_nearest_and_by_how_much() -> None:
    require_within(tradeoff(max_bytes=110))
    with pytest.raises(GateFailed) as failed:
        require_within(tradeoff(max_bytes=100))
    assert str(failed.value) == (
        "no candidate is within the limits; nearest is onnxruntime-int8_static-4bit: 110 bytes on the wire, --max-bytes 100, 10.0% more"
    )
    assert len(failed.value.details) == 4


def judged(db: float | None, top1: float | None = None, difference: float | None = None) -> Fidelity:
    accuracy = (
        None
        if difference is None
        else Accuracy("top-1", 800, 90.0, 90.0 + difference, difference, difference - 1, difference + 1)
    )
    agreement = None if top1 is None else Agreement(800, top1, None)
    return Fidelity("c", 800, (OutputError("y", db, 0.1),), agreement=agreement, accuracy=accuracy)


def test_losses_are_of_the_score_else_of_agreement_else_of_the_noise() -> None:
    scored = judged(20.0, 98.0, -0.5)
    assert measure_of([scored], scored=True) == "top-1"
    assert measure_of([scored], scored=False) == "agreement"
    assert measure_of([judged(20.0)], scored=True) == "SQNR"
    assert loss_of(scored, "top-1") == 0.5
    assert loss_of(judged(20.0, 98.0, +0.5), "top-1") == 0.0  # more than float is no gain
    assert loss_of(scored, "agreement") == pytest.approx(2.0)
    assert loss_of(judged(20.0), "SQNR") == pytest.approx(1.0)
    assert loss_of(judged(None), "SQNR") == 0.0


def test_a_tradeoff_comes_back_from_json() -> None:
    found = with_front(tradeoff(max_bytes=150, max_latency_ms=3.5))
    assert Tradeoff.from_dict(found.to_dict()) == found
