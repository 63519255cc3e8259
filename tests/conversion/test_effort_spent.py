"""All candidates of a conversion together: what they took, and what they would have taken."""

from edgeq.conversion.effort_spent import effort_spent
from edgeq.nouns.effort import EffortSpent, NextEffort
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.passes import StepCost

OURS = "onnxruntime-int8_static"


def judged(candidate: str, cpu_seconds: float, following: NextEffort | None = None) -> Fidelity:
    costs = (StepCost("fit", 1.0, cpu_seconds - 1), StepCost("judge", 1.0, 1.0))
    return Fidelity(candidate, 8, (), costs=costs, next_effort=following)


def test_those_that_another_effort_does_not_change_count_as_they_are() -> None:
    found = effort_spent(
        "default",
        [
            judged(OURS, 10.0, NextEffort("best", 45.0, 0.1)),
            judged(f"{OURS}-few-float", 5.0),  # its search is in the 45 s
            judged("litert-int8_static", 20.0, NextEffort("best", 50.0, 0.1)),
            judged("onnxruntime-float", 2.0),
        ],
    )
    assert found == EffortSpent("default", 37.0, NextEffort("best", 97.0, 0.1))


def test_with_nothing_to_choose() -> None:
    assert effort_spent("best", [judged(OURS, 10.0)]) == EffortSpent("best", 10.0)
