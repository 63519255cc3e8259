"""Resize: every mode and coordinate transformation is onnxruntime's, up and down."""

import numpy as np
import pytest

from tests.train.onnx_runs import agree, normal, single


def resized(scales, opset=19, **attributes):
    stored = {"scales": np.array([1.0, 1.0, *scales], np.float32)}
    return single("Resize", [(1, 2, 6, 5)], stored, opset=opset, inputs=["x0", "", "scales"], **attributes)


@pytest.mark.parametrize("scales", [(2.0, 2.0), (1.5, 0.6), (0.5, 3.0)], ids=str)
@pytest.mark.parametrize("coordinates", ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_modes_and_coordinates(mode, coordinates, scales):
    model = resized(scales, mode=mode, coordinate_transformation_mode=coordinates)
    agree(model, normal(2, 1, 2, 6, 5))


@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_what_is_nearest(rounding):
    for coordinates in ("half_pixel", "asymmetric"):
        model = resized((2.0, 2.0), coordinate_transformation_mode=coordinates, nearest_mode=rounding)
        agree(model, normal(2, 1, 2, 6, 5))


def test_to_a_size():
    stored = {"sizes": np.array([1, 2, 9, 3])}
    model = single("Resize", [(1, 2, 6, 5)], stored, opset=19, inputs=["x0", "", "", "sizes"], mode="linear")
    agree(model, normal(3, 1, 2, 6, 5))


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_smaller_without_aliasing(mode):
    agree(resized((0.5, 0.4), mode=mode, antialias=1), normal(2, 1, 2, 6, 5))
