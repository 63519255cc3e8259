"""What a conversion took from its beginning, and what it would have taken with the next effort."""

from dataclasses import replace

import pytest

from edgeq.conversion.effort_spent import Clock, effort_spent
from edgeq.nouns.effort import EffortSpent, NextEffort
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.passes import StepCost

OURS = "onnxruntime-int8_static"
BEGAN, NOW = Clock(100.0, 10.0), Clock(160.0, 60.0)  # 50 s of processors, 37 of them for candidates


def judged(candidate: str, cpu_seconds: float, following: NextEffort | None = None) -> Fidelity:
    costs = (StepCost("fit", 1.0, cpu_seconds - 1), StepCost("judge", 1.0, 1.0))
    return Fidelity(candidate, 8, (), costs=costs, next_effort=following)


ALL = [
    judged(OURS, 10.0, NextEffort("best", 45.0, 0.1)),
    judged(f"{OURS}-few-float", 5.0),  # its search is in the 45 s
    judged("litert-int8_static", 20.0, NextEffort("best", 50.0, 0.1)),
    judged("onnxruntime-float", 2.0),
]


def test_what_another_effort_does_not_change_counts_as_it_is() -> None:
    """Tracing and export, float candidates: 15 s; with the next effort 95 instead of 35 for the others."""
    assert effort_spent("default", ALL, BEGAN, NOW) == EffortSpent(
        "default", 60.0, 50.0, NextEffort("best", pytest.approx(110.0), 0.1)
    )


def test_a_candidate_that_was_made_before_leaves_nothing_to_compare_with() -> None:
    before = [*ALL[:3], replace(ALL[3], costs=())]
    assert effort_spent("default", before, BEGAN, NOW) == EffortSpent("default", 60.0, 50.0)


def test_with_nothing_to_choose() -> None:
    assert effort_spent("best", [judged(OURS, 10.0)], BEGAN, NOW) == EffortSpent("best", 60.0, 50.0)


def test_the_clock_counts_processors_of_this_process() -> None:
    began = Clock.now()
    sum(range(3_000_000))
    now = Clock.now()
    assert now.cpu > began.cpu and now.wall > began.wall
