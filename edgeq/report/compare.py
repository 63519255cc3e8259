"""Two measurements side by side, and why they may not be comparable.

The two were not interleaved, so the conditions (kernel, clock, temperature) may have changed in between: they are
compared first, and figures count as different only beyond both noise floors.
"""

from collections.abc import Callable, Sequence

from edgeq.errors import NotComparable
from edgeq.nouns.job import Entrant
from edgeq.nouns.measurement import Measurement, Run
from edgeq.nouns.report import NOT_COMPARED, Change, Comparison, Condition, Estimate
from edgeq.report.race import in_last_quiet_attempt, margin_of, rounds_of
from edgeq.report.statistics import Samples, independent_ratio, quantile_estimates
from edgeq.report.verdict import verdict

_NS_PER_MS = 1e6

# What has to be the same, as words a person can act on.
_CONDITIONS: dict[str, Callable[[Measurement], str]] = {
    "model": lambda m: m.job.app,
    "board": lambda m: m.facts.board,
    "device": lambda m: m.facts.machine_id or m.facts.hostname,
    "CPU": lambda m: m.facts.cpu_model,
    "userland": lambda m: m.facts.arch,
    "kernel": lambda m: m.facts.kernel,
    "governor": lambda m: ", ".join(sorted(set(m.before.governor.values()))) or "not available",
    "emulated": lambda m: m.facts.emulated or "no",
    "quiet": lambda m: "yes" if m.quiet else f"no ({'; '.join(m.not_quiet)})",
}


def compare_measurements(first: Measurement, second: Measurement, *, force: bool = False) -> Comparison:
    """Each candidate of `first` with the one of `second` that has the same id.

    Raises NotComparable with every condition that differs, unless `force`: then they stand in the comparison.
    """
    differing = differing_conditions(first, second)
    if differing and not force:
        raise NotComparable(
            f"{first.job.id} and {second.job.id} were measured under different conditions",
            "compare them anyway with --force",
            details=[str(condition) for condition in differing],
        )
    margin = max(margin_of(m) for m in (first, second))
    emulated = any(m.facts.emulated for m in (first, second))
    ids = [entrant.id for entrant in first.job.entrants]
    others = [entrant.id for entrant in second.job.entrants]
    shared = [id for id in ids if id in others]
    if not shared:
        raise NotComparable(
            f"{first.job.id} and {second.job.id} have no candidate in common",
            details=[f"the first: {', '.join(ids)}", f"the second: {', '.join(others)}"],
        )
    return Comparison(
        first=first.job.id,
        second=second.job.id,
        changes=tuple(
            _change(id, _run(first, id), _run(second, id), None if emulated else margin) for id in shared
        ),
        margin=margin,
        unlike=differing,
        unmatched=tuple(id for id in (*ids, *others) if id not in shared),
    )


def differing_conditions(first: Measurement, second: Measurement) -> tuple[Condition, ...]:
    """Everything that should be the same in both and is not."""
    found = [Condition(what, read(first), read(second)) for what, read in _CONDITIONS.items()]
    seconds = {entrant.id: entrant for entrant in second.job.entrants}
    for entrant in first.job.entrants:
        if entrant.id in seconds:
            found += _conditions_of_entrant(entrant, seconds[entrant.id], first, second)
    return tuple(condition for condition in found if condition.first != condition.second)


def _conditions_of_entrant(
    a: Entrant, b: Entrant, first: Measurement, second: Measurement
) -> Sequence[Condition]:
    runs = _run(first, a.id), _run(second, b.id)
    versions = [run.runtime_version if run and run.runtime_version else "not available" for run in runs]
    return (
        Condition(f"threads of {a.id}", str(a.threads), str(b.threads)),
        Condition(f"{a.runtime} of {a.id}", *versions),
    )


def _run(measurement: Measurement, id: str) -> Run | None:
    return next(
        (in_last_quiet_attempt(run, measurement) for run in measurement.runs if run.entrant == id), None
    )


def _change(id: str, first: Run | None, second: Run | None, margin: float | None) -> Change:
    """`margin` None: an emulator's times were measured, nothing follows from them."""
    rounds = [list(rounds_of(run).values()) if run else [] for run in (first, second)]
    medians = [_median_ms(r) for r in rounds]
    ratio = independent_ratio(rounds[1], rounds[0])
    judged = NOT_COMPARED if ratio is None or margin is None else verdict(ratio, margin)
    return Change(id, medians[0], medians[1], ratio, judged)


def _median_ms(rounds: Sequence[Samples]) -> Estimate | None:
    if not rounds:
        return None
    (median,) = quantile_estimates([r / _NS_PER_MS for r in rounds], (0.5,))
    return median
