"""What a busy race still tells: both CPU time and the least disturbed inferences have to say it."""

from dataclasses import replace

import pytest

from edgeq.nouns.measurement import Run
from edgeq.nouns.report import CANNOT_TELL, FASTER, SLOWER
from edgeq.report.busy import busy_pairs, costs_of

from .conftest import run

FLOAT, INT8, CONTROL = "onnxruntime-float", "onnxruntime-int8_static", "onnxruntime-float#twin"


def pair(*runs: Run, against: str = FLOAT):  # type: ignore[no-untyped-def]
    found = busy_pairs(runs, FLOAT, CONTROL)
    return next((p for p in found if (p.entrant, p.against) == (INT8, against)), None)


@pytest.mark.parametrize(
    ("int8_ms", "says"),
    [(5.0, FASTER), (8.5, FASTER), (9.5, CANNOT_TELL), (10.5, CANNOT_TELL), (12.0, SLOWER)],
)
def test_the_margin_is_ten_percent(int8_ms: float, says: str) -> None:
    found = pair(run(FLOAT, 10.0), run(INT8, int8_ms))
    assert found is not None and found.verdict == says


def test_waiting_for_a_core_counts_in_neither_figure() -> None:
    """Every second inference of int8 was preempted for a hundred times as long as it takes."""
    quick = run(INT8, 5.0)
    waited = tuple(
        replace(b, latency_ns=tuple(ns * 100 if i % 2 else ns for i, ns in enumerate(b.latency_ns)))
        for b in quick.blocks
    )
    found = pair(run(FLOAT, 10.0), replace(quick, blocks=waited))
    assert found is not None and found.verdict == FASTER
    assert found.ratio.value == pytest.approx(0.5, rel=0.03)


def test_the_figure_that_is_nearer_to_no_difference_is_the_one_that_is_told() -> None:
    cheap = run(INT8, 9.0)
    cheap = replace(cheap, blocks=tuple(replace(b, cpu_ns=b.cpu_ns // 2) for b in cheap.blocks))
    found = pair(run(FLOAT, 10.0), cheap)
    assert found is not None and found.verdict == CANNOT_TELL
    assert found.ratio.value == pytest.approx(0.9, rel=0.02)


def test_a_twin_that_differs_widens_the_margin_and_is_in_no_pair() -> None:
    runs = (run(FLOAT, 10.0), run(CONTROL, 13.0), run(INT8, 8.0))
    found = busy_pairs(runs, FLOAT, CONTROL)
    assert {(p.entrant, p.against) for p in found} == {(FLOAT, INT8), (INT8, FLOAT)}
    assert {p.verdict for p in found} == {CANNOT_TELL}


def test_rounds_without_cpu_time_tell_nothing() -> None:
    old = run(INT8, 5.0)
    old = replace(old, blocks=tuple(replace(b, cpu_ns=0) for b in old.blocks))
    assert costs_of(old) == {}
    assert pair(run(FLOAT, 10.0), old) is None


def test_too_few_rounds_make_no_pair() -> None:
    assert pair(run(FLOAT, 10.0, rounds=3), run(INT8, 5.0, rounds=3)) is None
