"""What a race is held against, and what is known afterwards of one that decided nothing. This machine is the device."""

import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console

from edgeq.agent.conditions import read_conditions
from edgeq.agent.facts import read_facts
from edgeq.deliver.race import Judged, entrants, race
from edgeq.demo import demo_files
from edgeq.errors import SPEED_NOT_COMPARED
from edgeq.nouns.bundle import Candidate, Manifest
from edgeq.nouns.delivery import WheelPlan
from edgeq.nouns.job import Entrant, Job, Limits
from edgeq.nouns.measurement import Measurement, Run
from edgeq.nouns.report import Choice, DeviceCheck
from edgeq.nouns.results import Deployment
from edgeq.nouns.tensor import TensorSpec
from edgeq.report.formats.text import show_result
from edgeq.report.race import compare_runs
from edgeq.workflow.deploy import deploy


def printed(deployment: Deployment) -> str:
    out = io.StringIO()
    show_result(deployment, Console(file=out, highlight=False, soft_wrap=True))
    return out.getvalue()


ONE_ROUND = Limits(seconds=1.0, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)
X = (TensorSpec("x", "float32", (1, 4)),)


def manifest(*ids: str) -> Manifest:
    candidates = tuple(
        Candidate(id, runtime, recipe, f"candidates/{id}/m", ("x",), ("y",))
        for id in ids
        for runtime, _, recipe in [id.partition("-")]
    )
    return Manifest(1, "net", "local", "0" * 64, None, X, X, None, candidates, ())


@pytest.mark.parametrize(
    ("plan", "without", "order"),
    [
        # A torch source: the plan expects LiteRT to be fastest, and people compare with onnxruntime.
        (
            ("litert-int8_static", "onnxruntime-int8_static", "litert-float", "onnxruntime-float"),
            (),
            ("onnxruntime-float", "litert-float", "litert-int8_static", "onnxruntime-int8_static"),
        ),
        (("litert-int8_static", "litert-float"), (), ("litert-float", "litert-int8_static")),
        (
            ("onnxruntime-int8_static", "litert-float", "onnxruntime-float"),
            ("onnxruntime-float",),
            ("litert-float", "onnxruntime-int8_static"),
        ),
        (("litert-int8_static",), (), ("litert-int8_static",)),
    ],
)
def test_onnxruntimes_float_is_the_reference(
    plan: tuple[str, ...], without: tuple[str, ...], order: tuple[str, ...]
) -> None:
    found = entrants(manifest(*plan), "net", WheelPlan((), ()), 1, without)
    assert tuple(e.id for e in found) == order


def test_that_nobody_knows_its_speed_is_said_until_it_is_known(own_home: Path, tmp_path: Path) -> None:
    model, data = (str(path) for path in demo_files())
    root = str(tmp_path / "root")

    first = deploy(model, data=data, name="digits", root=root, limits=ONE_ROUND)
    assert first.choice is not None and not first.choice.compared
    second = deploy(model, data=data, name="digits", root=root, limits=ONE_ROUND)
    assert (second.changed, second.app) == (False, first.app)
    assert first.exit_code == second.exit_code == SPEED_NOT_COMPARED
    live, why = printed(second).splitlines()
    assert (
        live
        == f"live      digits = {second.app.live[:7]}, unchanged: this release is live already, nothing was sent"
    )
    assert why.startswith("note      Speed was not compared when this release went live (")
    assert why.endswith("--measure-again repeats the measurement")


def check(candidate: str, passed: bool) -> DeviceCheck:
    return DeviceCheck(10, passed, "" if passed else "differs by 3 steps", candidate=candidate)


@pytest.mark.parametrize(
    ("stopped_by", "raced"),
    [
        ("decision (b leads) after 4 rounds and 2.4 s", [("a", "b", "c"), ("a", "c")]),
        ("precision (1 % wanted) after 10 rounds and 6.0 s", [("a", "b", "c")]),
    ],
)
def test_where_the_fastest_is_refused_the_others_are_raced_again(
    stopped_by: str, raced: list[tuple[str, ...]]
) -> None:
    """A race that ended when the fastest was known; b's outputs on the device differ from the host's."""
    asked: list[tuple[str, ...]] = []
    told: list[object] = []

    def measured(entrants: tuple[Entrant, ...]) -> Measurement:
        asked.append(tuple(e.id for e in entrants))
        job = Job("job-1", "race", "net", entrants, "samples/s")
        runs = tuple(Run(e.id, "ok") for e in entrants)
        now, facts, seen = "2026-01-05T10:00:00+00:00", read_facts("/"), read_conditions()
        return Measurement(
            job, "done", "a" * 16, now, now, facts, seen, seen, runs, True, (), stopped_by=stopped_by
        )

    def judged(measurement: Measurement, left_out: Mapping[str, str]) -> Judged:
        ids = [e.id for e in measurement.job.entrants]
        assert left_out == ({} if "b" in ids else {"b": "differs by 3 steps"})
        checks = tuple(check(id, passed=id != "b") for id in ids)
        return Judged(compare_runs(measurement), checks, Choice("c", "the fastest", compared=True))

    three = tuple(Entrant(id, "onnxruntime", "m.onnx", "0" * 64, ("x",), ("y",)) for id in "abc")
    _, found = race(three, {}, measured, judged, told.append)

    assert asked == raced
    assert sorted((c.candidate, c.passed) for c in found.checks) == [("a", True), ("b", False), ("c", True)]
    assert len(told) == len(raced) - 1
