"""Class numbers, masks, pixels and indices: an SQNR of class numbers says nothing, the share of equal values does."""

from dataclasses import replace

import numpy as np
import pytest

from edgeq.errors import DataRefused
from edgeq.quantize.evaluate.accuracy import accuracy_of
from edgeq.quantize.evaluate.gate import Gate, decide
from edgeq.quantize.evaluate.gate_rule import gate_rule
from edgeq.quantize.evaluate.integer_outputs import integers_of, selections
from edgeq.quantize.evaluate.judge import errors_of
from edgeq.quantize.evaluate.sqnr import are_integers, equal_values
from edgeq.quantize.samples import Array
from edgeq.report.device_check import check_outputs
from tests.quantize.networks import Rows


def loose(*arrays: np.ndarray) -> Array:
    found = np.empty(len(arrays), object)
    found[:] = arrays
    return found


RNG = np.random.default_rng(0)
PIXELS = np.zeros((40, 3), np.float32)
BOXES = RNG.normal(size=(2, 8, 4)).astype(np.float32)
CHOSEN = loose(np.array([[0, 1, 7], [0, 2, 5]]), np.array([[0, 0, 3]]))
OTHERS = loose(np.array([[0, 1, 7], [0, 2, 6]]), np.array([[0, 0, 3], [0, 1, 1]]))
FIFTIES = RNG.integers(50, 60, (40, 12, 12))
DEPTH = RNG.normal(size=(40, 3, 12, 12)).astype(np.float32)
BACKGROUND = np.where(np.arange(144).reshape(12, 12) < 8, 1 + RNG.integers(0, 3, (40, 12, 12)), 0)
PICTURE = RNG.integers(0, 256, (40, 12, 12)).astype(np.uint8)


def wrong(share: float, values: np.ndarray, by: int = 1) -> np.ndarray:
    """A share of `values` is another class number, that is among them too."""
    low, count = int(values.min()), len(np.unique(values))
    moved = (values.astype(np.int64) - low + by) % count + low
    return np.where(RNG.random(values.shape) < share, moved, values).astype(values.dtype)


def judged(reference: tuple[Array, ...], outputs: tuple[Array, ...], gate: Gate = Gate()) -> str | None:  # noqa: B008
    names = tuple("abc"[: len(reference)])
    return decide(gate, None, None, errors_of(names, reference, outputs, None)).why_failed


def test_the_share_that_is_equal() -> None:
    assert equal_values(CHOSEN, CHOSEN) == 100.0
    assert equal_values(CHOSEN, OTHERS) == pytest.approx(100 * 5 / 9)
    assert equal_values(np.array([[True, False]]), np.array([[True, True]])) == 50.0
    nothing = loose(np.zeros((0, 3), np.int64), np.zeros((0, 3), np.int64))
    assert equal_values(nothing, nothing) == 100.0
    assert equal_values(nothing, CHOSEN) < 100.0
    assert are_integers(CHOSEN) and not are_integers(BOXES)


@pytest.mark.parametrize(
    "values",
    [
        FIFTIES,
        FIFTIES[:, 0, 0],
        FIFTIES.astype(np.uint8),
        FIFTIES % 2 == 0,
        loose(*(f[: 4 + k % 5] for k, f in enumerate(FIFTIES))),
    ],
    ids=["map", "one per sample", "uint8", "mask", "maps of several sizes"],
)
def test_class_numbers_are_judged_by_their_equal_values_however_close_they_are(values: Array) -> None:
    many = [
        loose(*(wrong(s, v) for v in values)) if values.dtype == object else wrong(s, values)
        for s in (0.8, 0.02)
    ]
    why = judged((values,), (many[0],))
    assert why is not None and "% of the values are float's (limit 90 %)" in why
    assert judged((values,), (many[1],)) is None
    assert judged((values,), (values,)) is None


