"""What counts as quiet, example by example."""

from dataclasses import replace

import pytest

from edgeq.agent.verdict import not_quiet
from edgeq.nouns.device import Conditions
from edgeq.nouns.job import Thresholds
from edgeq.nouns.measurement import Block, Run

CALM = Conditions(
    uptime_ns=0,
    frequency_khz={"policy0": 1_800_000},
    throttled=0,
    steal_ticks=100,
    total_ticks=10_000,
    pressure={"cpu": 0.5, "memory": 0.0},
)


def seconds_later(**changes) -> Conditions:
    return replace(CALM, **{"steal_ticks": 110, "total_ticks": 11_000, **changes})


def reasons(before=CALM, after=None, series=(CALM, CALM, CALM), runs=()):
    return not_quiet(before, after or seconds_later(), series, runs, Thresholds())


def drifting(factors, ns=1_000_000) -> Run:
    blocks = tuple(Block(i, 0, 1, 1, (int(ns * f),) * 3) for i, f in enumerate(factors))
    return Run("float", "ok", blocks=blocks)


def test_a_calm_device_is_quiet():
    assert reasons() == ()


def test_an_idle_virtual_machine_is_quiet():
    """Steal of 4 % and a CPU pressure of 3, as seen on one that does nothing."""
    restless = seconds_later(
        steal_ticks=140, pressure={"cpu": 3.0, "memory": 0.0}, frequency_khz={}, throttled=None
    )
    assert reasons(after=restless, series=[restless] * 5) == ()


def test_stolen_time():
    assert reasons(after=seconds_later(steal_ticks=200)) == (
        "the hypervisor took 10% of the CPU time (limit 5%)",
    )


def test_a_tick_or_two_of_steal_in_a_short_run_is_rounding():
    assert reasons(after=replace(CALM, steal_ticks=103, total_ticks=10_030)) == ()


def test_pressure():
    loud = seconds_later(pressure={"cpu": 35.0, "memory": 2.0})
    assert reasons(series=[CALM, loud, CALM]) == (
        "cpu pressure reached 35 % (PSI some avg10, limit 20 %)",
        "memory pressure reached 2 % (PSI some avg10, limit 1 %)",
    )


def test_pressure_from_before_the_run_is_not_its_own():
    assert reasons(before=replace(CALM, pressure={"cpu": 90.0})) == ()


@pytest.mark.parametrize(
    ("bits", "words"),
    [(0x1, "under-voltage"), (0x6, "frequency capped, throttled"), (0x50000, "under-voltage, throttled")],
)
def test_the_firmware_stepped_in(bits, words):
    assert reasons(after=seconds_later(throttled=bits)) == (f"the firmware reported {words} in the run",)


def test_what_the_firmware_did_since_boot_but_before_the_run_is_history():
    hot_once = replace(CALM, throttled=0x40000)
    assert reasons(before=hot_once, after=seconds_later(throttled=0x40000), series=[hot_once]) == ()


def test_a_clock_that_falls():
    slow = replace(CALM, frequency_khz={"policy0": 1_500_000})
    assert reasons(series=[CALM, CALM, CALM, slow, slow, slow]) == (
        "the clock fell from 1800 to 1500 MHz, 17% (limit 5%)",
    )


def test_a_clock_that_was_idle_before_the_run_did_not_fall():
    assert reasons(before=replace(CALM, frequency_khz={"policy0": 600_000})) == ()


def test_one_dip_between_two_blocks_is_the_governor():
    dip = replace(CALM, frequency_khz={"policy0": 600_000})
    assert reasons(series=[CALM, CALM, CALM, CALM, dip, CALM, CALM, CALM, CALM]) == ()


def test_a_drift_over_the_run():
    assert reasons(runs=[drifting([1, 1, 1, 1.05, 1.1, 1.1, 1.1, 1.1, 1.1])]) == (
        "the last third of the run was 10% slower than the first (limit 5%)",
    )


def test_a_device_that_became_faster_was_disturbed_at_the_beginning():
    assert reasons(runs=[drifting([1.2, 1.2, 1.1, 1, 1, 1])]) == (
        "the first third of the run was 20% slower than the last (limit 5%)",
    )


def test_one_entrant_that_drifts_among_calm_ones_is_no_drift_of_the_device():
    assert reasons(runs=[drifting([1] * 9), drifting([1] * 9, ns=50), drifting([1] * 6 + [1.3] * 3)]) == ()


def test_too_few_rounds_to_tell_a_drift():
    assert reasons(runs=[drifting([1, 1, 2])]) == ()
