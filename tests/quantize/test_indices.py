"""Integers beside real numbers, such as which boxes were kept: an SQNR of them says nothing."""

import numpy as np
import pytest

from edgeq.quantize.error import are_integers, equal_values
from edgeq.quantize.gate import Gate, decide
from edgeq.quantize.judge import errors_of
from edgeq.quantize.samples_like import Array


def loose(*arrays: np.ndarray) -> Array:
    found = np.empty(len(arrays), object)
    found[:] = arrays
    return found


BOXES = np.random.default_rng(0).normal(size=(2, 8, 4)).astype(np.float32)
CHOSEN = loose(np.array([[0, 1, 7], [0, 2, 5]]), np.array([[0, 0, 3]]))
OTHERS = loose(np.array([[0, 1, 7], [0, 2, 6]]), np.array([[0, 0, 3], [0, 1, 1]]))


def test_the_share_that_is_equal() -> None:
    assert equal_values(CHOSEN, CHOSEN) == 100.0
    assert equal_values(CHOSEN, OTHERS) == pytest.approx(100 * 5 / 9)
    assert equal_values(np.array([[True, False]]), np.array([[True, True]])) == 50.0
    nothing = loose(np.zeros((0, 3), np.int64), np.zeros((0, 3), np.int64))
    assert equal_values(nothing, nothing) == 100.0
    assert equal_values(nothing, CHOSEN) < 100.0
    assert are_integers(CHOSEN) and not are_integers(BOXES)


def test_beside_real_numbers_they_are_said_and_not_judged() -> None:
    errors = errors_of(("chosen", "boxes"), (CHOSEN, BOXES), (OTHERS, BOXES * 1.01), None)
    verdict = decide(Gate(), None, None, errors)
    assert errors[0].sqnr_db is None and errors[0].equal == pytest.approx(55.6, abs=0.1)
    assert verdict.passed
    assert "integers have none and are not judged: --metric can score them" in verdict.rule
    far = errors_of(("chosen", "boxes"), (CHOSEN, BOXES), (CHOSEN, BOXES * 1.5), None)
    assert decide(Gate(), None, None, far).why_failed == "output boxes: SQNR 6.0 dB (limit 10 dB)"


def test_other_indices_are_not_equal_to_float() -> None:
    errors = errors_of(("chosen", "boxes"), (CHOSEN, BOXES), (OTHERS, BOXES), None)
    assert [e.same for e in errors] == [False, True]


def test_alone_they_are_the_answer_and_judged() -> None:
    (error,) = errors_of(("chosen",), (CHOSEN,), (OTHERS,), None)
    assert (error.equal, error.sqnr_db is None) == (None, False)
    assert not decide(Gate(), None, None, (error,)).passed
