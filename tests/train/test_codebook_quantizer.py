"""Codebooks that learn: levels get the gradients of their weights, and the file's integers are the network."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgeq.nouns.weight_levels import CODEBOOK
from edgeq.quantize.numerics import codebook
from edgeq.quantize.numerics.level_kinds import other_levels
from edgeq.train.codebook_quantizer import CodebookQuantizer
from edgeq.train.level_quantizer import LevelQuantizer


def weight_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def of(w: np.ndarray, bits: int = 2, axis: int | None = 0, most: int = 127) -> CodebookQuantizer:
    levels = other_levels(w, CODEBOOK, bits, axis, most)
    return CodebookQuantizer(torch.from_numpy(w), levels, most=most)


@pytest.mark.parametrize("bits", [1, 3])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_it_begins_as_the_codebook_and_gives_what_the_file_holds(bits: int, axis: int) -> None:
    w = weight_of(6, 4, 3)
    quantizer = of(w, bits, axis)
    wanted = codebook.fitted(w, bits, axis).round_trip(w)
    np.testing.assert_allclose(quantizer().detach().numpy(), wanted, atol=np.abs(w).max() / 250)
    along = [-1 if i == axis % 3 else 1 for i in range(3)]
    assert torch.equal(quantizer(), quantizer.integers() * quantizer.scale.reshape(along))


def test_one_codebook_for_the_whole_tensor() -> None:
    quantizer = of(weight_of(5, 7), axis=None)
    assert quantizer.scale.shape == () and len(quantizer().unique()) == 4
    assert torch.equal(quantizer(), quantizer.integers() * quantizer.scale)


def test_a_level_gets_the_gradients_of_its_weights() -> None:
    w = np.array([[-1.0, -0.9, 0.4, 1.2, 0.5, -1.1]], np.float32)
    quantizer = of(w, bits=1)
    upstream = torch.tensor([[1.0, 2.0, 4.0, 8.0, 16.0, 32.0]])
    quantizer().backward(upstream)
    assert quantizer.book.grad is not None
    assert quantizer.book.grad.tolist() == [[35.0, 28.0]]
    assert torch.equal(quantizer.weight.grad, upstream)


def test_levels_that_change_places_keep_their_gradients() -> None:
    quantizer = of(np.array([[-1.0, 1.0]], np.float32), bits=1)
    quantizer.book.data = torch.tensor([[1.0, -1.0]])
    quantizer().backward(torch.tensor([[1.0, 2.0]]))
    assert quantizer().tolist() == [[-1.0, 1.0]]
    assert quantizer.book.grad is not None and quantizer.book.grad.tolist() == [[2.0, 1.0]]


def test_integers_stay_below_what_sums_in_pairs_allow() -> None:
    quantizer = of(weight_of(8, 50), bits=4, most=64)
    assert 32 < quantizer.integers().abs().max() <= 64
    quantizer.book.data *= 3
    quantizer.weight.data *= 3
    assert quantizer.integers().abs().max() == 64
    assert torch.equal(quantizer(), quantizer.integers() * quantizer.scale[:, None])


def test_a_channel_of_zeros_has_a_scale_that_holds_a_bias() -> None:
    w = weight_of(3, 20)
    w[1] = 0
    quantizer = of(w)
    assert not quantizer()[1].any() and quantizer.scale[1] > 1e-6 * quantizer.scale.max()


def test_levels_that_learn_come_closer_than_a_scale_that_does() -> None:
    """Of a layer whose inputs depend on each other, with weights that keep their levels."""
    torch.manual_seed(0)
    w, x = torch.randn(8, 32), torch.randn(256, 8) @ torch.randn(8, 32) + 0.3 * torch.randn(256, 32)
    start = other_levels(w.numpy(), CODEBOOK, 2, 0)
    errors = []
    for quantizer in (LevelQuantizer(w, start), CodebookQuantizer(w, start)):
        quantizer.weight.requires_grad_(False)
        optimizer = torch.optim.Adam([p for p in quantizer.parameters() if p.requires_grad], lr=0.01)
        falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 100)
        for _ in range(100):
            optimizer.zero_grad()
            functional.mse_loss(x @ quantizer().T, x @ w.T).backward()
            optimizer.step()
            falling.step()
        errors.append(functional.mse_loss(x @ quantizer().T, x @ w.T).item())
        assert torch.equal(quantizer(), quantizer.integers() * quantizer.scale[:, None])
    assert errors[1] < 0.9 * errors[0]
