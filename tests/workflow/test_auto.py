"""--recipe auto: one plan has all that can be made, limits leave out, the bundle has what may be chosen and remembers the limits."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeq.bundle import read_bundle
from edgeq.cli.main import run
from edgeq.demo import demo_files
from edgeq.errors import GateFailed, TargetRefused
from edgeq.nouns.job import Limits
from edgeq.nouns.results import Conversion, Deployment
from edgeq.workflow.convert import convert
from edgeq.workflow.deploy import deploy
from edgeq.workflow.report import report

pytestmark = pytest.mark.slow  # ten candidates are made
ONE_ROUND = Limits(seconds=1.0, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)
INT8 = "onnxruntime-int8_static"


@pytest.fixture(autouse=True, scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def one_cache(own_home: Path, _shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test made, the others do not make again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(_shared))


def converted(**options: Any) -> Conversion:
    model, data = (str(path) for path in demo_files())
    asked = {"recipe": "auto", "runtime": "onnxruntime", "name": "digits", "effort": "quick"}
    return convert(model, data=data, **(asked | options))


def deployed(model: object, folder: Path, **options: Any) -> Deployment:
    return deploy(model, root=str(folder / "root"), store=str(folder / "s.db"), limits=ONE_ROUND, **options)


def candidates(made: Conversion) -> list[str]:
    return [c.id for c in made.bundle.manifest.candidates]


def test_the_bundle_has_the_front_and_for_a_device_one_for_each_set_of_kernels() -> None:
    made = converted()
    found = made.tradeoff
    assert found is not None and found.auto and found.by == "top-1"
    rows = {row.candidate: row for row in found.rows}
    assert {INT8, f"{INT8}-4bit", "onnxruntime-float"} < set(rows)
    assert rows[INT8].kernels == rows[f"{INT8}-4bit"].kernels != rows["onnxruntime-float"].kernels
    assert rows[f"{INT8}-4bit"].wire_bytes < rows[INT8].wire_bytes < rows["onnxruntime-float"].wire_bytes
    assert candidates(made) == [row.candidate for row in found.rows if row.front]

    for_device = converted(one_per_speed=True)
    kernels = [rows[id].kernels for id in candidates(for_device)]
    assert len(set(kernels)) == len(kernels) == len({r.kernels for r in found.rows if not r.refused})


def test_of_a_plan_it_is_known_what_was_not_made_and_why() -> None:
    plan = converted().plan
    assert plan is not None
    skipped = {s.what: s.reason for s in plan.skipped}
    assert "onnxruntime fp16" in skipped
    assert converted(passes="-fit").plan is not None
    without = converted(passes="-fit").plan
    assert without is not None
    reasons = {s.what: s.reason for s in without.skipped}
    assert reasons["onnxruntime int8_static with fewer bits"] == "--passes -fit leaves out `fit`"


def test_a_limit_of_bytes_leaves_out_and_too_low_a_one_is_an_error_with_the_nearest() -> None:
    found = converted().tradeoff
    assert found is not None
    sizes = {row.candidate: row.wire_bytes for row in found.rows if not row.refused}
    limit = min(sizes.values())
    small = converted(max_bytes=limit)
    assert [sizes[id] for id in candidates(small)] == [limit]
    with pytest.raises(
        GateFailed, match=f"nearest is \\S+: {limit:,} bytes on the wire, --max-bytes 100"
    ) as no:
        converted(max_bytes=100)
    assert no.value.exit_code == 20 and "Nothing went live" in str(no.value.remedy)


def test_a_limit_of_bytes_holds_for_one_recipe_too() -> None:
    found = converted().tradeoff
    assert found is not None
    limit = next(row.wire_bytes for row in found.rows if row.candidate == INT8)
    made = converted(recipe="int8_static", max_bytes=limit)
    assert candidates(made) == [INT8]
    assert made.tradeoff is not None and not made.tradeoff.auto


def test_a_bundle_remembers_its_limits(own_home: Path, tmp_path: Path) -> None:
    made = converted(output=tmp_path / "digits.edgeq", max_latency_ms=1e-6)
    with pytest.raises(GateFailed, match="no candidate is within the limits; nearest is") as failed:
        deployed(made, tmp_path)
    assert "at the median, --max-latency-ms 1e-06" in str(failed.value)
    done = deployed(made, tmp_path, max_latency_ms=1e6)
    assert done.tradeoff is not None and done.choice is not None and done.app is not None
    assert done.tradeoff.chosen == done.choice.candidate == done.app.candidate
    assert done.choice.why.endswith(" of 1e+06 ms")
    raced = {row.candidate for row in done.tradeoff.rows if row.raced}
    kernels = {row.candidate: row.kernels for row in done.tradeoff.rows}
    assert len({kernels[id] for id in raced}) == len(raced)
    assert all(row.p50_ms for row in done.tradeoff.rows if not row.refused)
    assert deployed(made, tmp_path, max_latency_ms=1e-6, dry_run=True).app is not None
    with pytest.raises(GateFailed) as again:  # it is live, and too slow: it stays live
        deployed(made, tmp_path, max_latency_ms=1e-6)
    assert done.app.live and done.app.live[:7] in str(again.value.live)


def test_a_budget_of_no_time_leaves_float_and_one_quantized() -> None:
    made = converted(time_budget="0.001s")
    assert made.plan is not None and made.tradeoff is not None
    assert [row.candidate for row in made.tradeoff.rows] == [INT8, "onnxruntime-float"]
    late = {s.what for s in made.plan.skipped if s.reason.startswith("--time-budget 0.001 s")}
    assert f"{INT8}-4bit" in late


def test_one_number_of_bits_contradicts_it() -> None:
    with pytest.raises(
        TargetRefused, match="tries several numbers of bits, and --weight-bits 4 asks for one"
    ):
        converted(weight_bits=4)


def test_on_the_command_line(own_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data = (str(path) for path in demo_files())
    words = [model, "--data", data, "--recipe", "auto", "--runtime", "onnxruntime", "--effort", "quick"]
    words += ["--root", str(tmp_path / "root"), "--store", str(tmp_path / "s.db"), "--seconds", "0.5"]
    assert run(["deploy", *words, "--json"]) in (0, 3)
    found = json.loads(capsys.readouterr().out)
    live = found["tradeoff"]["chosen"]
    assert live == found["choice"]["candidate"] and found["choice"]["why"] == found["tradeoff"]["why"]
    kept = report("1", store=str(tmp_path / "s.db")).tradeoffs[0]
    assert kept is not None and kept.to_dict() == found["tradeoff"]
    assert run(["report", "1", "--store", str(tmp_path / "s.db")]) == 0
    assert "loss of top-1" in capsys.readouterr().out
    with read_bundle(Path(found["conversion"]["path"])) as bundle:
        assert live in [c.id for c in bundle.manifest.candidates]

    assert run(["convert", *words[:-6], "-o", str(tmp_path / "x.edgeq")]) == 0
    said = capsys.readouterr().out
    header = next(line for line in said.splitlines() if line.lstrip().startswith("candidate"))
    assert header.split() == [
        "candidate",
        "top-1",
        "vs",
        "float,",
        "pt",
        "on",
        "the",
        "wire",
        "on",
        "disk",
        "memory",
        "front",
    ]
