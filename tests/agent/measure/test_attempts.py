"""A race waits for a quiet device and tries again, within its limits; the clock, the kernel's figures and the models are
set by hand, so that every attempt is known."""

from dataclasses import dataclass, replace

import pytest

from edgeq.agent.active_entrant import Abandoned
from edgeq.agent.attempts import raced
from edgeq.nouns.device import Conditions
from edgeq.nouns.job import Entrant, Job, Limits
from edgeq.nouns.measurement import Block, Run

ENTRANT = Entrant("float", "onnxruntime", "m.onnx", "d" * 64, ("x",), ("y",))
LIMITS = Limits(seconds=10.0, max_rounds=60)
BLOCK_S = 0.25


@dataclass
class Device:
    """Its time passes by blocks and by sleeping; `busy(seconds)` says how much others press."""

    busy: "object"
    now: float = 0.0

    def look(self) -> Conditions:
        return Conditions(uptime_ns=int(self.now * 1e9), pressure={"cpu": self.busy(self.now)})

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeEntrant:
    """Always takes BLOCK_S for a block, of one millisecond per inference where nothing else is said."""

    alive = True

    def __init__(self, id: str, device: Device, ns: int = 1_000_000) -> None:
        self.id, self.device, self.ns, self.blocks, self.medians_ns = id, device, ns, [], {}

    def run_block(self, round_: int, order: int) -> None:
        self.device.now += BLOCK_S
        self.blocks.append(Block(round_, order, 1, 1, (self.ns, self.ns), 2 * self.ns))
        self.medians_ns[round_] = float(self.ns)

    def to_run(self) -> Run:
        return Run(self.id, "ok", blocks=tuple(self.blocks))


def race(busy, monkeypatch, *, kind="race", limits=LIMITS, is_cancelled=lambda: False, others=()):
    """What `raced` gives for a reference and its A/A control, and the entrants; `others` by what they take."""
    device = Device(busy)
    monkeypatch.setattr("edgeq.agent.race.time.monotonic", device.clock)
    entrants = [FakeEntrant("float", device), FakeEntrant("float#twin", device)]
    entrants += [FakeEntrant(f"int8-{ns}", device, ns) for ns in others]
    job = Job("job-1", kind, "app", (ENTRANT,), "samples/s", limits=limits)
    attempts, readings = raced(entrants, job, is_cancelled, device.look, device.clock, device.sleep)
    assert readings
    return attempts, entrants


def test_a_quiet_device_is_raced_once_and_at_once(monkeypatch):
    (only,), _ = race(lambda now: 0.0, monkeypatch)
    assert (only.first_round, only.waited_ns, only.not_quiet) == (0, 0, ())
    assert only.stopped_by.startswith("precision")


DECIDED = replace(LIMITS, decided=True)


def test_a_race_ends_as_soon_as_the_fastest_is_known(monkeypatch):
    (only,), _ = race(lambda now: 0.0, monkeypatch, limits=DECIDED, others=(700_000,))
    assert only.stopped_by == "decision (int8-700000 leads) after 4 rounds and 3.0 s"


def test_a_race_that_is_to_be_precise_goes_on(monkeypatch):
    (only,), _ = race(lambda now: 0.0, monkeypatch, others=(700_000,))
    assert only.stopped_by.startswith("precision") and only.rounds >= 10


def test_what_is_like_the_reference_is_raced_until_that_is_precise(monkeypatch):
    (only,), _ = race(lambda now: 0.0, monkeypatch, limits=DECIDED, others=(1_001_000,))
    assert only.stopped_by.startswith("precision") and only.rounds >= 10


def test_a_busy_device_is_not_decided_by_what_others_disturb(monkeypatch):
    (only,), _ = race(lambda now: 90.0, monkeypatch, limits=DECIDED, others=(700_000,))
    assert only.not_quiet and only.rounds >= 10


def test_a_device_that_is_busy_at_first_is_waited_for(monkeypatch):
    (only,), _ = race(lambda now: 80.0 if now < 3 else 0.0, monkeypatch)
    assert only.waited_ns == 3_000_000_000
    assert only.not_quiet == ()


def test_what_others_disturb_is_broken_off_kept_and_tried_again(monkeypatch):
    attempts, entrants = race(lambda now: 80.0 if 1 < now < 4 else 0.0, monkeypatch)
    first, second = attempts
    assert first.rounds < second.rounds
    assert "cpu pressure reached 80 %" in first.not_quiet[0] and "cpu pressure" in first.stopped_by
    assert (second.first_round, second.not_quiet) == (first.rounds, ())
    assert second.waited_ns > 0
    for entrant in entrants:
        assert [b.round for b in entrant.blocks] == list(range(first.rounds + second.rounds))


def test_a_device_that_never_is_quiet_is_measured_all_the_same_for_its_cpu_times(monkeypatch):
    (only,), entrants = race(lambda now: 90.0, monkeypatch)
    assert only.waited_ns == 10_000_000_000
    assert only.not_quiet == ("cpu pressure reached 90 % (PSI some avg10, limit 20 %)",)
    assert only.rounds >= 10 and len(entrants[0].blocks) == only.rounds


@pytest.mark.parametrize("every", [1.5, 2.5, 4.0])
def test_bursts_cost_no_more_than_the_limits(monkeypatch, every):
    attempts, entrants = race(lambda now: 80.0 if (now // every) % 2 else 0.0, monkeypatch)
    assert sum(a.waited_ns for a in attempts) <= 10_500_000_000
    rounds = sum(a.rounds for a in attempts)
    assert rounds * 2 * BLOCK_S <= LIMITS.seconds + 2 * BLOCK_S
    assert rounds <= LIMITS.max_rounds
    assert [a.first_round for a in attempts] == [
        sum(b.rounds for b in attempts[:i]) for i in range(len(attempts))
    ]
    assert len(entrants[0].blocks) == rounds


def test_a_measurement_that_is_no_race_waits_for_nobody(monkeypatch):
    (only,), _ = race(lambda now: 90.0, monkeypatch, kind="measure")
    assert only.waited_ns == 0
    assert only.not_quiet


def test_without_time_there_is_no_waiting(monkeypatch):
    (only,), _ = race(lambda now: 90.0, monkeypatch, limits=replace(LIMITS, seconds=0.0))
    assert (only.rounds, only.waited_ns) == (1, 0)


def test_nobody_is_waited_for_once_the_race_is_not_wanted(monkeypatch):
    with pytest.raises(Abandoned):
        race(lambda now: 90.0, monkeypatch, is_cancelled=lambda: True)


def test_a_kernel_that_counts_no_pressure_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(Device, "look", lambda self: Conditions(uptime_ns=0))
    (only,), _ = race(lambda now: 90.0, monkeypatch)
    assert (only.waited_ns, only.not_quiet) == (0, ())
