"""Which samples train, calibrate and judge where a conversion trains a network: none that judges is trained on.

judge      a fifth, at most 2,000: these tell a drop of a point from none
validate   5 % of the others, at least 32 (edgeq/train/held_out.py): they choose the best so far
train      the rest; of these, 200 at most calibrate
"""

from edgeq.errors import DataRefused
from edgeq.ingest.samples import Samples
from edgeq.ingest.split import Split, default_calibration, split
from edgeq.train.held_out import FEWEST, HeldOut, held_out

MOST_JUDGES = 2000
_JUDGES = 5  # one of so many judges
LEAST = 2 * FEWEST * _JUDGES // (_JUDGES - 1)
"""Samples in all of which 32 are trained on, 32 validate and 16 judge: fewer do not tell a better network from a worse one."""


def split_for_training(samples: Samples, *, calibrate: int | None = None) -> Split:
    """Each class keeps its share in all parts where labels are there. Raises as `require_enough`."""
    require_enough(samples, calibrate)
    parts = split(samples, calibrate=_training_part(samples.count))
    learned = learned_from(parts.calibration)
    calibrates = split(learned, calibrate=calibrate or default_calibration(learned.count)).calibration
    return Split(calibrates, parts.heldout, same=False, training=parts.calibration)


def parts_of(training: Samples) -> HeldOut:
    """Of the samples of a training, by their positions: those that it learns from and those that validate."""
    return held_out(training.count, training.labels)


def learned_from(training: Samples) -> Samples:
    """Of the samples of a training those that it learns from: nothing is fitted to those that validate it."""
    return training.take([int(i) for i in parts_of(training).train])


def require_enough(samples: Samples, calibrate: int | None) -> None:
    """Raises DataRefused for fewer than 80 different samples, and where `calibrate` is more than are trained on."""
    different = len(set(samples.keys))
    if different < LEAST:
        raise DataRefused(
            f"--finetune takes {LEAST} different samples at least: {FEWEST} to train on, {FEWEST} that say which network is the "
            f"best so far, and {LEAST - 2 * FEWEST} that judge; there are {different}",
            "give more samples with --data, or leave out --finetune",
        )
    most = len(parts_of(samples.take(range(_training_part(samples.count)))).train)
    if calibrate is not None and calibrate >= most:
        raise DataRefused(
            f"--calibrate {calibrate:,} is more than --finetune trains on: about {most:,} of {samples.count:,} samples",
            f"take between 1 and {most - 1:,}",
        )


def _training_part(count: int) -> int:
    """How many of `count` samples do not judge."""
    return count - min(count // _JUDGES, MOST_JUDGES)
