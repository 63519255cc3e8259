"""The modules around fake quantization: what they learn, what they write, and that scales stay positive."""

import pytest
import torch
from torch.nn import functional

from edgeq.train.activation_quantizer import ActivationQuantizer
from edgeq.train.fake_quantize import fake_quantize
from edgeq.train.weight_quantizer import WeightQuantizer


def test_an_activation_is_quantized_and_its_scale_gets_lsqs_gradient() -> None:
    torch.manual_seed(0)
    quantizer = ActivationQuantizer(0.05, 0, 0, 15)
    x = torch.randn(8, 3, 4, 4)
    quantizer(x).sum().backward()
    scale = torch.tensor(0.05, requires_grad=True)
    fake_quantize(x, scale, 0, 0, 15).sum().backward()
    expected = scale.grad / (3 * 4 * 4 * 15) ** 0.5  # the values of one sample, and the steps of the range
    torch.testing.assert_close(quantizer.step.value.grad, expected)
    assert quantizer.implies_relu and not ActivationQuantizer(0.05, 3, 0, 15).implies_relu


def test_a_weight_is_what_its_integers_and_scales_say() -> None:
    torch.manual_seed(0)
    weight, scale = torch.randn(6, 3, 3, 3), torch.linspace(0.1, 0.6, 6)
    quantizer = WeightQuantizer(weight, scale, 0, -4, 3)
    integers = quantizer.integers()
    assert torch.equal(quantizer(), integers * quantizer.scale.reshape(-1, 1, 1, 1))
    assert integers.dtype == torch.int32 and (integers.min(), integers.max()) == (-4, 3)
    assert torch.equal(quantizer.scale, scale)


def test_integers_of_a_file_are_kept_and_those_at_the_ends_can_leave() -> None:
    integers = torch.arange(-128, 128, dtype=torch.int32).reshape(2, 128)
    scale = torch.tensor([0.0123, 0.7])
    quantizer = WeightQuantizer(integers * scale[:, None], scale, 0, -128, 127)
    assert torch.equal(quantizer.integers(), integers)
    quantizer().sum().backward()
    assert torch.equal(quantizer.weight.grad, torch.ones(2, 128))


def test_one_scale_for_the_whole_tensor() -> None:
    quantizer = WeightQuantizer(torch.tensor([[0.2, -0.9]]), torch.tensor(0.5), None, -1, 1)
    assert quantizer.integers().tolist() == [[0, -1]]


@pytest.mark.parametrize("learn", [True, False])
def test_only_what_should_learn_is_a_parameter(learn: bool) -> None:
    activation = ActivationQuantizer(1.0, 0, 0, 255, learn=learn)
    weight = WeightQuantizer(torch.ones(2, 2), torch.ones(2), 0, -127, 127, learn=learn)
    assert [name for name, _ in activation.named_parameters()] == ["step.value"] * learn
    assert [name for name, _ in weight.named_parameters()] == ["weight"] + ["step.value"] * learn


def test_a_scale_stays_positive_and_comes_back() -> None:
    quantizer = ActivationQuantizer(0.5, 0, 0, 15)
    optimizer = torch.optim.SGD(quantizer.parameters(), lr=0.02)
    with torch.no_grad():
        quantizer.step.value.fill_(-3.0)
    assert float(quantizer.scale) == pytest.approx(0.0005)
    x = torch.rand(4, 100)
    for _ in range(300):
        optimizer.zero_grad()
        functional.mse_loss(quantizer(x), x, reduction="sum").backward()
        optimizer.step()
        assert float(quantizer.scale) > 0
    assert 0.03 < float(quantizer.scale) < 0.2


def test_learning_finds_the_scale_of_least_error() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 256)
    errors = {
        s: float(functional.mse_loss(fake_quantize(x, torch.tensor(s), 0, -4, 3), x))
        for s in (0.4, 0.5, 0.6, 0.7, 0.8)
    }
    quantizer = ActivationQuantizer(0.2, 0, -4, 3)
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        functional.mse_loss(quantizer(x), x).backward()
        optimizer.step()
    with torch.no_grad():
        assert float(functional.mse_loss(quantizer(x), x)) < min(errors.values()) * 1.02
