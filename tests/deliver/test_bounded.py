"""--seconds bounds what a device does: the race, and as long again, or 5 s per candidate, for comparing outputs."""

import pytest

from edgeq.deliver.jobs import bounded, make_job, measuring
from edgeq.nouns.job import Entrant, Limits


@pytest.mark.parametrize(
    ("seconds", "entrants", "emulated", "compares"),
    [
        (30, 1, False, 20),
        (30, 4, False, 7.5),
        (5, 4, False, 5),
        (60, 2, True, 30),
        (5, 4, True, 5),
        (600, 1, True, 60),
    ],
)
def test_candidates_share_the_seconds_for_comparing_outputs(
    seconds: float, entrants: int, emulated: bool, compares: float
) -> None:
    limits = bounded(Limits(seconds=seconds), entrants, emulated=emulated)
    assert limits.check_seconds == compares
    assert limits.check_seconds * entrants <= max(seconds, 5.0 * entrants)


def test_an_emulated_device_runs_one_round_of_at_most_ten_seconds() -> None:
    limits = bounded(Limits(seconds=30), 2, emulated=True)
    assert (limits.seconds, limits.max_rounds) == (10.0, 1)
    assert bounded(Limits(seconds=2), 2, emulated=True).seconds == 2
    assert bounded(Limits(seconds=30), 2, emulated=False).max_rounds == Limits().max_rounds


@pytest.mark.parametrize(("kind", "total"), [("race", 5 + 5 + 2 * 5), ("measure", 5 + 2 * 5)])
def test_the_time_printed_counts_comparing_and_waiting_too(kind: str, total: float) -> None:
    """A race waits as long for a quiet device as it measures."""
    entrants = tuple(Entrant(id, "onnxruntime", "m.onnx", "0" * 64, ("x",), ("y",)) for id in ("a", "b"))
    job = make_job(kind, "net", entrants, "s", bounded(Limits(seconds=5), 2, emulated=False))
    assert (measuring(job, 7.0).done, measuring(job, 7.0).total) == (7.0, total)
    assert measuring(job, 99.0).done == total
