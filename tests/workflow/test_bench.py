"""Bundles that come to a device to be measured, and go again whatever happens; this machine is the device."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.bundle import assemble, write_bundle
from edgeq.deliver import push
from edgeq.errors import ModelCrashed, NoSpace, RemoteFailed, TargetRefused
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.job import Limits
from edgeq.nouns.tensor import TensorSpec
from edgeq.workflow.bench import bench

QUICK = Limits(seconds=0.2, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)


def bundle(folder: Path, memory_bytes: int = 0) -> str:
    """Of one candidate, which no runtime can load."""
    one = Candidate("onnxruntime-float", "onnxruntime", "float", "", ("x",), ("y",))
    (folder / "a.onnx").write_bytes(b"no graph")
    manifest, artifacts = assemble(
        name="net",
        target="local",
        source_sha256=hashlib.sha256(b"source").hexdigest(),
        data_sha256=None,
        inputs=(TensorSpec("x", "float32", (1, 4)),),
        outputs=(TensorSpec("y", "float32", (1, 4)),),
        preprocessing=None,
        threads=1,
        built=[(replace(one, memory_bytes=memory_bytes), folder / "a.onnx")],
    )
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((2, 1, 4), np.float32))
    write_bundle(folder / "net.edgeq", manifest, artifacts, {"check/inputs/0.npy": buffer.getvalue()})
    return str(folder / "net.edgeq")


def left_on(root: Path) -> list[str]:
    """Files of bundles: releases, check samples, uploads."""
    folders = ("apps", "samples", "incoming", "wheels")
    return sorted(str(p.relative_to(root)) for f in folders for p in (root / f).rglob("*") if p.is_file())


def test_nothing_stays_when_the_check_samples_cannot_be_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*words: object) -> str:
        raise RemoteFailed("the card was pulled out")

    monkeypatch.setattr(push, "place_samples", broken)
    with pytest.raises(RemoteFailed, match="card"):
        bench(bundle(tmp_path), root=str(tmp_path / "root"), limits=QUICK)
    assert left_on(tmp_path / "root") == []


def test_nothing_stays_after_a_measurement_either(tmp_path: Path) -> None:
    root = tmp_path / "root"
    done = bench(bundle(tmp_path), root=str(root), limits=QUICK, store=str(tmp_path / "store"))
    assert [run.state for run in done.measurements[0].runs] == ["load_failed"]
    assert done.exit_code == ModelCrashed.exit_code
    assert left_on(root) == []


def test_a_model_that_cannot_fit_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(NoSpace, match="Nothing was sent|memory available"):
        bench(bundle(tmp_path, memory_bytes=10**15), root=str(tmp_path / "root"), limits=QUICK)
    assert left_on(tmp_path / "root") == []


def test_a_candidate_that_a_bundle_does_not_have(tmp_path: Path) -> None:
    there = {"root": str(tmp_path / "root"), "limits": QUICK}
    with pytest.raises(TargetRefused, match="has no candidate litert-float") as refused:
        bench(bundle(tmp_path), candidate="litert-float", **there)
    assert refused.value.remedy == "its candidates: onnxruntime-float"
    with pytest.raises(TargetRefused, match="no bundle is named"):
        bench("net", candidate="onnxruntime-float", **there)
    assert left_on(tmp_path / "root") == []
