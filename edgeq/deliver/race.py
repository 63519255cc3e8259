"""Races the candidates of an installed release on the device and says which of them may and should go live."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgeq.bundle import CheckSet, read_check
from edgeq.bundle.score_output import score_output
from edgeq.deliver import jobs
from edgeq.deliver.session import Session
from edgeq.errors import DeviceDisagrees, ModelCrashed
from edgeq.nouns.bundle import Bundle, Manifest
from edgeq.nouns.delivery import WheelPlan
from edgeq.nouns.job import Entrant
from edgeq.nouns.measurement import CONTROL, DECIDED, Measurement, Run
from edgeq.nouns.progress import Note
from edgeq.nouns.report import Choice, DeviceCheck, RaceReport
from edgeq.nouns.tradeoff import Tradeoff
from edgeq.report.choose import choose
from edgeq.report.choose_within import choose_within
from edgeq.report.device_check import check_outputs
from edgeq.report.race import compare_runs
from edgeq.request.tell import Tell


@dataclass(frozen=True)
class Judged:
    """`tradeoff` with what was measured and chosen, where there was one."""

    report: RaceReport
    checks: tuple[DeviceCheck, ...]
    choice: Choice
    tradeoff: Tradeoff | None = None


def entrants(
    manifest: Manifest, app: str, wheels: WheelPlan, threads: int, without: Collection[str] = ()
) -> tuple[Entrant, ...]:
    """The candidates that are not in `without`; first the reference that the others are paired with: float on
    onnxruntime, which is what a model runs on before edgeq, else another float.
    """
    able = [c for c in manifest.candidates if c.id not in without]
    floats = sorted((c for c in able if c.recipe == "float"), key=lambda c: c.runtime != "onnxruntime")
    in_order = (*floats, *(c for c in able if c.recipe != "float"))
    return tuple(
        jobs.entrant(c, app, manifest.digest, wheels.python_path(c.runtime), threads, f"{c.runtime} {c.way}")
        for c in in_order
    )


def race(
    entrants: tuple[Entrant, ...],
    left_out: Mapping[str, str],
    measured: Callable[[tuple[Entrant, ...]], Measurement],
    judged: Callable[[Measurement, Mapping[str, str]], Judged],
    tell: Tell,
) -> tuple[Measurement, Judged]:
    """What was measured last, and what follows from it. A race that ended as soon as the fastest was known says little of the
    others: where one is refused for its outputs on the device, they are raced again without it.
    """
    refused: dict[str, DeviceCheck] = {}
    while True:
        measurement = measured(tuple(e for e in entrants if e.id not in refused))
        reasons = {id: check.why for id, check in refused.items()}
        found = judged(measurement, {**left_out, **reasons})
        checks = (*refused.values(), *found.checks)
        new = {c.candidate: c for c in checks if not c.passed and c.candidate not in refused}
        if not new or not measurement.stopped_by.startswith(DECIDED):
            return measurement, replace(found, checks=checks)
        refused |= new
        tell(Note(f"raced again without {', '.join(new)}, whose outputs there differ from this machine's"))


def judge(
    device: Session,
    bundle: Bundle,
    measurement: Measurement,
    left_out: Mapping[str, str],
    live: str | None = None,
    tradeoff: Tradeoff | None = None,
) -> Judged:
    """Compares outputs with the host's, then speeds; `left_out` are candidates that did not enter, with the reason; `live` is the
    candidate that is live there now; `tradeoff` has the limits, where there are any.

    Raises ModelCrashed or DeviceDisagrees when no candidate is left, GateFailed when none keeps the limits.
    """
    checks = _checks(device, bundle, measurement)
    report = compare_runs(measurement)
    refusals = {**_refusals(measurement, checks), **left_out}
    _require_one(device, measurement, refusals)
    decided = (
        report,
        tuple(c.id for c in bundle.manifest.candidates),
        refusals,
        frozenset(c.id for c in bundle.manifest.candidates if c.recipe == "float"),
        measurement.facts.emulated is not None,
        measurement.quiet,
        live,
    )
    if tradeoff is None:
        return Judged(report, checks, choose(*decided))
    return Judged(report, checks, *choose_within(*decided, tradeoff))


def _checks(device: Session, bundle: Bundle, measurement: Measurement) -> tuple[DeviceCheck, ...]:
    known = read_check(bundle)
    if known is None:
        return ()
    return tuple(
        _check(device, bundle, known, run)
        for run in measurement.runs
        if run.state == "ok" and run.outputs is not None and run.entrant in known.outputs
    )


def _check(device: Session, bundle: Bundle, known: CheckSet, run: Run) -> DeviceCheck:
    manifest = bundle.manifest
    fetched = jobs.fetch_outputs(device.link, run)
    count = min(len(a) for a in fetched)
    host = tuple(a[:count] for a in known.outputs[run.entrant])
    reference = next(
        (c.id for c in manifest.candidates if c.recipe == "float" and c.id in known.outputs), None
    )
    floats = tuple(a[:count] for a in known.outputs[reference]) if reference else host
    there = tuple(_like(a[:count], h) for a, h in zip(fetched, host, strict=True))
    labels = known.labels[:count] if known.labels is not None else None
    found = replace(check_outputs(host, there, floats, labels, count), candidate=run.entrant)
    if score_output(bundle, known, tuple(_flat(f) for f in floats)) is None:
        return replace(found, agreement=None)
    return found


def _flat(outputs: np.ndarray) -> np.ndarray:
    """[samples, n] of one row per sample, whatever axes of one there are between."""
    several = sum(side > 1 for side in outputs.shape[1:])
    return outputs.reshape(len(outputs), -1) if several <= 1 else outputs


def _like(array: np.ndarray, host: np.ndarray) -> np.ndarray:
    """Runtimes differ in whether they keep an axis of one; the numbers are compared, not the wrapping."""
    return array.reshape(host.shape) if array.size == host.size else array


def _refusals(measurement: Measurement, checks: tuple[DeviceCheck, ...]) -> dict[str, str | None]:
    """Why an entrant must not go live, by its id; None where it may."""
    refusals: dict[str, str | None] = {}
    for run in measurement.runs:
        if run.entrant.endswith(CONTROL):
            continue
        refusals[run.entrant] = (
            None if run.state == "ok" else f"{run.state.replace('_', ' ')}: {run.error or 'no message'}"
        )
    for check in checks:
        if not check.passed:
            refusals[check.candidate] = check.why
    return refusals


def _require_one(device: Session, measurement: Measurement, refusals: dict[str, str | None]) -> None:
    if any(reason is None for reason in refusals.values()):
        return
    ran = any(r.state == "ok" for r in measurement.runs)
    kind = DeviceDisagrees if ran else ModelCrashed
    what = "gives the same outputs as on this machine" if ran else "runs"
    raise kind(
        f"no candidate {what} on {device.label}",
        "`edgeq doctor --host ...` checks the device; --runtime tries another runtime. Nothing went live.",
        details=[f"{entrant}: {reason}" for entrant, reason in refusals.items()],
    )
