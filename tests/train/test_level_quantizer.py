"""Weights trained on given levels: the same as numpy's, of any kind, and the file's integers are the network."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgeq.quantize.numerics import codebook, few_integers, power_of_two, two_or_three
from edgeq.train.level_quantizer import LevelQuantizer
from edgeq.train.weight_quantizer import WeightQuantizer

KINDS = {
    "integers": lambda w, axis: few_integers.fitted(w, 3, axis),
    "powers of two": lambda w, axis: power_of_two.fitted(w, 4, axis),
    "codebook": lambda w, axis: codebook.fitted(w, 3, axis),
    "shared codebook": lambda w, axis: codebook.fitted_shared(w, 2, axis),
    "binary": two_or_three.fitted_binary,
    "ternary": two_or_three.fitted_ternary,
}


def weight_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_it_computes_what_numpy_does_and_the_file_holds(kind: str, axis: int) -> None:
    w = weight_of(6, 4, 3)
    levels = KINDS[kind](w, axis).expanded_to_int8()
    quantizer = LevelQuantizer(torch.from_numpy(w), levels)
    assert np.array_equal(quantizer().detach().numpy(), levels.levels.round_trip(w))
    along = [-1 if i == axis % 3 else 1 for i in range(3)]
    assert torch.equal(quantizer(), quantizer.integers() * quantizer.scale.reshape(along))
    assert set(np.unique(quantizer.integers())) <= set(np.unique(levels.integers))


@pytest.mark.parametrize("kind", ["integers", "codebook", "binary", "ternary"])
def test_one_scale_for_the_whole_tensor(kind: str) -> None:
    w = weight_of(5, 7)
    levels = KINDS[kind](w, None).expanded_to_int8()
    assert np.array_equal(
        LevelQuantizer(torch.from_numpy(w), levels)().detach().numpy(), levels.levels.round_trip(w)
    )


def test_integers_as_levels_train_as_a_weight_quantizer_does() -> None:
    w = torch.from_numpy(weight_of(6, 20))
    levels = few_integers.fitted(w.numpy(), 3, 0).expanded_to_int8()
    one = LevelQuantizer(w, levels)
    other = WeightQuantizer(w, torch.from_numpy(levels.scale), 0, -3, 3)
    upstream = torch.from_numpy(weight_of(6, 20)[::-1].copy())
    for quantizer in (one, other):
        quantizer().backward(upstream)
    assert torch.equal(one(), other())
    torch.testing.assert_close(one.weight.grad, other.weight.grad)
    torch.testing.assert_close(one.step.value.grad, other.step.value.grad)


def test_a_sign_lets_every_gradient_through_and_the_scale_has_the_exact_one() -> None:
    w = torch.tensor([[0.1, -0.1, 5.0, -5.0]])
    quantizer = LevelQuantizer(w, two_or_three.fitted_binary(w.numpy(), 0).expanded_to_int8())
    upstream = torch.tensor([[1.0, 2.0, 3.0, 5.0]])
    quantizer().backward(upstream)
    assert torch.equal(quantizer.weight.grad, upstream)
    of_signs = (upstream * w.sign()).sum() / 4**0.5
    torch.testing.assert_close(quantizer.step.value.grad, of_signs.reshape(1))


@pytest.mark.parametrize("kind", KINDS)
def test_training_reduces_the_error_of_a_layer(kind: str) -> None:
    """Inputs that depend on each other leave room for better levels than the nearest ones."""
    torch.manual_seed(0)
    w, x = torch.randn(8, 32), torch.randn(256, 8) @ torch.randn(8, 32) + 0.3 * torch.randn(256, 32)
    quantizer = LevelQuantizer(w, KINDS[kind](w.numpy(), 0).expanded_to_int8())
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=3e-3)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 200)

    def error() -> torch.Tensor:
        return functional.mse_loss(x @ quantizer().T, x @ w.T)

    before = error().item()
    for _ in range(200):
        optimizer.zero_grad()
        error().backward()
        optimizer.step()
        falling.step()
    assert error().item() < 0.8 * before
    assert torch.equal(quantizer(), quantizer.integers() * quantizer.scale[:, None])
