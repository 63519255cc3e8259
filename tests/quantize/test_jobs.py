"""Samples that run at the same time give the bits that they give one after the other."""

import threading
import time

import numpy as np
import pytest

from edgeq.graphs.ort_session import ort_session
from edgeq.limited import native_call
from edgeq.limited.jobs import at_once, jobs, using
from edgeq.limited.native_call import RunTooLong, native_calls
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.passes.fit.least_squares import fit_and_check_moments, solve
from edgeq.quantize.passes.fit.linear import Linear
from edgeq.quantize.passes.fit.row_blocks import blocks_of
from tests.quantize.networks import STATIC, Rows, images, residual, saved


def test_the_file_is_the_same_with_three_jobs(tmp_path):
    model = saved(residual(), tmp_path)
    made = {}
    for number in (1, 3):
        with using(number):
            one = make(
                STATIC, model, Rows(images(40)), Rows(images(20, seed=1)), same_samples=False,
                gate=Gate(ignore_labels=True), workdir=tmp_path / str(number),
            )  # fmt: skip
        made[number] = (one.path.read_bytes(), one.fidelity.outputs, one.fidelity.calibrator)
    assert made[1] == made[3]


def test_a_layer_of_many_groups_is_fitted_the_same_with_three_jobs():
    rng = np.random.default_rng(3)
    pairs = [
        (x, x + 0.1 * rng.normal(size=x.shape)) for x in rng.normal(size=(8, 300, 700)).astype(np.float32)
    ]
    weight, scale, blocks = rng.normal(size=(1, 600, 700)), np.full((1, 600), 0.03), blocks_of(700, 140)
    found = []
    for number in (1, 3):
        with using(number):
            moments = fit_and_check_moments(Linear(transposed=True), pairs, 700, blocks)
            found.append(solve(weight, np.zeros((1, 600)), moments, scale, -127, 127, blocks))
    assert len(found[0].integers[0]) == 600 and found[0].integers.any()
    assert np.array_equal(found[0].integers, found[1].integers)
    assert np.array_equal(found[0].bias, found[1].bias)


def test_what_fails_in_a_thread_is_raised_with_the_context_of_the_caller():
    def work(k):
        assert jobs() == 3
        return 1 / k

    with using(3):
        assert at_once(work, [1, 2, 4]) == [1.0, 0.5, 0.25]
        with pytest.raises(ZeroDivisionError):
            at_once(work, [1, 0, 2])


def test_outputs_come_in_the_order_of_the_samples():
    session = ort_session(residual(), threads=1)
    feeds = [{"x": image[None]} for image in images(7)]
    alone = [session.run(["scores"], feed)[0] for feed in feeds]
    with using(3):
        together = [found[0] for found in session.run_each(["scores"], iter(feeds))]
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_no_more_go_on_than_are_asked_for_and_no_input_is_read_before_it_is_needed():
    running, most, read = 0, 0, []

    def calls():
        for k in range(6):
            read.append(k)
            yield (lambda k=k: work(k)), lambda: None

    def work(k):
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.01)
        running -= 1
        return k

    found = native_calls(calls(), 1)
    assert next(found) == 0 and read == [0]
    assert list(found) == [1, 2, 3, 4, 5] and most == 1


def test_what_fails_is_raised_in_its_turn_and_the_others_are_ended():
    ended = []

    def fail():
        raise ValueError("the second")

    calls = [
        (lambda: 1, lambda: ended.append(1)),
        (fail, lambda: ended.append(2)),
        (lambda: time.sleep(0.2), lambda: ended.append(3)),
    ]
    found = native_calls(iter(calls), 3)
    assert next(found) == 1
    with pytest.raises(ValueError, match="the second"):
        next(found)
    assert ended == [3]


@pytest.fixture
def handed_over(monkeypatch):
    """All calls count as short."""
    monkeypatch.setattr(native_call, "_CHUNK_S", 1e6)


def test_short_calls_are_handed_over_together(handed_over):
    read = []

    def calls():
        for k in range(40):
            read.append(k)
            yield lambda k=k: k, lambda: None

    found = native_calls(calls(), 1)
    seen = [(next(found), len(read)) for _ in range(40)]
    assert [value for value, _ in seen] == list(range(40))
    assert [count for _, count in seen] == [1] + [17] * 16 + [33] * 16 + [40] * 7


def test_what_fails_among_short_calls_is_raised_after_those_before_it(handed_over):
    made = []

    def work(k):
        made.append(k)
        return 10 // (5 - k)

    found = native_calls(((lambda k=k: work(k), lambda: None) for k in range(9)), 1)
    assert [next(found) for _ in range(5)] == [2, 2, 3, 5, 10]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert made == [0, 1, 2, 3, 4, 5]


def test_the_time_limit_is_that_of_each_call(handed_over, monkeypatch):
    monkeypatch.setenv("EDGEQ_RUN_SECONDS", "0.4")
    over = threading.Event()
    calls = [*[(lambda: time.sleep(0.1), over.set)] * 8, (lambda: over.wait(60), over.set)]
    found = native_calls(iter(calls[:8]), 1)
    assert list(found) == [None] * 8
    with pytest.raises(RunTooLong):
        list(native_calls(iter([calls[0], *calls[7:], calls[0]]), 1))
    assert over.is_set() and not native_call.left_running()
