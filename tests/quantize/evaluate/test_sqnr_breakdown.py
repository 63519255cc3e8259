"""Failures that the SQNR of a whole output masks are found."""

import numpy as np
import pytest

from edgeq.nouns.fidelity import OutputError
from edgeq.quantize.evaluate.gate import Gate, decide
from edgeq.quantize.evaluate.judge import errors_of
from edgeq.quantize.evaluate.sqnr import per_sample_powers
from edgeq.quantize.evaluate.sqnr_breakdown import Small, no_longer_varies, small_values, typical_db


def boxes_and_scores(noise, seed=0):
    """[40 samples, 4 sides of boxes and 20 scores, 50 places], and the same off by `noise`."""
    rng = np.random.default_rng(seed)
    values = rng.random((40, 24, 50)).astype(np.float32)
    values[:, :4] *= 300
    return values, values + rng.normal(scale=noise, size=values.shape).astype(np.float32)


def test_small_values_next_to_large_ones_have_an_sqnr_of_their_own():
    float_values, candidate = boxes_and_scores(1.0)
    (error,) = errors_of(("y",), (float_values,), (candidate,), None)
    assert error.sqnr_db > 35 and error.typical_db > 35
    assert error.small == "20 of 24 along axis 1" and error.small_db == pytest.approx(-4.8, abs=0.5)
    small = small_values(np.moveaxis(float_values, 1, 2), np.moveaxis(candidate, 1, 2))
    assert small == Small(2, 20, 24, pytest.approx(error.small_db, abs=1e-6))


def test_small_values_that_stay_accurate_are_not_reported():
    float_values, candidate = boxes_and_scores(0.01)
    (error,) = errors_of(("y",), (float_values,), (candidate,), None)
    assert (error.small_db, error.small) == (None, "")


def test_zeros_class_scores_and_one_size_hide_nothing():
    rng = np.random.default_rng(1)
    alike = rng.random((30, 8, 4))
    assert small_values(alike, alike + 0.5) is None
    empty = alike.copy()
    empty[:, 3] = 0.0
    assert small_values(empty, empty + 0.5) is None
    scores = rng.random((30, 8)) * np.array([100.0, *[1.0] * 7])  # a class that none of the others comes near
    (error,) = errors_of(("y",), (scores,), (scores + rng.normal(size=scores.shape),), 0)
    assert error.small == ""


def test_a_few_large_samples_do_not_mask_the_others():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(20, 10))
    values[:3] *= 1e4
    candidate = values + rng.normal(size=values.shape)
    (error,) = errors_of(("y",), (values[:, None],), (candidate[:, None],), None)
    assert error.sqnr_db > 60 and error.typical_db < 6
    verdict = decide(Gate(), None, None, (error,))
    assert "dB on the median sample" in str(
        verdict.why_failed
    ) and "overall only because of large values" in str(verdict.why_failed)


def test_the_median_sample_has_no_sqnr_where_most_are_equal():
    values = np.ones((5, 3))
    candidate = values.copy()
    candidate[0] += 0.1
    assert typical_db(*per_sample_powers(values, candidate)) is None
    assert typical_db(*per_sample_powers(values, values + 0.1)) == pytest.approx(20.0)


def test_the_default_limit_holds_for_small_values_too_and_a_lower_one_lets_them_pass():
    error = OutputError("y", 41.5, 1.0, typical_db=41.0, small_db=1.5, small="20 of 24 along axis 1")
    why = decide(Gate(), None, None, (error,)).why_failed
    assert "1.5 dB of its small values (20 of 24 along axis 1)" in str(why)
    assert decide(Gate(min_sqnr_db=0.0), None, None, (error,)).passed


def in_8_bits(values):
    """Rounded to one scale of 8 bits for all."""
    step = float(values.max() - values.min()) / 255
    return (np.round(values / step) * step).astype(np.float32)


def test_scores_that_one_scale_for_boxes_and_scores_rounds_away_fail_always():
    values, _ = boxes_and_scores(0.0)
    values[:, 4:] *= 0.5
    for of in (values, np.moveaxis(values, 1, 2), values.reshape(40, 24, 5, 10), values[:, None]):
        (error,) = errors_of(("y",), (of,), (in_8_bits(of),), None)
        assert error.constant.startswith("20 of 24 along axis")
        loosest = decide(Gate(max_drop=100, min_agreement=0, min_sqnr_db=-1000.0), None, None, (error,))
        assert "output y varies in float and not here: 20 of 24" in str(loosest.why_failed)


