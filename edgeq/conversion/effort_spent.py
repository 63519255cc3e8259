"""What all candidates of a conversion took together, and what they would have taken with the next --effort."""

from collections.abc import Sequence

from edgeq.nouns.effort import EffortSpent, NextEffort
from edgeq.nouns.fidelity import Fidelity


def effort_spent(effort: str, judged: Sequence[Fidelity]) -> EffortSpent:
    """The estimate of a candidate covers a second one of it with a few layers in float, if there is one."""
    spent = sum(_cpu_seconds(one) for one in judged)
    changed = {one.candidate: one.next_effort for one in judged if one.next_effort is not None}
    if not changed:
        return EffortSpent(effort, spent)
    same = sum(_cpu_seconds(one) for one in judged if not one.candidate.startswith(tuple(changed)))
    first = next(iter(changed.values()))
    seconds = same + sum(each.cpu_seconds for each in changed.values())
    return EffortSpent(effort, spent, NextEffort(first.effort, seconds, first.gain_db))


def _cpu_seconds(one: Fidelity) -> float:
    return sum(cost.cpu_seconds for cost in one.costs)
