"""An interrupted search resumes; verdicts of another file, gate or sample set are not reused."""

from dataclasses import replace

import numpy as np
import pytest

from edgeq.nouns.fidelity import OutputError
from edgeq.quantize import make, run_model
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make as made
from edgeq.quantize.options import Options
from tests.quantize.networks import STATIC, Rows, images, residual, saved


@pytest.fixture
def net(tmp_path):
    return saved(residual(), tmp_path)


@pytest.fixture
def judged(monkeypatch):
    """The SQNR of every file that was really run over the held-out samples; `judged.stop_at` interrupts the next one."""

    class Judged(list):
        stop_at = 10**6

        def __call__(self, *args, **kwargs):
            if len(self) + 1 >= self.stop_at:
                raise KeyboardInterrupt
            found = host_judge(*args, **kwargs)
            self.append(found.outputs[0].sqnr_db)
            return found

    host_judge = make.judge
    found = Judged()
    monkeypatch.setattr(make, "judge", found)
    return found


def convert(net, tmp_path, gate, tries=1000, held_out=9, name="w"):
    return made(
        STATIC,
        net,
        Rows(images(40)),
        Rows(images(60, seed=held_out), sha256=str(held_out) * 64),
        same_samples=False,
        gate=gate,
        workdir=tmp_path / name,
        options=Options(calibrator="minmax", passes=("mixed",), search_tries=tries, cache=tmp_path / "cache"),
    )


def strict(net, tmp_path):
    """More than int8 alone has: a gate that takes several layers in float."""
    fully = convert(net, tmp_path, Gate(min_sqnr_db=0.0), name="probe").fidelity
    return Gate(min_sqnr_db=fully.outputs[0].sqnr_db + 9.0)


@pytest.mark.arithmetic
def test_an_interrupted_search_resumes(net, tmp_path, judged):
    gate = strict(net, tmp_path)
    del judged[:]
    judged.stop_at = 4
    with pytest.raises(KeyboardInterrupt):
        convert(net, tmp_path, gate)
    before = len(judged)
    judged.stop_at = 10**6
    resumed = convert(net, tmp_path, gate)
    assert resumed.fidelity.passed
    once = len(judged)
    search = resumed.fidelity.search
    assert before == 3
    assert search.remembered >= before
    assert search.tries - search.remembered == once - before

    again = convert(net, tmp_path, gate, name="again")
    assert len(judged) == once
    assert again.path.read_bytes() == resumed.path.read_bytes()
    assert again.fidelity.float_layers == resumed.fidelity.float_layers
    assert replace(again.fidelity.search, remembered=0) == replace(resumed.fidelity.search, remembered=0)


def test_a_search_without_tries_resumes_when_it_gets_some(net, tmp_path, judged):
    gate = strict(net, tmp_path)
    short = convert(net, tmp_path, gate, tries=0).fidelity
    long = convert(net, tmp_path, gate).fidelity
    assert short.passed
    assert long.passed
    assert short.search.stopped == "it was given no tries"
    assert long.search.stopped == ""
    assert long.search.left < short.search.left == short.search.first == long.search.first
    assert long.search.remembered >= short.search.tries


def test_what_the_float_layers_leave_is_really_in_the_file(net, tmp_path):
    found = convert(net, tmp_path, strict(net, tmp_path))
    outputs = run_model.run(run_model.load(found.path, "onnx"), Rows(images(60, seed=9)), tmp_path / "o")
    reference = run_model.run(
        run_model.load(tmp_path / "net.onnx", "onnx"), Rows(images(60, seed=9)), tmp_path / "r"
    )
    noise = np.sum((outputs[0].astype(float) - reference[0]) ** 2)
    assert 10 * np.log10(np.sum(reference[0].astype(float) ** 2) / noise) == pytest.approx(
        found.fidelity.outputs[0].sqnr_db
    )
    assert isinstance(found.fidelity.outputs[0], OutputError)


@pytest.mark.parametrize("change", ["gate", "samples", "damage"])
def test_other_gates_other_samples_and_damaged_files_are_judged_again(net, tmp_path, judged, change):
    convert(net, tmp_path, Gate(min_sqnr_db=0.0))
    first = len(judged)
    if change == "damage":
        for path in (tmp_path / "cache" / "tried").iterdir():
            path.write_bytes(b"no zip")
    other = Gate(min_sqnr_db=1.0) if change == "gate" else Gate(min_sqnr_db=0.0)
    convert(net, tmp_path, other, held_out=8 if change == "samples" else 9, name="other")
    assert len(judged) == 2 * first


def test_verdicts_of_a_users_metric_are_not_cached(net, tmp_path, judged):
    (tmp_path / "score.py").write_text(
        "def size(outputs, labels):\n    return float(abs(outputs[0]).mean())\n"
    )
    gate = Gate(metric=f"{tmp_path / 'score.py'}:size", max_drop=100.0)
    convert(net, tmp_path, gate)
    first = len(judged)
    convert(net, tmp_path, gate, name="again")
    assert len(judged) == 2 * first
