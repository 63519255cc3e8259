"""Races bundles against each other on a device, or the candidates of one: installed for it, and removed again."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edgeq.bundle import OpenBundle, read_bundle
from edgeq.bundle.chosen import candidate_of
from edgeq.bundle.unpacked import unpacked
from edgeq.conversion.check_samples import MAX_BYTES
from edgeq.deliver import activate, jobs, preflight, push, runtimes, wheel_upload
from edgeq.deliver.measure import measure
from edgeq.deliver.session import Session
from edgeq.errors import NotComparable
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.delivery import WheelPlan
from edgeq.nouns.job import Entrant, Limits
from edgeq.nouns.measurement import Measurement
from edgeq.request.tell import Tell


def race_bundles(
    device: Session,
    token: str,
    paths: list[Path],
    threads: int | None,
    limits: Limits,
    tell: Tell,
    candidate: str | None = None,
) -> Measurement:
    """Under the lock that `token` stands for. `candidate`: only this one of each bundle. Raises NotComparable for bundles with
    different inputs, TargetRefused for a bundle without `candidate`; ReadOnly and NoSpace before anything is sent.
    """
    with contextlib.ExitStack() as stack:
        bundles = [stack.enter_context(read_bundle(path)) for path in paths]
        _require_same_inputs(bundles)
        chosen = [_chosen(bundle, candidate, alone=len(bundles) == 1) for bundle in bundles]
        sets = {s.runtime: s for b in bundles for s in runtimes.for_bundle(device, b.manifest, tell)}
        wheels = wheel_upload.plan_wheels(device.link, tuple(sets.values()))
        _require_fit(device, bundles, chosen, wheels)
        stack.enter_context(_removed_afterwards(device, token, bundles))
        wheel_upload.upload_wheels(device.link, token, wheels, tell)
        samples = [_place(device, token, bundle, tell) for bundle in bundles]
        entrants = tuple(
            entrant
            for bundle, candidates in zip(bundles, chosen, strict=True)
            for entrant in _entrants(
                bundle, candidates, wheels, threads or device.target.threads, alone=len(bundles) == 1
            )
        )
        kind, name = "race" if len(entrants) > 1 else "measure", bundles[0].manifest.name
        return measure(device, token, jobs.make_job(kind, name, entrants, samples[0], limits), tell)


def _chosen(bundle: OpenBundle, candidate: str | None, *, alone: bool) -> tuple[Candidate, ...]:
    """Of one bundle all candidates, against each other; of several the one that each would have activated untested; of both
    only `candidate` where one is asked for.
    """
    if candidate is not None:
        return (candidate_of(bundle, candidate),)
    return bundle.manifest.candidates if alone else bundle.manifest.candidates[:1]


def _entrants(
    bundle: OpenBundle,
    candidates: tuple[Candidate, ...],
    wheels: WheelPlan,
    threads: int,
    *,
    alone: bool,
) -> Iterator[Entrant]:
    """Those of several bundles are distinguished by their digests."""
    name, digest = bundle.manifest.name, bundle.digest
    for c in candidates:
        title = f"{name} {digest[:7]} {c.runtime} {c.way}"
        made = jobs.entrant(c, name, digest, wheels.python_path(c.runtime), threads, title)
        yield made if alone else replace(made, id=f"{digest[:7]}-{c.id}")


def _require_fit(
    device: Session,
    bundles: list[OpenBundle],
    chosen: list[tuple[Candidate, ...]],
    wheels: WheelPlan,
) -> None:
    """Before anything is sent. Raises ReadOnly, NoSpace."""
    preflight.require_writable(device.facts, device.label)
    sizes = [a.size for bundle in bundles for a in bundle.manifest.artifacts]
    preflight.require_room(
        device.facts,
        device.label,
        to_send=sum(sizes) + MAX_BYTES * len(bundles),
        wheels=wheels.bytes_unpacked,
        live=None,
    )
    # A candidate that needs more than there is shows so in its row; nothing is to be learned when none of them fits.
    least = min((c.memory_bytes or 0 for candidates in chosen for c in candidates), default=0)
    preflight.require_memory(device.facts, device.label, predicted_peak=least, live=None)


@contextlib.contextmanager
def _removed_afterwards(device: Session, token: str, bundles: list[OpenBundle]) -> Iterator[None]:
    """Whatever happens inside, nothing of a bundle stays that was not there before: neither its release nor check
    samples, nor an upload that was cut off.
    """
    temporary = [bundle for bundle in bundles if not _was_there(device, bundle)]
    releases = [(bundle.manifest.name, bundle.digest) for bundle in temporary]
    try:
        yield
    except BaseException:
        activate.take_back(device.link, token, releases)
        raise
    activate.remove(device.link, token, releases)


def _was_there(device: Session, bundle: OpenBundle) -> bool:
    app = device.app(bundle.manifest.name)
    return app is not None and any(r.digest == bundle.digest for r in app.releases)


def _place(device: Session, token: str, bundle: OpenBundle, tell: Tell) -> str:
    """Installed and not live; the folder of its check samples on the device."""
    with unpacked(bundle) as files:
        push.push(device.link, files.paths, files.sizes, tell)
        push.install(device.link, token, bundle.manifest)
        return push.place_samples(device.link, token, files.samples)


def _require_same_inputs(bundles: list[OpenBundle]) -> None:
    first = bundles[0].manifest
    for other in bundles[1:]:
        if [(i.shape, i.dtype) for i in other.manifest.inputs] != [(i.shape, i.dtype) for i in first.inputs]:
            raise NotComparable(
                f"{bundles[0].path} and {other.path} take different inputs",
                "only bundles with the same inputs can be raced; bench the others one by one",
                details=[
                    f"{b.path}: {', '.join(str(i) for i in b.manifest.inputs)}" for b in (bundles[0], other)
                ],
            )
