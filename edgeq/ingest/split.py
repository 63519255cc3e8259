"""Splits samples into calibration and evaluation by their own bytes, so that the split is the same everywhere."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from edgeq.errors import DataRefused
from edgeq.ingest.samples import Samples

_SALT = b"edgeq split 1\n"
MOST_CALIBRATION = 200  # min-max ranges of the models measured here change little beyond that


@dataclass(frozen=True)
class Split:
    """`same`: there is only one (distinct) sample, so it calibrates and judges, which the result has to state. `training`: those that a
    network is trained on and validated by, where one is; those that calibrate are among them.
    """

    calibration: Samples
    heldout: Samples
    same: bool
    training: Samples | None = None


def split(samples: Samples, *, calibrate: int | None = None) -> Split:
    """`calibrate` samples for ranges, the rest to judge; each class keeps its share in both where labels are there.

    Samples that are equal byte for byte never lie on both sides: those left over are in neither. Raises DataRefused when
    `calibrate` leaves nothing to judge.
    """
    keys = samples.keys  # of all samples, anew each time that it is asked for
    if len(set(keys)) == 1:
        return Split(samples.take([0]), samples.take([0]), same=True)
    wanted = default_calibration(samples.count) if calibrate is None else calibrate
    require_both(samples, wanted)
    order = _order(samples)
    calibration = _without_all_keys(order[:wanted], keys)
    seen = {keys[i] for i in calibration}
    heldout = [i for i in order if keys[i] not in seen]
    return Split(samples.take(sorted(calibration)), samples.take(sorted(heldout)), same=False)


def require_both(samples: Samples, calibrate: int) -> None:
    """Raises DataRefused when `calibrate` samples leave none to judge, or are none; one sample alone does both."""
    if 1 <= calibrate < samples.count or len(set(samples.keys)) == 1:
        return
    raise DataRefused(
        f"calibrating with {calibrate:,} of {samples.count:,} samples leaves "
        + ("nothing to judge" if calibrate >= samples.count else "nothing to calibrate with"),
        f"take between 1 and {samples.count - 1:,}",
    )


def default_calibration(count: int) -> int:
    """Half of a few samples, a fifth of many, never more than MOST_CALIBRATION: 1,000 -> 200, 500 -> 100, 10 -> 5."""
    return max(1, min(MOST_CALIBRATION, max(count // 5, min(count // 2, 100))))


def _order(samples: Samples) -> list[int]:
    """Positions in an order of which every prefix has the classes in proportion: by rank within the class, then by hash."""
    hashes = [hashlib.sha256(_SALT + key.encode()).hexdigest() for key in samples.keys]
    labels = samples.labels
    classes = [0] * samples.count if labels is None else [int(v) for v in labels]
    sizes, members = Counter(classes), defaultdict(list)
    for i, label in enumerate(classes):
        members[label].append(i)
    share = {}
    for label, positions in members.items():
        for rank, i in enumerate(sorted(positions, key=lambda p: (hashes[p], p))):
            share[i] = (rank + 0.5) / sizes[label]
    return sorted(range(samples.count), key=lambda i: (share[i], hashes[i], i))


def _without_all_keys(chosen: list[int], keys: Sequence[str]) -> list[int]:
    """Keeps at least one distinct sample for the other side."""
    different = len(set(keys))
    while len({keys[i] for i in chosen}) == different:
        last = keys[chosen[-1]]
        chosen = [i for i in chosen if keys[i] != last]
    return chosen
