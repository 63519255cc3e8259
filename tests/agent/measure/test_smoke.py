"""A smoke job: load each entrant once and compare what it computes; every way to fail is a state."""

import os
import resource
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from edgeq.agent.active_entrant import ActiveEntrant
from edgeq.nouns.job import Limits
from edgeq.nouns.measurement import Measurement

from .conftest import QUICK, divides_by_zero, doubled, linear, never_ends, wants_memory


def test_outputs_of_the_check_samples_are_on_disk(device, run):
    measured = run(device.job(device.entrant("float", linear(device.root / "m.onnx", 3.0))))

    assert (measured.state, measured.runs[0].state) == ("done", "ok")
    outputs = measured.runs[0].outputs
    assert outputs.files == ("results/job-1/float/0.npy",)
    assert (outputs.count, outputs.offered, outputs.limited_by) == (10, 10, None)
    samples = np.load(device.root / "samples/s/0.npy")
    np.testing.assert_array_equal(np.load(device.root / outputs.files[0]), samples * 3)
    assert measured.runs[0].blocks == ()
    assert measured.runs[0].load_ns > 0 and measured.runs[0].first_ns > 0


def test_result_survives_json(device, run):
    measured = run(device.job(device.entrant("float", linear(device.root / "m.onnx"))))

    assert Measurement.from_dict(measured.to_dict()) == measured


def test_memory_is_told_phase_by_phase(device, run):
    memory = run(device.job(device.entrant("float", linear(device.root / "m.onnx")))).runs[0].memory

    assert 5e6 < memory.rss_start < memory.rss_runtime <= memory.rss_loaded <= memory.rss_peak
    assert memory.minor_faults > 0
    for name in ("pss", "cgroup_peak"):
        assert (getattr(memory, name) is None) == (name in memory.absent)


def test_the_comparison_stops_at_its_limit_of_bytes_and_says_so(device, run):
    limits = Limits(check_bytes=3 * 16)  # an output of four floats has 16 bytes
    measured = run(device.job(device.entrant("float", linear(device.root / "m.onnx")), limits=limits))

    outputs = measured.runs[0].outputs
    assert (outputs.count, outputs.offered) == (3, 10)
    assert outputs.limited_by == "the limit of 48 bytes of outputs"


def test_a_model_the_runtime_refuses(device, run):
    (device.root / "bad.onnx").write_bytes(b"no protobuf at all")
    measured = run(device.job(device.entrant("bad", device.root / "bad.onnx")))

    assert measured.runs[0].state == "load_failed"
    assert "InvalidProtobuf" in measured.runs[0].error
    assert measured.state == "failed"
    assert "bad: load_failed" in measured.error


def test_wrong_names_are_answered_with_the_models_own(device, run):
    model = linear(device.root / "m.onnx")
    measured = run(device.job(device.entrant("float", model, inputs=("image",))))

    assert measured.runs[0].state == "load_failed"
    assert "the model takes x and gives y; the job feeds image" in measured.runs[0].error


def test_an_unknown_runtime_is_answered_with_the_known_ones(device, run):
    measured = run(device.job(device.entrant("m", linear(device.root / "m.onnx"), runtime="tvm")))

    assert "the agent knows litert, onnxruntime, tflite-runtime" in measured.runs[0].error


def test_a_model_that_never_ends_is_killed(device, run):
    limits = Limits(load_seconds=4)
    measured = run(device.job(device.entrant("loop", never_ends(device.root / "m.onnx")), limits=limits))

    assert measured.runs[0].state == "timeout"
    assert "no answer within 4 s" in measured.runs[0].error


def test_a_model_that_wants_more_memory_than_there_is(device, run):
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (16 * 2**30, hard))  # the child inherits it
    try:
        measured = run(device.job(device.entrant("big", wants_memory(device.root / "m.onnx"))))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    assert measured.runs[0].state == "out_of_memory", measured.runs[0].error


def test_a_flatbuffer_that_kills_the_runtime_does_not_kill_the_agent(device, run):
    broken = device.entrant("broken", doubled(device.root / "broken.tflite", damaged=True), runtime="litert")
    good = device.entrant("good", doubled(device.root / "good.tflite"), runtime="litert")
    measured = run(device.job(broken, good))

    assert (measured.runs[0].state, measured.runs[0].error) == ("crashed", "SIGSEGV")
    assert measured.runs[0].memory.rss_runtime > 0
    assert measured.runs[0].memory.absent["rss_loaded"] == "the model process ended before it reported this"
    assert measured.runs[1].state == "ok"
    assert measured.state == "done"


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS"])
def test_a_signal_is_told_by_its_name(device, name):
    job = device.job(device.entrant("float", never_ends(device.root / "m.onnx")))
    entrant = ActiveEntrant("float", job.entrants[0], job, device.root)
    child = entrant.started_child()  # set up; now the model runs into its endless loop, and dies there
    threading.Timer(0.3, os.kill, (child.pid, getattr(signal, name))).start()
    entrant.smoke_test(None)

    assert (entrant.failure.state, entrant.failure.words) == ("crashed", name)


def test_outputs_that_are_not_finite_are_wrong(device, run):
    measured = run(device.job(device.entrant("div", divides_by_zero(device.root / "m.onnx"))))

    assert measured.runs[0].state == "wrong"


def test_not_finite_is_right_where_the_inputs_were(device, run):
    device.samples(np.full((2, 1, 4), np.inf, np.float32))
    measured = run(device.job(device.entrant("float", linear(device.root / "m.onnx"))))

    assert measured.runs[0].state == "ok"


def test_without_samples_the_job_fails_with_its_reason(device, run):
    (device.root / "samples/s/0.npy").unlink()
    measured = run(device.job(device.entrant("float", linear(device.root / "m.onnx"))))

    assert measured.state == "failed"
    assert measured.error == "no check samples for float: samples/s lacks 0.npy"


def test_samples_that_hold_pickles_are_refused(device, run):
    np.save(device.root / "samples/s/0.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    measured = run(device.job(device.entrant("float", linear(device.root / "m.onnx")), limits=QUICK))

    assert measured.runs[0].state == "load_failed"
    assert "allow_pickle" in measured.runs[0].error or "object" in measured.runs[0].error


def test_no_child_is_left_behind(device, run):
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text() if children.exists() else ""  # other tests of this worker may have some
    run(device.job(device.entrant("float", linear(device.root / "m.onnx"))))

    assert not children.exists() or children.read_text() == before