def test_an_output_of_one_value_fails_whatever_it_is():
    rng = np.random.default_rng(3)
    for values in (rng.normal(size=(20, 10)), 100 + rng.random((20, 1)), rng.integers(0, 9, (20, 3))):
        (error,) = errors_of(("y",), (values,), (np.full_like(values, 3),), 0)
        assert error.constant == "all of it"
    same = np.full((20, 3), 5.0)
    (error,) = errors_of(("y",), (same,), (same + 1,), None)
    assert error.constant == ""  # it does not vary in float


def test_an_output_of_one_value_fails_where_a_mask_hides_some_of_it_too():
    values = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    values[:, ::3] = -np.inf
    assert no_longer_varies(values, values) == ""
    gone = np.where(np.isfinite(values), 0, values)
    assert no_longer_varies(values, gone) == "all of it"
    gone = np.where(np.arange(6) == 4, 0, values)
    assert no_longer_varies(values, gone) == "1 of 6 along axis 1 (4)"


def test_a_picture_that_is_the_same_for_every_sample_fails_though_its_places_differ():
    rng = np.random.default_rng(5)
    pictures = rng.random((20, 3, 8, 8)).astype("f4") * 5
    frozen = np.broadcast_to(pictures.mean(axis=0), pictures.shape)
    (error,) = errors_of(("y",), (pictures,), (frozen,), None)
    assert error.constant == "all of it"
    one_channel = pictures.copy()
    one_channel[:, 1] = frozen[:, 1]
    (error,) = errors_of(("y",), (pictures,), (one_channel,), None)
    assert error.constant == "1 of 3 along axis 1 (1)"
    grid = np.concatenate([np.broadcast_to(rng.random((1, 2, 8, 8)), (20, 2, 8, 8)), pictures], axis=1)
    (error,) = errors_of(("y",), (grid,), (grid + 0.01 * rng.random(grid.shape),), None)
    assert error.constant == ""


def test_image_borders_absent_classes_and_rectified_features_need_no_other_scale():
    """Small with every size between them and the largest, or probabilities: 8 bits of one scale are what they get."""
    rng = np.random.default_rng(4)
    bell = np.exp(-(np.linspace(-3, 3, 28) ** 2))
    images = rng.random((30, 1, 28, 28)) * bell[:, None] * bell
    seldom = np.concatenate([rng.random((30, 5, 64)), 1e-3 * rng.random((30, 1, 64))], axis=1)
    features = np.maximum(rng.normal(size=(30, 16, 8, 8)), 0) * np.geomspace(1, 300, 16)[:, None, None]
    for values in (images, 3 * images, seldom, features):
        (error,) = errors_of(("y",), (values.astype("f4"),), (in_8_bits(values),), None)
        assert (error.small, error.constant) == ("", "")


def test_a_class_that_no_longer_varies_fails_though_first_classes_agree():
    rng = np.random.default_rng(6)
    logits = rng.normal(size=(100, 12)) + 5 * np.eye(12)[rng.integers(0, 11, 100)]
    dead = logits.copy()
    dead[:, 11] = dead[:, 11].mean()
    (error,) = errors_of(("y",), (logits,), (dead,), 0)
    assert error.constant == "1 of 12 along axis 1 (11)"
    (error,) = errors_of(("y",), (logits,), (in_8_bits(logits),), 0)
    assert error.constant == ""


def test_a_probability_counts_as_gone_only_for_a_class_that_float_predicts_somewhere():
    """A softmax makes hundredths of what stays far behind the first class, and 8 bits may make nothing of them."""
    classes = np.arange(60) % 5
    likely = 0.9 * np.eye(6)[classes] + 0.1 / 6
    likely[:, 5] = 0.0
    likely[7, 5] = 0.02
    rounded = likely.copy()
    rounded[:, 5] = 0.0
    (error,) = errors_of(("y",), (likely,), (rounded,), 0)
    assert error.constant == ""
    never = likely.copy()
    never[:, 2] = 0.0
    (error,) = errors_of(("y",), (likely,), (never,), 0)
    assert error.constant == "1 of 6 along axis 1 (2)"
