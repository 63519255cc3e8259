"""Steps are shares of a parameter's unit, whatever unit its values and gradients have."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgeq.train.relative_adam import RelativeAdam, unit_of  # noqa: E402


def test_the_first_step_moves_by_the_rate_times_the_unit() -> None:
    p = nn.Parameter(torch.tensor([100.0, 0.01]))
    optimizer = RelativeAdam([(p, torch.tensor([100.0, 0.01]))], lr=0.1)
    p.grad = torch.tensor([1e-6, -1e6])
    optimizer.step()
    assert torch.allclose(p.detach(), torch.tensor([90.0, 0.011]), rtol=1e-4)


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e3])
def test_a_network_in_another_unit_takes_the_same_path(unit: float) -> None:
    target = torch.tensor([3.0, -2.0]) * unit
    p = nn.Parameter(torch.tensor([1.0, 1.0]) * unit)
    optimizer = RelativeAdam([(p, torch.tensor(unit))], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        (p - target).square().sum().backward()
        optimizer.step()
    assert torch.allclose(p.detach() / unit, torch.tensor([3.0, -2.0]), atol=0.05)


def test_it_matches_adam_with_a_unit_of_one() -> None:
    one, other = (nn.Parameter(torch.tensor([1.0, -2.0, 0.5])) for _ in range(2))
    mine = RelativeAdam([(one, torch.tensor(1.0))], lr=0.01)
    theirs = torch.optim.Adam([other], lr=0.01, betas=(0.9, 0.99), eps=1e-12)
    for k in range(20):
        for p in (one, other):
            p.grad = torch.sin(p.detach() * (k + 1))
        mine.step()
        theirs.step()
    assert torch.allclose(one, other, atol=1e-6)


def test_units_are_those_of_the_channels() -> None:
    weight = torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.3, 0.4]])
    units = unit_of(weight, axis=0)
    assert units.shape == (3, 1)
    assert float(units[0]) == pytest.approx((12.5) ** 0.5)
    assert float(units[2]) == pytest.approx(0.125**0.5)
    assert float(units[1]) == pytest.approx(
        float(weight.square().mean().sqrt())
    )  # a channel of zeros can still move
    assert (
        float(unit_of(torch.zeros(3))[0] if unit_of(torch.zeros(3)).ndim else unit_of(torch.zeros(3))) == 1.0
    )
