"""What is made first, and what no longer is."""

from edgeq.conversion.time_budget import TimeBudget, in_order_of_gain
from edgeq.nouns.plan import CandidatePlan


def candidate(way: str, bits: float | None = None) -> CandidatePlan:
    recipe = way.removesuffix(f"-{bits:g}bit") if bits else way
    return CandidatePlan(f"onnxruntime-{way}", "onnxruntime", recipe, "onnx", "", weight_bits=bits)


FLOAT, INT8, DYNAMIC, WIDE = map(candidate, ("float", "int8_static", "int8_dynamic", "int16x8_static"))
SIX, FOUR, THREE = (candidate(f"int8_static-{bits}bit", float(bits)) for bits in (6, 4, 3))
PLAN = (DYNAMIC, INT8, SIX, FOUR, THREE, FLOAT, WIDE)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def made(budget: TimeBudget, clock: Clock, one: CandidatePlan, took: float, *, passed: bool = True) -> None:
    clock.seconds += took
    budget.made(one, took, passed=passed)


def test_float_first_fewer_bits_behind_what_may_be_faster_and_what_is_slow_last() -> None:
    assert in_order_of_gain(PLAN, None, 1000) == [FLOAT, DYNAMIC, INT8, SIX, FOUR, THREE, WIDE]


def test_within_a_limit_of_bytes_those_that_are_likely_to_fit_come_first() -> None:
    """1,000 weights of 4 bits are 500 bytes."""
    assert in_order_of_gain(PLAN, 500, 1000) == [FLOAT, DYNAMIC, INT8, FOUR, THREE, SIX, WIDE]


def test_what_would_end_too_late_is_not_made_and_what_is_quick_is() -> None:
    clock = Clock()
    budget = TimeBudget(0.0, 60.0, clock)
    made(budget, clock, FLOAT, 1.0)
    made(budget, clock, DYNAMIC, 4.0)
    made(budget, clock, INT8, 40.0)
    assert budget.why_not(FOUR) == "--time-budget 60 s: 45 s are over, and it would take about 40 s"
    assert budget.why_not(DYNAMIC) == ""
    assert budget.why_not(FLOAT) == ""


def test_a_quantized_candidate_that_passes_is_made_however_long_it_takes() -> None:
    clock = Clock()
    budget = TimeBudget(0.0, 10.0, clock)
    made(budget, clock, FLOAT, 20.0)
    assert budget.why_not(INT8) == ""
    made(budget, clock, INT8, 20.0, passed=False)
    assert budget.why_not(DYNAMIC) == ""
    made(budget, clock, DYNAMIC, 1.0)
    assert budget.why_not(WIDE) != ""


def test_without_a_budget_everything_is_made() -> None:
    clock = Clock()
    budget = TimeBudget(0.0, None, clock)
    made(budget, clock, INT8, 1e6)
    assert budget.why_not(FOUR) == ""
