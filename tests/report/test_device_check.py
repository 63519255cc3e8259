import numpy as np
import pytest

from edgeq.nouns.report import DeviceCheck
from edgeq.report.device_check import check_outputs

RNG = np.random.default_rng(0)
FLOAT = RNG.normal(0, 3, (100, 10)).astype(np.float32)
STEP = float(np.ptp(FLOAT)) / 255
INT8 = (np.round(FLOAT / STEP) * STEP).astype(np.float32)
LABELS = FLOAT.argmax(axis=1)


def check(device: np.ndarray, host: np.ndarray = INT8) -> DeviceCheck:
    return check_outputs([host], [device], [FLOAT], LABELS, len(device))


def test_the_same_outputs_pass_and_say_what_accuracy_is_there() -> None:
    made = check(INT8)
    assert made.passed and made.largest_error == 0 and made.cosine == pytest.approx(1)
    assert made.float_accuracy == 100 and made.accuracy == made.host_accuracy == made.agreement
    assert DeviceCheck.from_dict(made.to_dict()) == made


def test_only_the_samples_that_the_device_did_are_compared() -> None:
    assert check(INT8[:40]).samples == 40 and check(INT8[:40]).passed


def test_two_integer_steps_pass_and_five_do_not() -> None:
    one_off, far_off = INT8.copy(), INT8 + 5 * STEP
    one_off[3, 4] += 1.9 * STEP
    assert check(one_off).passed
    failed = check(far_off)
    assert not failed.passed and "output 0 differs from the host's by" in failed.why
    assert failed.largest_error is not None and failed.tolerance is not None
    assert failed.largest_error > failed.tolerance


def test_a_rounding_that_spread_passes_within_the_noise_that_the_gate_accepted() -> None:
    coarse = (np.round(FLOAT / 1.0) * 1.0).astype(np.float32)  # a deep int8 net: far from float already
    device = coarse + RNG.normal(0, 0.1, coarse.shape).astype(np.float32)
    assert check(device, host=coarse).passed
    assert not check(device + 1, host=coarse).passed


def test_saturation_on_the_device_is_noticed() -> None:
    assert not check(np.clip(INT8, -3, 3)).passed


def test_float_kernels_may_add_in_another_order_only() -> None:
    assert check(FLOAT * np.float32(1 + 1e-6), host=FLOAT).passed
    assert not check(FLOAT * np.float32(1.01), host=FLOAT).passed


def test_half_precision_has_the_tolerance_of_reduced_precision() -> None:
    half = (FLOAT + RNG.normal(0, 0.005, FLOAT.shape)).astype(np.float32)
    assert check(half + np.float32(0.004), host=half).passed


def test_nan_on_the_device_fails_even_where_errors_cannot_be_compared() -> None:
    broken = INT8.copy()
    broken[0, :2] = np.nan
    made = check(broken)
    assert not made.passed and made.why == "output 0: 2 values are not finite on the device"
    assert made.largest_error is None


def test_class_numbers_are_counted_not_subtracted() -> None:
    host = np.arange(100).reshape(100, 1)
    device = host.copy()
    device[0] = 99
    assert check_outputs([host], [device], [host], None, 100).passed
    device[1] = 99
    assert "differs in 2 of 100 values" in check_outputs([host], [device], [host], None, 100).why


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ([], "0 outputs"),
        ([INT8[:, :9]], "output 0 has shape (9,) on the device"),
        ([INT8[:10]], "output 0 has 10 samples from the device"),
    ],
)
def test_outputs_that_do_not_fit_are_a_failed_check(device: list[np.ndarray], why: str) -> None:
    made = check_outputs([INT8], device, [FLOAT], None, 100)
    assert not made.passed and why in made.why


def test_a_detector_has_errors_but_no_classes() -> None:
    boxes = RNG.normal(size=(20, 8, 4)).astype(np.float32)
    made = check_outputs([boxes], [boxes], [boxes], None, 20)
    assert made.passed and made.agreement is None and made.accuracy is None


def test_embeddings_have_no_classes_either() -> None:
    embedded = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
    check = check_outputs([embedded], [embedded], [embedded], None, 20)
    assert check.passed
    assert check.agreement is None
