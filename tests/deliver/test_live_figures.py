"""What `edgeq status` knows of the speed of what is live: from the store, or from the device where the store is not."""

from pathlib import Path

import pytest

from edgeq.demo import demo_files
from edgeq.errors import StoreRefused
from edgeq.nouns.job import Limits
from edgeq.workflow.bench import bench
from edgeq.workflow.deploy import deploy
from edgeq.workflow.status import status

QUICK = Limits(seconds=1.0, min_rounds=4, max_rounds=4, block_ms=1.0, warmup_runs=1)


def test_the_newest_measurement_and_the_race_before(own_home: Path, tmp_path: Path) -> None:
    root, store = str(tmp_path / "root"), tmp_path / "store.db"
    model, data = (str(path) for path in demo_files())
    done = deploy(model, data=data, name="digits", root=root, limits=QUICK, store=str(store))
    assert done.measurement is not None and done.app is not None

    (figures,) = status(root=root, store=str(store)).figures
    assert (figures.app, figures.job, figures.raced) == ("digits", *[done.measurement.job.id] * 2)
    assert figures.against == "onnxruntime float"
    assert figures.p50_ms is not None and figures.peak_memory_bytes

    (alone,) = bench("digits", root=root, limits=QUICK, store=str(store)).measurements
    (later,) = status(root=root, store=str(store)).figures
    assert (later.job, later.raced, later.speedup) == (alone.job.id, figures.raced, figures.speedup)

    # From another host, which has no store: all of it is asked of the device, and nothing is kept.
    (elsewhere,) = status(root=root).figures
    assert elsewhere == later
    with pytest.raises(StoreRefused, match="there is no measurement database"):
        status(root=root, store=str(tmp_path / "nowhere.db"))
    assert not list(tmp_path.rglob("nowhere.db")) and not list(own_home.rglob("measurements.db"))


def test_a_release_that_nobody_measured_says_so(own_home: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    model, data = (str(path) for path in demo_files())
    deploy(model, data=data, name="digits", root=str(root), limits=QUICK, store=str(tmp_path / "store.db"))
    for result in (root / "results").glob("*/measurement.json"):
        result.unlink()
    (figures,) = status(root=str(root)).figures
    assert figures.p50_ms is None and figures.absent is not None
