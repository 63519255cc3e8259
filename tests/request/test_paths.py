"""The Python API takes every path as text or as pathlib.Path."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import edgeq
from edgeq import catalog
from edgeq.deliver.session import Login
from edgeq.demo import demo_files
from edgeq.errors import AuthRefused, BundleRefused, TargetRefused
from edgeq.nouns.job import Limits

ONE_ROUND = Limits(seconds=1.0, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)


@pytest.fixture(params=[str, Path], ids=["text", "Path"])
def kind(request):
    return request.param


@pytest.fixture
def files(own_home, tmp_path):
    """The model, samples, and a target file of the user's own."""
    for file in demo_files():
        shutil.copy(file, tmp_path / f"given{Path(file).suffix}")
    shutil.copy(catalog.shipped("targets") / "local.toml", tmp_path / "mine.toml")
    return tmp_path


def test_from_a_model_to_a_live_release_and_back(kind, files):
    model, data, bundle = (kind(files / f"given{suffix}") for suffix in (".onnx", ".npz", ".edgeq"))
    target, root, store = kind(files / "mine.toml"), kind(files / "root"), kind(files / "s.db")
    made = edgeq.convert(model, data=data, output=bundle, target=target, runtime="onnxruntime")
    assert made.path == files / "given.edgeq"
    assert edgeq.explain(bundle).explanations

    there = {"root": root, "target": target}
    done = edgeq.deploy(bundle, limits=ONE_ROUND, store=store, **there)
    assert done.changed and (files / "s.db").is_file() and (files / "root").is_dir()
    assert edgeq.bench(bundle, limits=ONE_ROUND, store=store, **there).reports
    with pytest.raises(TargetRefused, match="nothing under the name other"):
        edgeq.rollback("other", **there)


def test_a_place_that_cannot_be_written(kind, files):
    with pytest.raises(BundleRefused, match="there is no folder"):
        edgeq.convert(kind(files / "given.onnx"), output=kind(files / "nowhere" / "m.edgeq"))


def test_weights_of_a_factory(kind, files):
    torch = pytest.importorskip("torch")
    (files / "net.py").write_text("import torch\ndef build(): return torch.nn.Linear(4, 3)\n")
    torch.save(torch.nn.Linear(4, 3).state_dict(), files / "w.pt")
    np.savez(files / "x.npz", x=np.ones((8, 4), np.float32))
    made = edgeq.convert(
        f"{files}/net.py:build",
        weights=kind(files / "w.pt"),
        data=kind(files / "x.npz"),
        output=kind(files / "net.edgeq"),
        recipe="float",
        runtime="onnxruntime",
    )
    assert made.path == files / "net.edgeq"


def test_an_identity(kind, files):
    with pytest.raises(AuthRefused, match="there is no key at .*/no-key"):
        edgeq.bench(target="rpi4", login=Login(host="pi@nowhere.invalid", identity=kind(files / "no-key")))
