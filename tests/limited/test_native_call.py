"""A runtime that never comes back from a model: the caller goes on, with an error or with Ctrl-C."""

import os
import signal
import subprocess
import threading
import time

import numpy as np
import pytest

from edgeq.errors import ModelRefused
from edgeq.graphs.ort_session import ort_session
from edgeq.limited import native_call as calls
from edgeq.limited.native_call import RunTooLong, native_call
from tests.end_to_end.command_line import started_edgeq
from tests.limited import endless

ABOVE = np.full((1, endless.IN), endless.LIMIT + 1, np.float32)


def test_gives_what_the_call_gives_and_raises_what_it_raises():
    assert native_call(lambda: "value") == "value"
    with pytest.raises(ZeroDivisionError):
        native_call(lambda: 1 // 0)
    assert native_call(lambda: native_call(lambda: "inside")) == "inside"


def test_a_run_that_takes_too_long_is_refused_and_ended(tmp_path, monkeypatch):
    session = ort_session(endless.onnx_net(tmp_path / "net.onnx"), threads=1)
    monkeypatch.setenv("EDGEQ_RUN_SECONDS", "0.3")
    with pytest.raises(RunTooLong, match="takes more than 0 s for one run") as refused:
        session.run(None, {"x": ABOVE})
    assert issubclass(RunTooLong, ModelRefused)
    assert "EDGEQ_RUN_SECONDS" in (refused.value.remedy or "")
    assert not calls.left_running()
    assert session.run(None, {"x": ABOVE * 0})[0].shape == (1, endless.OUT)


def test_ctrl_c_ends_a_run(tmp_path):
    session = ort_session(endless.onnx_net(tmp_path / "net.onnx"), threads=1)
    ctrl_c = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    ctrl_c.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        session.run(None, {"x": ABOVE})
    assert time.monotonic() - began < 60
    assert not calls.left_running()
    assert session.run(None, {"x": ABOVE * 0})[0].shape == (1, endless.OUT)


def test_what_cannot_be_ended_is_left_behind(monkeypatch):
    over = threading.Event()
    monkeypatch.setenv("EDGEQ_RUN_SECONDS", "0.1")
    with pytest.raises(RunTooLong):
        native_call(over.wait)
    assert calls.left_running()
    assert native_call(lambda: "another thread") == "another thread"
    over.set()
    while calls.left_running():
        time.sleep(0.01)


MODELS = {
    "net.onnx": endless.onnx_net,
    "net.tflite": endless.tflite_net,
    "net.pt2": endless.program,
}


@pytest.mark.parametrize(
    "model", [pytest.param(m, marks=[pytest.mark.slow] if m == "net.pt2" else []) for m in MODELS]
)
@pytest.mark.parametrize("how", ["limit", pytest.param("Ctrl-C", marks=pytest.mark.slow)])
def test_a_model_that_never_ends_on_a_later_sample(model, how, tmp_path):
    """The command itself: the first samples are fine, so opening finds nothing."""
    MODELS[model](tmp_path / model)
    values = endless.samples(64, endless_from=20)
    np.savez(tmp_path / "data.npz", x=values[:, 3:4].copy() if model.endswith("tflite") else values)
    seconds = {"EDGEQ_RUN_SECONDS": "1"} if how == "limit" else {}
    words = ("--data", "data.npz", "--target", "x86-64", "--recipe", "float", "-o", "out.edgeq")
    child = started_edgeq(tmp_path, "convert", model, *words, **seconds)
    if how == "Ctrl-C":
        with pytest.raises(subprocess.TimeoutExpired):  # it does not end by itself
            child.communicate(timeout=15)
        child.send_signal(signal.SIGINT)
    said = "".join(child.communicate(timeout=60))
    assert "Traceback" not in said
    if how == "Ctrl-C":
        assert child.returncode == 130, said
        assert said.rstrip().endswith("interrupted")
    else:
        assert child.returncode == ModelRefused.exit_code, said
        assert "takes more than 1 s for one run on this host: stopped" in said
    assert not (tmp_path / "out.edgeq").exists()