@pytest.mark.parametrize("numbers", [FIFTIES, FIFTIES > 54])
def test_next_to_real_numbers_they_are_judged_too(numbers: Array) -> None:
    noise = DEPTH * np.float32(1.01)
    why = judged((numbers, DEPTH), (wrong(0.7, numbers), noise))
    assert why is not None and why.startswith("output a:")
    assert judged((numbers, DEPTH), (wrong(0.02, numbers), noise)) is None
    far = judged((numbers, DEPTH), (numbers, DEPTH * np.float32(1.5)))
    assert far == "output b: SQNR 6.0 dB (limit 10 dB)"


def test_a_map_of_nearly_only_background_may_not_lose_the_rest() -> None:
    lost = np.where(np.arange(40)[:, None, None] < 36, 0, BACKGROUND)
    assert equal_values(BACKGROUND, lost) > 90
    why = judged((BACKGROUND,), (lost,))
    assert why is not None and "excluding float's most frequent value, 10.0 % match float (limit 50 %)" in why
    everywhere = np.where((BACKGROUND == 0) & (RNG.random(BACKGROUND.shape) < 0.08), 2, BACKGROUND)
    assert equal_values(BACKGROUND, everywhere) > 90
    assert judged((BACKGROUND,), (everywhere,)) is not None


def test_pixels_and_counts_may_be_off_by_little() -> None:
    one_off = np.clip(PICTURE.astype(int) + RNG.integers(-2, 3, PICTURE.shape), 0, 255).astype(np.uint8)
    assert equal_values(PICTURE, one_off) < 30
    assert judged((PICTURE,), (one_off,)) is None
    counts = RNG.integers(0, 60, 40)
    assert judged((counts,), (counts + RNG.integers(0, 2, 40),)) is None
    assert judged((PICTURE,), (RNG.permutation(PICTURE),)) is not None


def test_a_limit_that_is_asked_for_counts_alone() -> None:
    off = wrong(0.05, FIFTIES)
    assert judged((FIFTIES,), (off,), Gate(min_agreement=90)) is None
    assert "limit 99 %" in str(judged((FIFTIES,), (off,), Gate(min_agreement=99)))
    assert "limit 99 %" in str(judged((FIFTIES, DEPTH), (off, DEPTH), Gate(min_agreement=99)))
    assert "limit 10 dB" in str(judged((FIFTIES, DEPTH), (off, -DEPTH), Gate(min_agreement=90)))
    loosest = Gate(min_sqnr_db=-1000.0)
    assert judged((FIFTIES,), (wrong(0.8, FIFTIES),), loosest) is None
    assert "below 15 dB" in str(
        judged((FIFTIES, DEPTH), (wrong(0.8, FIFTIES), DEPTH), Gate(min_sqnr_db=15.0))
    )


def test_what_is_asked_for_is_settled_before_anything_is_made() -> None:
    terms = gate_rule(Gate(min_agreement=95), (FIFTIES,), Rows(PIXELS, None), ["x"])
    assert terms.rule == "every output of integers has at least 95 % of float's values"
    usual = gate_rule(Gate(), (FIFTIES, DEPTH), Rows(PIXELS, None), ["x"])
    assert (
        usual.rule
        == decide(Gate(), None, None, errors_of(("a", "b"), (FIFTIES, DEPTH), (FIFTIES, DEPTH), None)).rule
    )
    with pytest.raises(DataRefused, match="95 %"):
        gate_rule(Gate(min_agreement=95), (DEPTH,), Rows(PIXELS, None), ["x"])


SCORES = -np.sort(-RNG.random((40, 8)).astype(np.float32), axis=1)
PLACES = np.stack([RNG.permutation(100)[:8] for _ in range(40)])
FOUND = RNG.integers(0, 3, (40, 8))
PADDED = np.where(np.arange(8) < RNG.integers(1, 9, 40)[:, None], SCORES, 0).astype(np.float32)


