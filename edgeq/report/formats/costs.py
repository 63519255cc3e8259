"""What a conversion took: with -v a table of the steps of each candidate, and a line with what the next --effort would take."""

from collections.abc import Sequence

from rich.console import Console

from edgeq.nouns.effort import EffortSpent
from edgeq.nouns.passes import StepCost
from edgeq.report.formats.layout import say, table
from edgeq.report.formats.units import seconds

_LEAST_S = 0.05  # a step that took less and gained nothing is left out


def show_costs(costs: Sequence[StepCost], console: Console) -> None:
    shown = [cost for cost in costs if max(cost.seconds, cost.cpu_seconds) >= _LEAST_S or cost.gain_db]
    if len(shown) > 1:  # of a single step the `convert` line says it all
        table(console, ("step", "CPU s", "wall s", "dB"), [_row(cost) for cost in shown])


def show_effort(spent: EffortSpent, console: Console) -> None:
    """Nothing where there is no other effort to choose. On the wall the next one takes as many times as long as its work is more."""
    following = spent.following
    if following is None:
        return
    times = following.cpu_seconds / spent.cpu_seconds
    more = f"--effort {following.effort}: about {seconds(spent.seconds * times)} ({times:.1f} times as long)"
    if following.gain_db is not None:
        more += f", typically {following.gain_db:+.1f} dB"
    took = f"{spent.effort}: {seconds(spent.seconds)} from opening the model to the bundle"
    say(console, "effort", [took, more])


def _row(cost: StepCost) -> tuple[str, ...]:
    gain = "" if cost.gain_db is None else f"{cost.gain_db:+.1f}"
    return cost.step, f"{cost.cpu_seconds:,.1f}", f"{cost.seconds:,.1f}", gain
