"""A model with a state is judged as it runs: over a sequence, float and each candidate with its own state."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from edgeq.errors import GateFailed
from edgeq.nouns.project import Gates
from edgeq.nouns.results import Conversion
from edgeq.quantize.evaluate.gate import Gate, decide
from edgeq.quantize.evaluate.sqnr_breakdown import worst_sequence_db
from edgeq.workflow.convert import convert
from tests.quantize.networks import model_of

WIDTH, STEPS = 16, 160


def smoother(path: Path, keep: float = 0.97, state: tuple[str, str] = ("h", "output_1")) -> Path:
    """h' = keep h + tanh(x W), y = h' V: what int8 does to h comes back at every step. `state` are the names of h and h'."""
    h, following = state
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["xw"], "mix"),
        helper.make_node("Tanh", ["xw"], ["new"], "tanh"),
        helper.make_node("MatMul", [h, "k"], ["kept"], "keep"),
        helper.make_node("Add", ["kept", "new"], [following], "add"),
        helper.make_node("MatMul", [following, "v"], ["output_0"], "answer"),
    ]
    matrices = {
        "w": rng.normal(size=(8, WIDTH)) / 3,
        "k": keep * np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0],
        "v": rng.normal(size=(WIDTH, 4)),
    }
    weights = [numpy_helper.from_array(m.astype(np.float32), n) for n, m in matrices.items()]
    model = model_of(
        nodes, weights, [("x", (1, 8)), (h, (1, WIDTH))], [("output_0", (1, 4)), (following, (1, WIDTH))]
    )
    onnx.save(model, str(path))
    return path


def frames(model: Path, file: Path, *, record: bool) -> str:
    session = ort.InferenceSession(str(model))
    rng, h = np.random.default_rng(1), np.zeros((1, WIDTH), np.float32)
    x = rng.normal(size=(STEPS, 1, 8)).astype(np.float32)
    states = []
    for step in x:
        states.append(h)
        h = session.run(None, {"x": step, "h": h})[1] if record else h
    np.savez(file, x=x, h=np.stack(states))
    return str(file)


def converted(folder: Path, record: bool, **options: object) -> Conversion:
    model = smoother(folder / "net.onnx")
    return convert(
        str(model), data=frames(model, folder / "d.npz", record=record), target="x86-64-vnni", runtime="onnxruntime",
        recipe="int8_static", output=folder / f"{options.get('states')}.edgeq", **options,  # type: ignore[arg-type]
    )  # fmt: skip


def sqnr(done: Conversion) -> float:
    (int8,) = (f for f in done.fidelity if f.candidate == "onnxruntime-int8_static")
    return min(o.sqnr_db for o in int8.outputs if o.sqnr_db is not None)


@pytest.mark.parametrize("record", [True, False])
def test_errors_that_come_back_are_judged(tmp_path: Path, record: bool) -> None:
    """With zeros in every sample, too: the ranges then are those of float's states."""
    done = converted(tmp_path, record)
    assert done.data is not None and done.data.states == ("output_1=h",)
    (int8,) = (f for f in done.fidelity if f.candidate == "onnxruntime-int8_static")
    assert int8.closed_loop == STEPS and int8.samples == done.data.judge
    assert "run with their own state over 160 steps in 1 sequence, 80 of them judged" in done.data.notes[-1]
    named = converted(tmp_path, record, states="output_1=h")
    assert sqnr(named) == sqnr(done)
    single = converted(tmp_path, record, states="none")
    assert single.data is not None and single.data.states == ()
    assert all(f.closed_loop is None for f in single.fidelity)
    if record:
        assert sqnr(done) < sqnr(single) - 2


def shuffled(folder: Path, state: tuple[str, str], **options: object) -> Conversion:
    model = smoother(folder / "net.onnx", state=state)
    recorded = np.load(frames(smoother(folder / "plain.onnx"), folder / "d.npz", record=True))
    order = np.random.default_rng(2).permutation(STEPS)
    np.savez(folder / "s.npz", **{"x": recorded["x"][order], state[0]: recorded["h"][order]})
    return convert(
        str(model), data=str(folder / "s.npz"), target="x86-64-vnni", runtime="onnxruntime", recipe="int8_static",
        output=folder / f"{options.get('states')}.edgeq", **options,  # type: ignore[arg-type]
    )  # fmt: skip


