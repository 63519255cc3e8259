"""A loaded model is measured by the agent, as `edgeq.bench` measures, and nothing of it stays."""

from pathlib import Path
from typing import Any

import pytest

import edgeq
from edgeq.demo import demo_files
from edgeq.errors import ModelCrashed
from edgeq.nouns.job import Limits

QUICK = Limits(seconds=0.2, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)


@pytest.fixture
def quick(tmp_path: Path) -> dict[str, Any]:
    return {"limits": QUICK, "root": tmp_path / "root", "store": tmp_path / "s.db"}


def test_the_loaded_candidate_alone_is_measured(bundle: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    done = edgeq.load(bundle, candidate="onnxruntime-float").benchmark(**quick)
    (run,) = done.measurements[0].runs
    assert (run.entrant, run.state) == ("onnxruntime-float", "ok")
    assert run.blocks and all(ns > 0 for block in run.blocks for ns in block.latency_ns)
    assert edgeq.status(root=tmp_path / "root", store=tmp_path / "s.db").figures == ()


def test_a_file_that_no_bundle_has(tmp_path: Path, quick: dict[str, Any]) -> None:
    place = tmp_path / "a net (1).onnx"
    place.write_bytes(Path(demo_files()[0]).read_bytes())
    q = edgeq.load(place)
    (row,) = q.benchmark(**quick).reports[0].rows
    assert (row.id, row.state) == ("onnxruntime-file", "ok")
    left = [p for p in (tmp_path / "root" / "apps").rglob("*") if p.is_file()]
    assert left == []


def test_the_time_of_one_inference(bundle: Path, quick: dict[str, Any]) -> None:
    found = edgeq.load(bundle).inference_time(**quick)
    assert 0.0 < found.value < 1e5


def test_what_does_not_run_there_says_why(
    bundle: Path, quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    q = edgeq.load(demo_files()[0])

    def broken(source: object, folder: Path) -> Path:
        from tests.workflow.test_bench import bundle as unloadable

        (folder / "other").mkdir()
        return Path(unloadable(folder / "other"))

    monkeypatch.setattr("edgeq.loaded.model.as_bundle", broken)
    monkeypatch.setattr(type(q), "candidate", "onnxruntime-float")
    with pytest.raises(ModelCrashed, match="onnxruntime-float was not measured: load_failed"):
        q.inference_time(seconds=0.5, root=quick["root"], store=quick["store"])
