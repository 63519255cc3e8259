"""Races on the real runtimes: who runs when, what is kept, what ends them."""

import json
from dataclasses import replace
from itertools import islice

import pytest

from edgeq.agent import measure
from edgeq.agent.active_entrant import ActiveEntrant
from edgeq.agent.race import Series, orders, race
from edgeq.nouns.job import Limits
from edgeq.nouns.target import EnergyModel

from .conftest import QUICK, doubled, linear

WATTS = EnergyModel(active_core_watts=2.0, idle_watts=1.0, source="a made-up core of 2 W")


def test_a_race_keeps_every_sample_of_every_block(device, run, capfd):
    entrants = [
        device.entrant("float", linear(device.root / "m.onnx")),
        device.entrant("lite", doubled(device.root / "m.tflite"), runtime="litert"),
    ]
    measured = run(device.job(*entrants, kind="race", energy=WATTS))

    assert [r.entrant for r in measured.runs] == ["float", "float#twin", "lite"]
    assert [r.state for r in measured.runs] == ["ok"] * 3
    for entry in measured.runs:
        assert [b.round for b in entry.blocks] == list(range(6))
        for block in entry.blocks:
            assert len(block.latency_ns) >= 3
            assert min(block.latency_ns) > 0
            assert block.cpu_ns > 0
            assert block.load_ns > 0 and block.first_ns > 0
        assert entry.warmup_ns
    for round_ in range(6):
        assert sorted(r.blocks[round_].order for r in measured.runs) == [0, 1, 2]
    assert measured.stopped_by.startswith("the limit of 6 rounds after ")
    assert measured.series

    progress = [json.loads(line)["progress"] for line in capfd.readouterr().err.splitlines() if line]
    assert [p["round"] for p in progress] == [1, 2, 3, 4, 5, 6]
    assert progress[0]["of"] == 6 and progress[0]["seconds"] > 0


def test_energy_without_a_sensor_is_called_an_estimate(device, run, monkeypatch):
    monkeypatch.setattr("edgeq.agent.energy_use.find_meter", lambda fs: (None, {}))
    measured = run(
        device.job(device.entrant("float", linear(device.root / "m.onnx")), kind="measure", energy=WATTS)
    )

    (entry,) = measured.runs
    cpu_s = sum(b.cpu_ns for b in entry.blocks) / sum(len(b.latency_ns) for b in entry.blocks) * 1e-9
    assert (entry.energy.kind, entry.energy.source) == ("estimated", "a made-up core of 2 W")
    assert entry.energy.joules_per_inference == pytest.approx(cpu_s * 2.0)


def test_a_sensor_is_read_over_a_series_of_its_own(device, run, monkeypatch, tmp_path):
    """A meter file that holds still: the figure is measured, and zero."""
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    for name, text in (("name", "package-0"), ("energy_uj", "5"), ("max_energy_range_uj", "99")):
        (zone / name).write_text(text)
    monkeypatch.setattr("edgeq.agent.energy_use._FS", tmp_path)
    monkeypatch.setattr("edgeq.agent.energy_use._SERIES_S", 0.05)
    measured = run(
        device.job(device.entrant("float", linear(device.root / "m.onnx")), kind="measure", energy=WATTS)
    )

    energy = measured.runs[0].energy
    assert (energy.kind, energy.joules_per_inference) == ("measured", 0.0)
    assert energy.source.startswith("RAPL package-0")


def test_without_sensor_and_model_there_is_no_figure(device, run, monkeypatch):
    absent = {"rapl": "energy_uj of powercap is readable by root alone"}
    monkeypatch.setattr("edgeq.agent.energy_use.find_meter", lambda fs: (None, absent))
    measured = run(device.job(device.entrant("float", linear(device.root / "m.onnx")), kind="measure"))

    assert measured.runs[0].energy is None
    assert measured.energy_absent == absent


def test_measure_enters_no_control(device, run):
    measured = run(device.job(device.entrant("float", linear(device.root / "m.onnx")), kind="measure"))

    assert [r.entrant for r in measured.runs] == ["float"]
    assert measured.runs[0].outputs.count == 10