def test_states_that_are_stored_in_no_order_are_never_judged_in_silence(tmp_path: Path) -> None:
    by_name = shuffled(tmp_path, ("h_in", "h_out"))
    assert by_name.data is not None and by_name.data.states == ("h_out=h_in",)
    assert any("is not the h_out of the sample before" in w for w in by_name.data.warnings)
    open_ = shuffled(tmp_path, ("foo", "bar"))
    assert open_.data is not None and open_.data.states == ()
    (said,) = (w for w in open_.data.warnings if "fed back" in w)
    assert said.startswith(
        "bar has foo's shape: if it is fed back, pass --states bar=foo, else --states none"
    )
    named = shuffled(tmp_path, ("foo", "bar"), states="bar=foo")
    single = shuffled(tmp_path, ("foo", "bar"), states="none")
    for settled in (named, single):
        assert settled.data is not None and not any("fed back" in w for w in settled.data.warnings)
    assert sqnr(by_name) < sqnr(single) - 2 and sqnr(named) < sqnr(single) - 2


def test_the_gate_takes_the_closed_loop(tmp_path: Path) -> None:
    loop, single = sqnr(converted(tmp_path, True)), sqnr(converted(tmp_path, True, states="none"))
    between = Gates(min_sqnr_db=(loop + single) / 2)
    with pytest.raises(GateFailed):
        converted(tmp_path, True, gates=between, passes="-mixed")
    converted(tmp_path, True, gates=between, passes="-mixed", states="none")


def two_recordings(folder: Path) -> Conversion:
    """The second has a tenth of the size, and so less of the ranges that both are given."""
    model = smoother(folder / "net.onnx")
    session, parts = ort.InferenceSession(str(model)), []
    for size in (1.0, 0.1):
        x = size * np.random.default_rng(1).normal(size=(STEPS, 1, 8)).astype(np.float32)
        h = np.zeros((1, WIDTH), np.float32)
        for step in x:
            parts.append((step, h))
            h = session.run(None, {"x": step, "h": h})[1]
    np.savez(folder / "two.npz", x=np.stack([x for x, _ in parts]), h=np.stack([h for _, h in parts]))
    return convert(
        str(model), data=str(folder / "two.npz"), target="x86-64-vnni", runtime="onnxruntime", recipe="int8_static",
        output=folder / "two.edgeq",
    )  # fmt: skip


def test_the_sequence_that_is_farthest_from_float_is_judged_too(tmp_path: Path) -> None:
    done = two_recordings(tmp_path)
    (int8,) = (f for f in done.fidelity if f.candidate == "onnxruntime-int8_static")
    (answer, _) = int8.outputs
    assert answer.worst_sequence_db < answer.sqnr_db - 4
    between = Gate(min_sqnr_db=(answer.worst_sequence_db + answer.sqnr_db) / 2)
    answer = replace(answer, typical_db=answer.sqnr_db)
    refused = decide(between, None, None, (answer,)).why_failed
    assert refused is not None and "dB over the worst of its sequences" in refused
    assert "in 2 sequences" in done.data.notes[-1] and "another recording" not in done.data.notes[-1]
    assert "one recording only" in converted(tmp_path, True).data.notes[-1]


def test_a_silent_or_short_sequence_is_none_to_judge() -> None:
    signal, noise = np.repeat([1.0, 1e-9, 1.0], 40), np.repeat([1e-3, 1e-6, 1e-2], 40)
    numbers = np.repeat([1, 2, 3], 40)
    assert worst_sequence_db(signal, noise, numbers) == pytest.approx(20)
    assert worst_sequence_db(signal[:80], noise[:80], numbers[:80]) is None
    assert worst_sequence_db(signal[:100], noise[:100], numbers[:100]) is None
