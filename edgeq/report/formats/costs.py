"""What each step of a candidate took and gained: a table under its `convert` line, with -v."""

from collections.abc import Sequence

from rich.console import Console

from edgeq.nouns.passes import StepCost
from edgeq.report.formats.layout import table

_LEAST_S = 0.05  # a step that took less and gained nothing is left out


def show_costs(costs: Sequence[StepCost], console: Console) -> None:
    shown = [cost for cost in costs if max(cost.seconds, cost.cpu_seconds) >= _LEAST_S or cost.gain_db]
    if len(shown) > 1:  # of a single step the `convert` line says it all
        table(console, ("step", "CPU s", "wall s", "dB"), [_row(cost) for cost in shown])


def _row(cost: StepCost) -> tuple[str, ...]:
    gain = "" if cost.gain_db is None else f"{cost.gain_db:+.1f}"
    return cost.step, f"{cost.cpu_seconds:,.1f}", f"{cost.seconds:,.1f}", gain
