"""With an old file at hand only what changed is packed."""

import numpy as np

from tests.compress.models import floats, onnx_file, weights
from tests.compress.test_pack import back


def test_the_same_file_takes_next_to_nothing() -> None:
    content = onnx_file(w=weights(8), f=floats((64, 64)))
    assert back(content, content) < 120


def test_other_biases_send_the_biases_alone() -> None:
    w, f = weights(8), floats((64, 64))
    old = onnx_file(w=w, f=f, b=np.arange(100, dtype=np.int32))
    new = onnx_file(w=w, f=f, b=np.arange(100, dtype=np.int32) * 7)
    assert back(new, old) < 500 < back(new) / 20


def test_weights_that_moved_a_little_are_sent_as_how_much() -> None:
    w = weights(8, (64, 64, 3, 3))
    moved = w + (np.random.default_rng(1).random(w.shape) < 0.1).astype(np.int8)
    old, new = onnx_file(w=w), onnx_file(w=moved)
    assert back(new, old) < 0.15 * back(new)


def test_floats_that_moved_a_little_are_sent_as_how_much() -> None:
    w = floats((64, 64, 3, 3))
    old, new = onnx_file(w=w), onnx_file(w=w * np.float32(1 + 2**-12))
    assert back(new, old) < 0.65 * back(new)


def test_a_tensor_with_its_axes_in_another_order_is_not_sent_again() -> None:
    """As in the .tflite of the same network: outputs, kernel, inputs in place of outputs, inputs, kernel."""
    w = floats((32, 16, 3, 3))
    assert back(onnx_file(w=w.transpose(0, 2, 3, 1)), onnx_file(w=w)) < 400


def test_an_old_file_that_has_nothing_in_common_costs_nothing() -> None:
    old, new = onnx_file(w=weights(8, seed=1)), onnx_file(w=weights(4, seed=2))
    assert back(new, old) <= back(new) + 50
    assert back(new, b"nothing of a model") <= back(new) + 50