def test_an_entrant_that_fails_to_load_leaves_the_others_racing(device, run):
    (device.root / "bad.onnx").write_bytes(b"")
    entrants = [
        device.entrant("float", linear(device.root / "m.onnx")),
        device.entrant("bad", device.root / "bad.onnx"),
    ]
    measured = run(device.job(*entrants, kind="race"))

    assert [r.state for r in measured.runs] == ["ok", "ok", "load_failed"]
    assert [len(r.blocks) for r in measured.runs] == [6, 6, 0]
    assert measured.state == "done"


def test_an_entrant_that_dies_in_the_race_keeps_what_it_did(device):
    """Its file is gone from the third round on, as after a disk error: its next session cannot be made."""
    limits = replace(QUICK, max_rounds=8, min_rounds=8)
    job = device.job(
        device.entrant("a", linear(device.root / "a.onnx")),
        device.entrant("b", linear(device.root / "b.onnx")),
        kind="measure",
        limits=limits,
    )
    entrants = measure.build_entrants(job, device.root)
    for entrant in entrants:
        entrant.smoke_test(None)
    series = SeriesThatRemoves(device.root / "b.onnx", after=4)
    race(entrants, limits, "seed", series)
    for entrant in entrants:
        entrant.release()

    a, b = (c.to_run() for c in entrants)
    assert (a.state, len(a.blocks)) == ("ok", 8)
    assert (b.state, len(b.blocks)) == ("load_failed", 2)


class SeriesThatRemoves(Series):
    """Looks between blocks, as the real one does, and removes a file at one of them."""

    def __init__(self, path, after: int) -> None:
        super().__init__()
        self.path, self.left = path, after

    def look(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.path.unlink()


def test_short_memory_starts_children_anew_for_each_block(device, run, monkeypatch):
    short = replace(measure.read_conditions(), memory_available=20_000_000)
    monkeypatch.setattr(measure, "read_conditions", lambda: short)
    entrant = device.entrant("float", linear(device.root / "m.onnx"))
    measured = run(device.job(entrant, kind="measure", limits=replace(QUICK, max_rounds=2)))

    assert measured.runs[0].notes == ("low memory: its process was restarted for each block",)
    assert len(measured.runs[0].blocks) == 2


def test_the_time_limit_ends_a_race(device, run):
    entrant = device.entrant("float", linear(device.root / "m.onnx"))
    measured = run(device.job(entrant, kind="race", limits=Limits(seconds=0.0, block_ms=2)))

    assert measured.stopped_by == "the limit of 0 s after 1 rounds"
    assert len(measured.runs[0].blocks) == 1


def test_blocks_are_as_long_as_asked(device):
    job = device.job(device.entrant("a", linear(device.root / "a.onnx")))
    entrant = ActiveEntrant("a", job.entrants[0], job, device.root)
    for warmup_ns, length in (([1_000_000], 3), ([100_000], 20), ([10], 1000)):
        entrant._tried = {"warmup_ns": warmup_ns}
        assert entrant.block_length == length  # of 2 ms


def test_every_second_order_is_the_mirror_of_the_one_before():
    drawn = list(islice(orders(4, "job-1"), 40))

    assert all(sorted(order) == [0, 1, 2, 3] for order in drawn)
    assert all(drawn[i + 1] == drawn[i][::-1] for i in range(0, 40, 2))
    assert len({tuple(order) for order in drawn}) > 10
    assert drawn == list(islice(orders(4, "job-1"), 40))


def test_a_long_series_is_thinned_not_cut(monkeypatch):
    series = Series()
    series._every_s = 0.0
    taken = iter(range(10_000))
    monkeypatch.setattr("edgeq.agent.race.read_conditions", lambda: next(taken))
    monkeypatch.setattr("edgeq.agent.race._SERIES_LONGEST", 8)
    for _ in range(20):
        series.look()

    assert series.readings[0] == 0 and series.readings[-1] >= 18
    assert len(series.readings) < 8
