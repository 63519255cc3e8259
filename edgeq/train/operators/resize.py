"""Resize and Upsample: along one axis after the other, each a product with a matrix of interpolation weights.

The matrices hold every mode of the standard exactly, and are its gradient too. Where torch's own interpolation gives the same,
that is called: it is quicker.
"""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from edgeq.train.forms import Form, Rows, Samples
from edgeq.train.node import Node
from edgeq.train.resampling import Resampling, matrix

Matrix = npt.NDArray[np.float64]


def Resize(node: Node) -> Form:
    """Inputs are X, roi, scales, sizes since opset 11, and X, scales before."""
    scales_at, sizes_at = (2, 3) if node.opset >= 11 else (1, 2)
    return _resized(node, scales_at, sizes_at, _resampling(node))


def Upsample(node: Node) -> Form:
    how = Resampling(node.text("mode", "nearest"), "asymmetric", "floor")
    if node.has(1):
        return _resized(node, 1, 2, how)
    scales = [float(s) for s in node.attributes["scales"]]
    return _along(node, dict(enumerate(scales)), {}, how)


def _resized(node: Node, scales_at: int, sizes_at: int, how: Resampling) -> Form:
    rank = node.operand(0).rank
    axes = [node.from_front(int(a), rank) for a in node.attributes.get("axes", range(rank))]
    scales = node.floats(scales_at) if node.has(scales_at) else ()
    sizes = node.ints(sizes_at) if node.has(sizes_at) and not scales else ()
    if sizes:
        return _along(node, _to_sizes(node, axes, sizes), _wanted(node, axes, sizes), how)
    return _along(node, dict(zip(axes, scales, strict=True)), {}, how)


def _along(node: Node, scales: dict[int, float], sizes: dict[int, int], how: Resampling) -> Form:
    shape = node.operand(0).shape
    out = list(shape)
    matrices: dict[int, Matrix] = {}
    for axis, scale in scales.items():
        out[axis] = sizes.get(axis, math.floor(shape[axis] * scale))
        ends = _region(node, axis, list(scales)) if how.coordinates == "tf_crop_and_resize" else (0.0, 1.0)
        if out[axis] != shape[axis] or ends != (0.0, 1.0):
            matrices[axis] = matrix(shape[axis], out[axis], scale, how, ends)
    quick = _by_torch(shape, out, scales, how)
    if quick is not None and shape[0] == out[0] and shape[1] == out[1]:
        mode, aligned = quick
        size = tuple(out[2:])
        return Rows(lambda x, *_: F.interpolate(x, size, mode=mode, align_corners=aligned))
    stored = {axis + 1: torch.tensor(m, dtype=torch.float32) for axis, m in matrices.items()}

    def compute(x: Tensor, *_: Tensor) -> Tensor:
        for axis, weights in stored.items():
            product = (
                x.movedim(axis, -1).to(torch.promote_types(x.dtype, torch.float32)) @ weights.to(x.device).T
            )
            x = product.movedim(-1, axis).to(x.dtype)
        return x

    return Samples(compute)


def _by_torch(
    shape: tuple[int, ...], out: list[int], scales: dict[int, float], how: Resampling
) -> tuple[str, bool | None] | None:
    """torch's mode, and whether corners are aligned, where it computes the same; else None."""
    if len(shape) != 4 or how.antialias or any(scales.get(k, 1.0) != 1.0 for k in (0, 1)):
        return None
    exact = all(out[k] == shape[k] * scales.get(k, 1.0) for k in (2, 3))
    whole = all(float(scales.get(k, 1.0)).is_integer() for k in (2, 3))
    if how.mode == "nearest" and exact and whole:
        floors = how.coordinates == "asymmetric" and how.nearest == "floor"
        rounds = how.coordinates == "half_pixel" and how.nearest.startswith("round")
        return ("nearest", None) if floors or rounds else None
    if how.mode == "linear" and exact and how.coordinates in ("half_pixel", "align_corners"):
        return "bilinear", how.coordinates == "align_corners"
    return None


def _resampling(node: Node) -> Resampling:
    """Below opset 11 coordinates are asymmetric, and the nearest is the one below."""
    old = node.opset < 11
    return Resampling(
        node.text("mode", "nearest"),
        "asymmetric" if old else node.text("coordinate_transformation_mode", "half_pixel"),
        "floor" if old else node.text("nearest_mode", "round_prefer_floor"),
        float(node.attributes.get("cubic_coeff_a", -0.75)),
        bool(node.attributes.get("exclude_outside", 0)),
        bool(node.attributes.get("antialias", 0)),
        float(node.attributes.get("extrapolation_value", 0.0)),
    )


def _wanted(node: Node, axes: list[int], sizes: tuple[int, ...]) -> dict[int, int]:
    """The sizes, or with keep_aspect_ratio_policy what is left of them."""
    policy, shape = node.text("keep_aspect_ratio_policy", "stretch"), node.operand(0).shape
    if policy == "stretch":
        return dict(zip(axes, sizes, strict=True))
    ratios = [size / shape[axis] for axis, size in zip(axes, sizes, strict=True)]
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return {axis: math.floor(ratio * shape[axis] + 0.5) for axis in axes}


def _to_sizes(node: Node, axes: list[int], sizes: tuple[int, ...]) -> dict[int, float]:
    policy, shape = node.text("keep_aspect_ratio_policy", "stretch"), node.operand(0).shape
    ratios = {axis: size / shape[axis] for axis, size in zip(axes, sizes, strict=True)}
    if policy == "stretch":
        return ratios
    ratio = min(ratios.values()) if policy == "not_larger" else max(ratios.values())
    return dict.fromkeys(axes, ratio)


def _region(node: Node, axis: int, axes: list[int]) -> tuple[float, float]:
    """Start and end of the region of interest along an axis, as parts of it."""
    roi = node.floats(1)
    place = axes.index(axis)
    return roi[place], roi[place + len(axes)]
