"""Samples that run at the same time give the bits that they give one after the other."""

import time

import numpy as np
import pytest

from edgeq.graphs.ort_session import ort_session
from edgeq.limited.jobs import using
from edgeq.limited.native_call import native_calls
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from tests.quantize.networks import STATIC, Rows, images, residual, saved


def test_the_file_is_the_same_with_three_jobs(tmp_path):
    model = saved(residual(), tmp_path)
    made = {}
    for jobs in (1, 3):
        with using(jobs):
            one = make(
                STATIC, model, Rows(images(40)), Rows(images(20, seed=1)), same_samples=False,
                gate=Gate(ignore_labels=True), workdir=tmp_path / str(jobs),
            )  # fmt: skip
        made[jobs] = (one.path.read_bytes(), one.fidelity.outputs, one.fidelity.calibrator)
    assert made[1] == made[3]


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