@pytest.mark.parametrize(
    ("integers", "reals"),
    [
        (CHOSEN, BOXES),
        (loose(CHOSEN[0], np.array([0, 0, 3]), np.zeros((0, 3), np.int64)), DEPTH),
        (PLACES, SCORES),
        (PLACES[:, None], SCORES[:, None]),
        (FOUND, SCORES),
        ((PADDED > 0).sum(axis=1), PADDED),
        (loose(*(np.stack([p[: 2 + k % 3], p[: 2 + k % 3]]) for k, p in enumerate(PLACES))), DEPTH),
    ],
    ids=[
        "NonMaxSuppression",
        "one or no box",
        "TopK",
        "TopK with a batch",
        "classes of boxes",
        "how many",
        "NonZero",
    ],
)
def test_selected_entries_are_reported_and_judged_only_on_request(integers: Array, reals: Array) -> None:
    assert selections((integers, reals)) == {0}
    others = loose(*(i + 1 for i in integers)) if integers.dtype == object else integers + 1
    errors = errors_of(("chosen", "boxes"), (integers, reals), (others, reals), None)
    verdict = decide(Gate(), None, None, errors)
    assert errors[0].equal is not None and errors[0].equal < 50 and not errors[0].same
    assert verdict.passed
    assert "which entries were selected is not compared" in verdict.rule
    asked = decide(Gate(min_agreement=90), None, None, errors)
    assert not asked.passed and "not compared" not in asked.rule


@pytest.mark.parametrize("integers", [FIFTIES, FIFTIES[:, :1], FIFTIES[:, 0, 0], FIFTIES > 54])
def test_maps_and_classes_are_no_selection(integers: Array) -> None:
    assert selections((integers, SCORES)) == frozenset()
    assert integers_of((integers, SCORES)).judged


def test_alone_indices_are_the_answer_and_judged() -> None:
    (error,) = errors_of(("chosen",), (CHOSEN,), (OTHERS,), None)
    assert not decide(Gate(), None, None, (error,)).passed
    assert integers_of((CHOSEN,)).alone


@pytest.mark.parametrize(
    "shaped", [lambda n: n, lambda n: n[:, None], lambda n: n.astype(np.int32)[:, None, None]]
)
def test_labels_judge_the_class_numbers_that_a_classifier_gives(shaped) -> None:
    labels = np.arange(400) % 10
    of_float, of_candidate = labels.copy(), labels.copy()
    of_float[:20], of_candidate[:40] = 11, -1
    terms = gate_rule(Gate(), (shaped(of_float),), Rows(np.zeros((400, 3), np.float32), labels), ["x"])
    assert (terms.metric, terms.float_score) == ("top-1", 95.0)
    assert terms.rule == "top-1 may fall by at most 1 point (default)"
    found = accuracy_of(Gate(), (shaped(of_float),), (shaped(of_candidate),), labels)
    assert found is not None and (found.float_score, found.candidate_score) == (95.0, 90.0)


def test_class_numbers_that_labels_contradict_are_refused() -> None:
    labels = RNG.integers(0, 10, 400)
    with pytest.raises(DataRefused, match="the float model is right on"):
        gate_rule(Gate(), (RNG.integers(0, 10, 400),), Rows(np.zeros((400, 3), np.float32), labels), ["x"])


def test_a_device_may_differ_in_as_many_values_as_int8_differs_from_float() -> None:
    float_maps, labels = FIFTIES, FIFTIES[:, 0, 0]
    host = wrong(0.05, float_maps)
    assert check_outputs([host], [wrong(0.02, host)], [float_maps], None, 40).passed
    far = check_outputs([host], [wrong(0.3, host)], [float_maps], None, 40)
    assert not far.passed and "of 5760 values" in far.why
    assert not check_outputs([float_maps], [wrong(0.05, float_maps)], [float_maps], None, 40).passed
    numbers = check_outputs([labels], [labels], [labels], labels, 40)
    assert (numbers.accuracy, numbers.float_accuracy) == (100.0, 100.0)


def test_equal_outputs_pass() -> None:
    (error,) = errors_of(("a",), (FIFTIES,), (FIFTIES,), None)
    assert error.same and error.about_mean_db is None
    assert not replace(error, equal=99.0).same
