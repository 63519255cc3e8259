"""A measurement's raw samples to a report: a row per entrant, every pair compared, and whether times decide at all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby, permutations

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.nouns.job import Entrant
from edgeq.nouns.measurement import CONTROL, Block, Measurement, Run
from edgeq.nouns.report import NOT_COMPARED, REFERENCE, EntrantReport, Estimate, Latency, Pair, RaceReport
from edgeq.report.busy import busy_pairs
from edgeq.report.series import drift, effective_samples, median_absolute_deviation, outliers
from edgeq.report.statistics import MIN_ROUNDS, inverse, paired_ratio, quantile, quantile_estimates
from edgeq.report.verdict import margin, noise_floor, verdict

_NS_PER_MS = 1e6

Rounds = Mapping[int, np.ndarray]  # round number to its latencies in ns, in the order of time


def compare_runs(measurement: Measurement, *, reference: str | None = None) -> RaceReport:
    """`reference` is the entrant that the others are compared with; default: the job's first.

    An emulated, disturbed or short race is reported all the same, with `not_compared` saying why it decides nothing. Raises
    EdgeqError for a reference that is no entrant, and for a measurement of nothing.
    """
    if not measurement.job.entrants:
        raise EdgeqError(
            f"{measurement.job.id} measured nothing: {measurement.error or 'its job named no model'}",
            "`edgeq report` lists the measurements that there are",
        )
    entrants = {entrant.id: entrant for entrant in measurement.job.entrants}
    first = measurement.job.entrants[0].id
    reference = _known(reference or first, entrants)
    rounds = {
        run.entrant: rounds_of(in_last_quiet_attempt(run, measurement))
        for run in measurement.runs
        if run.state == "ok"
    }
    floor = _noise_floor(rounds, first)
    pairs = _pairs([id for id in entrants if rounds.get(id)], rounds, margin(floor))
    why_not = _why_not_compared(measurement, rounds, pairs)
    against = {pair.entrant: pair for pair in pairs if pair.against == reference}
    return RaceReport(
        job=measurement.job.id,
        app=measurement.job.app,
        device=measurement.facts.board,
        reference=reference,
        rows=tuple(
            _row(
                entrants[run.entrant],
                in_last_quiet_attempt(run, measurement),
                against.get(run.entrant),
                _verdict(run, reference, against, why_not),
            )
            for run in measurement.runs
            if run.entrant in entrants
        ),
        pairs=pairs,
        margin=margin(floor),
        rounds=max((len(r) for r in rounds.values()), default=0),
        threads=max(entrant.threads for entrant in entrants.values()),
        seconds=_seconds(measurement.started_utc, measurement.finished_utc),
        quiet=measurement.quiet,
        noise_floor=floor,
        not_quiet=measurement.not_quiet,
        not_compared=why_not,
        emulated=measurement.facts.emulated,
        stopped_by=measurement.stopped_by,
        energy_absent=measurement.energy_absent,
        user=measurement.facts.user,
        busy_pairs=_busy_pairs(measurement, first),
        attempts=max(1, len(measurement.attempts)),
        waited_s=sum(a.waited_ns for a in measurement.attempts) / 1e9,
    )


def margin_of(measurement: Measurement) -> float:
    """What a difference has to exceed in this measurement."""
    first = measurement.job.entrants[0].id
    both = {
        run.entrant: rounds_of(in_last_quiet_attempt(run, measurement))
        for run in measurement.runs
        if run.entrant in (first, first + CONTROL)
    }
    return margin(_noise_floor(both, first))


def rounds_of(run: Run) -> Rounds:
    """The blocks of each round joined; a round without samples is left out."""
    blocks = sorted((b for b in run.blocks if b.latency_ns), key=_when)
    return {
        number: np.concatenate([np.array(block.latency_ns) for block in group])
        for number, group in groupby(blocks, key=lambda block: block.round)
    }


def latency_of(rounds: Rounds) -> Latency:
    """Raises ValueError where there is no sample."""
    series = np.concatenate(list(rounds.values()))
    p50, p90, p95, p99 = quantile_estimates(
        [r / _NS_PER_MS for r in rounds.values()], (0.50, 0.90, 0.95, 0.99)
    )
    ms = series / _NS_PER_MS
    return Latency(
        samples=len(ms),
        rounds=len(rounds),
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        p5_ms=quantile(ms, 0.05),
        p10_ms=quantile(ms, 0.10),
        p999_ms=quantile(ms, 0.999),
        min_ms=float(ms.min()),
        max_ms=float(ms.max()),
        mean_ms=float(ms.mean()),
        stddev_ms=float(ms.std()),
        mad_ms=median_absolute_deviation(ms),
        outliers=outliers(ms),
        effective_samples=effective_samples(ms),
        drift=drift(ms),
        throughput_per_s=1e3 / float(ms.mean()),
    )


def in_last_quiet_attempt(run: Run, measurement: Measurement) -> Run:
    """`run` with the rounds of the last attempt where that was quiet, else with those of all attempts."""
    if not measurement.quiet or len(measurement.attempts) < 2:
        return run
    first = measurement.attempts[-1].first_round
    return replace(run, blocks=tuple(b for b in run.blocks if b.round >= first))


def _busy_pairs(measurement: Measurement, reference: str) -> tuple[Pair, ...]:
    """Of all attempts, where none was quiet."""
    if measurement.quiet or measurement.facts.emulated:
        return ()
    return busy_pairs(measurement.runs, reference, reference + CONTROL)


# Rounds vary in length, and what comes before the first is counted with them.
_ENOUGH = 1.5


def _known(reference: str, entrants: Mapping[str, Entrant]) -> str:
    if reference not in entrants:
        raise EdgeqError(
            f"there is no entrant {reference!r} in this measurement",
            f"the entrants are: {', '.join(entrants)}",
        )
    return reference


def _when(block: Block) -> tuple[int, int]:
    return block.round, block.order


def _noise_floor(rounds: Mapping[str, Rounds], reference: str) -> float | None:
    """None without an A/A control, or with too few rounds in common."""
    control = _ratio(rounds.get(reference + CONTROL, {}), rounds.get(reference, {}))
    return None if control is None else noise_floor(control)


def _pairs(ids: Sequence[str], rounds: Mapping[str, Rounds], beyond: float) -> tuple[Pair, ...]:
    pairs = []
    for entrant, against in permutations(ids, 2):
        ratio = _ratio(rounds[entrant], rounds[against])
        if ratio is not None:
            pairs.append(Pair(entrant, against, ratio, verdict(ratio, beyond)))
    return tuple(pairs)


def _ratio(entrant: Rounds, against: Rounds) -> Estimate | None:
    shared = sorted(set(entrant) & set(against))
    return paired_ratio([entrant[r] for r in shared], [against[r] for r in shared])


def _why_not_compared(
    measurement: Measurement, rounds: Mapping[str, Rounds], pairs: Sequence[Pair]
) -> str | None:
    """Why these times decide nothing."""
    if measurement.facts.emulated:
        return f"the device is emulated ({measurement.facts.emulated}): timings are not representative"
    if measurement.job.kind == "smoke":
        return "this was a trial run of one inference per candidate, not a race"
    ran = {id: r for id, r in rounds.items() if r and not id.endswith(CONTROL)}
    if not ran:
        return "no candidate finished its run"
    if not measurement.quiet and len(measurement.job.entrants) > 1:
        return f"the device was not quiet ({'; '.join(measurement.not_quiet) or 'see its conditions'})"
    if len(measurement.job.entrants) > 1 and not pairs:
        if len(ran) < 2:
            return "only one candidate finished its run"
        most = max(len(r) for r in ran.values())
        took = _seconds(measurement.started_utc, measurement.finished_utc) / most
        return (
            f"too few rounds to compare ({most} of {MIN_ROUNDS}); "
            f"try --seconds {math.ceil(_ENOUGH * MIN_ROUNDS * took)}"
        )
    return None


def _verdict(run: Run, reference: str, against: Mapping[str, Pair], why_not: str | None) -> str:
    if run.entrant == reference:
        return REFERENCE
    if why_not or run.entrant not in against:
        return NOT_COMPARED
    return against[run.entrant].verdict


def _row(entrant: Entrant, run: Run, pair: Pair | None, judged: str) -> EntrantReport:
    rounds = rounds_of(run)
    samples = sum(len(block.latency_ns) for block in run.blocks)
    warm = [block.load_ns for block in run.blocks]
    return EntrantReport(
        id=entrant.id,
        title=entrant.title or entrant.id,
        runtime=entrant.runtime,
        state=run.state,
        verdict=judged,
        runtime_version=run.runtime_version,
        error=run.error,
        latency=latency_of(rounds) if rounds else None,
        ratio=pair.ratio if pair else None,
        speedup=inverse(pair.ratio) if pair else None,
        load_ms=_ms(run.load_ns),
        load_warm_ms=_ms(float(np.median(warm))) if warm else None,
        first_inference_ms=_ms(run.first_ns),
        peak_memory_bytes=run.memory.rss_peak if run.memory else None,
        memory=run.memory,
        cpu_ms_per_inference=_ms(sum(b.cpu_ns for b in run.blocks) / samples) if samples else None,
        energy=run.energy,
        file_bytes=run.file_bytes,
    )


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / _NS_PER_MS


def _seconds(started_utc: str, finished_utc: str) -> float:
    return (datetime.fromisoformat(finished_utc) - datetime.fromisoformat(started_utc)).total_seconds()
