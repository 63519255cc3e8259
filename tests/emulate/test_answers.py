"""The agent's child answers, or how it ended is told: on this machine, where nothing is emulated."""

import sys
from pathlib import Path

import numpy as np
import pytest

from edgeq.emulate.answers import Question, TooSlow, ask
from edgeq.emulate.machine import Machine, this_machine
from edgeq.errors import ModelCrashed
from edgeq.nouns.bundle import Candidate
from tests.emulate.networks import images, smoothing

FILTER = Candidate("onnxruntime-float", "onnxruntime", "float", "smoothing.onnx", ("x",), ("r2",))


def question(folder: Path, reply_timeout_s: float = 60.0) -> Question:
    smoothing(folder / "smoothing.onnx")
    x = np.load(images(folder / "images.npz", count=5))["x"]
    np.save(folder / "x.npy", x[:, None])
    return Question(FILTER, folder, (folder / "x.npy",), reply_timeout_s=reply_timeout_s)


def dying(folder: Path, code: str) -> Machine:
    """A machine whose child does this."""
    (folder / "agent.py").write_text(code)
    return Machine((sys.executable,), folder / "agent.py", folder)


def test_all_samples_are_answered_and_counted(tmp_path: Path) -> None:
    counted: list[int] = []
    found = ask(this_machine(tmp_path), question(tmp_path), tell=print, progress=counted.append)
    assert found.outputs[0].shape == (5, 16, 12, 12)
    assert (found.count, found.offered, found.limited_by) == (5, 5, None)
    assert counted == [1, 2, 3, 4, 5]


def test_what_no_runtime_loads_is_told_in_its_words(tmp_path: Path) -> None:
    asked = question(tmp_path)
    (tmp_path / "smoothing.onnx").write_bytes(b"no model")
    with pytest.raises(ModelCrashed, match="smoothing.onnx"):
        ask(this_machine(tmp_path), asked, tell=print)


def test_a_signal_is_named_with_the_last_words(tmp_path: Path) -> None:
    code = "import os, sys; print('illegal instruction', file=sys.stderr, flush=True); os.abort()"
    with pytest.raises(ModelCrashed, match="SIGABRT: illegal instruction"):
        ask(dying(tmp_path, code), question(tmp_path), tell=print)


def test_silence_ends_with_the_timeout(tmp_path: Path) -> None:
    with pytest.raises(TooSlow, match=r"no answer within 0\.2 s"):
        ask(dying(tmp_path, "import signal; signal.pause()"), question(tmp_path, 0.2), tell=print)
