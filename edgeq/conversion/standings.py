"""What each candidate of a conversion loses and costs, the bytes on the wire included, and which of them go into the bundle."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.compress.worth import SMALLEST_BYTES
from edgeq.conversion.packed_files import packed
from edgeq.graphs.same_kernels import kernels_of
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.results import Conversion
from edgeq.nouns.tradeoff import CostLimits, Standing, Tradeoff
from edgeq.report.tradeoff import SQNR, loss_of, measure_of, stand_ins, too_large, with_front

if TYPE_CHECKING:
    from edgeq.quantize.made import Made

PACK = "measure bytes on the wire"
_PACKED_BYTES = 64 << 20  # what is larger is packed only where that may decide: it takes a second for 1.5 MB


@dataclass(frozen=True)
class _File:
    candidate: str
    format: str
    content: Callable[[], bytes]
    memory_bytes: int


def standings(
    made: "Iterable[Made]",
    limits: CostLimits,
    *,
    auto: bool,
    scored: bool,
    progress: Callable[[str, float], None],
) -> Tradeoff:
    """Of candidates that were just made. `scored`: there are enough labels for the score to tell them apart."""
    made = tuple(made)
    files = [_File(m.plan.id, m.plan.format, m.path.read_bytes, m.memory_bytes) for m in made]
    judged = {m.plan.id: m.fidelity for m in made}
    return _tradeoff(files, judged, limits, measure_of(judged.values(), scored=scored), auto, progress)


def standings_of_bundle(conversion: Conversion, limits: CostLimits) -> Tradeoff:
    """Of a bundle that was made without limits: `auto` is False."""
    bundle = conversion.bundle
    files = [
        _File(
            c.id,
            Path(c.model).suffix.removeprefix("."),
            lambda path=c.model: bundle.artifact(path),  # type: ignore[misc]
            c.memory_bytes or 0,
        )
        for c in bundle.manifest.candidates
    ]
    judged = {f.candidate: f for f in conversion.fidelity}
    by = measure_of(judged.values(), scored=True)
    return _tradeoff(files, judged, limits, by, False, lambda step, share: None)


def in_bundle(tradeoff: Tradeoff, *, one_per_speed: bool) -> frozenset[str]:
    """The candidates that keep the limits; where the best is to be chosen those on the front, or `one_per_speed`: the one that would
    be chosen of those with the same kernels.
    """
    kept = {row.candidate for row in tradeoff.rows if not row.refused}
    if not tradeoff.auto:
        return frozenset(kept)
    if one_per_speed:
        return frozenset(kept - set(stand_ins(tradeoff)))
    return frozenset(row.candidate for row in tradeoff.rows if row.front)


def _tradeoff(
    files: list[_File],
    judged: Mapping[str, Fidelity],
    limits: CostLimits,
    by: str,
    auto: bool,
    progress: Callable[[str, float], None],
) -> Tradeoff:
    rows = []
    for done, file in enumerate(files):
        progress(PACK, done / len(files))
        content, fidelity = file.content(), judged.get(file.candidate)
        row = Standing(
            candidate=file.candidate,
            loss=loss_of(fidelity, by) if fidelity is not None else 0.0,
            wire_bytes=wire_bytes(content, limits.max_bytes),
            file_bytes=len(content),
            memory_bytes=file.memory_bytes,
            kernels=kernels_of(content, file.format)[:16],
        )
        gate = "" if fidelity is None or fidelity.passed else fidelity.why_failed or fidelity.gate
        rows.append(replace(row, refused=gate or too_large(row, limits)))
    return with_front(Tradeoff(by if judged else SQNR, limits, auto, tuple(rows)))


def wire_bytes(content: bytes, max_bytes: int | None = None) -> int:
    """As a deploy sends it over a slow link. Small files are sent as they are; of large ones the packed size is asked for only where a
    limit depends on it.
    """
    size = len(content)
    if size < SMALLEST_BYTES or (size > _PACKED_BYTES and (max_bytes is None or size <= max_bytes)):
        return size
    found = packed(content, hashlib.sha256(content).hexdigest())
    return size if found is None else min(found.size, size)
