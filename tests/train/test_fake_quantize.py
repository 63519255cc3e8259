"""Fake quantization: bit for bit what numpy and onnxruntime compute, with the gradients of LSQ's formula."""

import numpy as np
import pytest
import torch
from torch import Tensor

from edgeq.quantize import numerics
from edgeq.quantize.numerics import INT4, INT8, NARROW_INT8, UINT8, Granularity, Grid, QuantParams
from edgeq.train.fake_quantize import fake_quantize, to_integers
from tests.quantize.numerics.onnx_nodes import quantize_linear

POINTS = [(UINT8, 0), (UINT8, 119), (INT8, -128), (INT8, 7), (NARROW_INT8, 0), (INT4, 0), (Grid(2, False), 0)]


def normal_and_ties(scale: np.ndarray, seed: int = 0) -> np.ndarray:
    """[4, 6, 33] float32 values: random ones inside and outside of the range, and exact halves of steps."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 60, (4, 6, 33)).astype(np.float32) * scale
    values[:, :, ::3] = (rng.integers(-300, 300, (4, 6, 11)) / 2).astype(np.float32) * scale
    return values


@pytest.mark.parametrize(("grid", "zero"), POINTS)
@pytest.mark.parametrize("scale", [0.0173, 1.0, 3e-5])
def test_a_tensor_equals_numpy_and_onnxruntime(grid: Grid, zero: int, scale: float) -> None:
    params = QuantParams(np.float32(scale), zero, grid)
    x = normal_and_ties(params.scale)
    given = torch.from_numpy(x), torch.tensor(scale), zero, grid.q_min, grid.q_max
    assert np.array_equal(fake_quantize(*given).numpy(), numerics.round_trip(x, params))
    assert np.array_equal(to_integers(*given).numpy(), numerics.quantize(x, params))
    if grid.bits in (4, 8) and not grid.narrow_range:
        assert np.array_equal(to_integers(*given).numpy(), quantize_linear(x, params))


@pytest.mark.parametrize("axis", [1, -2])
def test_channels_equal_numpy(axis: int) -> None:
    scale = np.float32([0.01, 0.02, 0.5, 1.0, 3.0, 7e-3])
    zero = np.int32([0, 3, -128, 127, 5, -9])
    params = QuantParams(scale, zero, INT8, Granularity(axis))
    x = normal_and_ties(scale[None, :, None])
    given = torch.from_numpy(x), torch.from_numpy(scale), torch.from_numpy(zero), -128, 127, axis
    assert np.array_equal(fake_quantize(*given).numpy(), numerics.round_trip(x, params))
    assert np.array_equal(to_integers(*given).numpy(), numerics.quantize(x, params))


def test_it_divides_where_a_reciprocal_would_round_otherwise() -> None:
    scale = np.float32(0.0472)
    halves = (np.arange(-255, 256, 2) / 2).astype(np.float32) * scale
    by_reciprocal = np.rint(halves * (np.float32(1) / scale)) * scale
    y = fake_quantize(torch.from_numpy(halves), torch.tensor(scale), 0, -128, 127).numpy()
    assert np.array_equal(y, numerics.round_trip(halves, QuantParams(scale, 0, INT8)))
    assert not np.array_equal(y, by_reciprocal)


def lsq(x: Tensor, s: Tensor, low: Tensor, high: Tensor, margin: float) -> Tensor:
    """LSQ in autograd's own operations: equations 1 to 5 of arXiv:1902.08153, `detach` where the paper passes through."""
    v = x / s
    inside = (v > low - margin) & (v < high + margin)
    rounded = v.detach().round().clamp(low, high)
    through = (rounded - v.detach()) + v
    return torch.where(inside, through, rounded) * s


@pytest.mark.parametrize("margin", [0.0, 0.5])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_gradients_are_those_of_lsq(axis: int | None, margin: float) -> None:
    torch.manual_seed(1)
    x = (torch.randn(5, 6, 7, 3, dtype=torch.float64) * 60).requires_grad_()
    channels = 1 if axis is None else x.shape[axis]
    s = torch.linspace(0.5, 1.5, channels, dtype=torch.float64).requires_grad_()
    zero = torch.arange(channels) - 2
    spread = [1] * 4 if axis is None else [-1 if i == axis else 1 for i in range(4)]
    of_formula = lsq(
        x, s.reshape(spread), (-128 - zero).reshape(spread), (127 - zero).reshape(spread), margin
    )
    one = (s[0], int(zero[0])) if axis is None else (s, zero)
    y = fake_quantize(x, *one, -128, 127, axis, gradient_scale=0.25, margin=margin)
    weights = torch.randn_like(x)
    expected = torch.autograd.grad(of_formula, (x, s), weights)
    got = torch.autograd.grad(y, (x, s), weights)
    torch.testing.assert_close(y, of_formula)
    torch.testing.assert_close(got[0], expected[0])
    torch.testing.assert_close(got[1], 0.25 * expected[1])


def test_the_gradient_of_a_float32_scale_survives_a_million_values() -> None:
    torch.manual_seed(2)
    x, dy = (torch.randn(32, 32, 32, 32) for _ in range(2))

    def gradient(dtype: torch.dtype) -> float:
        s = torch.tensor(1 / 64, dtype=dtype, requires_grad=True)
        fake_quantize(x.to(dtype), s, 0, -128, 127).backward(dy.to(dtype))
        return float(s.grad)

    assert gradient(torch.float32) == pytest.approx(gradient(torch.float64), rel=0.01)


def test_channels_last_stays_and_gives_the_same_gradients() -> None:
    torch.manual_seed(3)
    x, dy = torch.randn(4, 8, 5, 5), torch.randn(4, 8, 5, 5)
    found = []
    for form in (torch.contiguous_format, torch.channels_last):
        inputs = x.contiguous(memory_format=form).requires_grad_(), torch.tensor(0.02, requires_grad=True)
        y = fake_quantize(*inputs, 0, 0, 15)
        assert y.is_contiguous(memory_format=form)
        found.append(torch.autograd.grad(y, inputs, dy))
        assert found[-1][0].is_contiguous(memory_format=form)
    torch.testing.assert_close(found[0], found[1])


def test_a_range_from_zero_is_a_relu_and_its_gradient() -> None:
    x = torch.linspace(-2, 5, 1001, requires_grad=True)
    s = torch.tensor(0.01, requires_grad=True)
    fused = fake_quantize(x, s, 0, 0, 255)
    apart = fake_quantize(x.relu(), s, 0, 0, 255)
    assert torch.equal(fused, apart)
    of_fused, of_apart = (torch.autograd.grad(y.square().sum(), (x, s)) for y in (fused, apart))
    torch.testing.assert_close(of_fused, of_apart)


def test_nan_shows() -> None:
    y = fake_quantize(torch.tensor([torch.nan, torch.inf, -torch.inf]), torch.tensor(1.0), 0, -128, 127)
    assert y.isnan().tolist() == [True, False, False] and y[1:].tolist() == [127.0, -128.0]
