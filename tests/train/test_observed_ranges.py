"""Ranges of activations that follow what comes by a moving average (--activation-ranges ema), in place of being learned."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgeq.train.activation_quantizer import ObservedQuantizer  # noqa: E402
from edgeq.train.low_bit_layers import low_bit_layers  # noqa: E402
from edgeq.train.quantized_network import QuantizedNetwork  # noqa: E402
from tests.train.residual_network import S8, U8, weights_of  # noqa: E402
from tests.train.test_quantized_network import (  # noqa: E402
    EIGHT,
    FOUR,
    SAMPLES,
    file_with,
    integers_of,
    network,
    quantizers,
    trained,
)


def seen(quantizer: ObservedQuantizer, *largest: float) -> list[float]:
    """The scale after each mini-batch, whose values go up to the given ones."""
    scales = []
    for each in largest:
        quantizer(torch.linspace(-each / 4, each, 50))
        quantizer.settle()
        scales.append(float(quantizer.scale))
    return scales


def test_the_first_mini_batch_keeps_the_scale_and_larger_ones_widen_it() -> None:
    """Calibration kept half of the range: half of it stays."""
    quantizer = ObservedQuantizer(0.5 / 255, 0, 0, 255).train()
    first, *_, last = seen(quantizer, 1.0, *[2.0] * 200)
    assert first == pytest.approx(0.5 / 255)
    assert last == pytest.approx(1.0 / 255, rel=1e-3)


def test_a_step_of_several_tensors_counts_once_by_the_largest() -> None:
    quantizer = ObservedQuantizer(1 / 255, 0, 0, 255).train()
    for largest in (1.0, 0.1, 0.2):
        quantizer(torch.linspace(0, largest, 50))
    quantizer.settle()
    assert float(quantizer.average) == pytest.approx(1 / 255)


def test_with_a_zero_point_inside_the_wider_side_decides() -> None:
    quantizer = ObservedQuantizer(1 / 64, -64, -128, 127).train()  # -1 to 3
    assert seen(quantizer, 1.0)[0] == pytest.approx(1 / 64)
    quantizer(torch.tensor([-2.0, 0.5]))
    assert float(quantizer.seen) == pytest.approx(2 / 64)


def test_frozen_or_evaluated_it_stays() -> None:
    quantizer = ObservedQuantizer(1 / 255, 0, 0, 255).train()
    seen(quantizer, 1.0)
    before = float(quantizer.scale)
    assert seen(quantizer.eval(), 5.0) == [before]
    quantizer.train().freeze()
    assert seen(quantizer, 5.0) == [before]
    assert not list(quantizer.parameters())


@pytest.mark.parametrize("scheme", [U8, S8], ids=["U8", "S8"])
@pytest.mark.parametrize("bits", [EIGHT, FOUR], ids=["8", "4"])
def test_the_file_has_the_ranges_and_is_the_network(bits: object, scheme: object) -> None:
    file = file_with(bits, scheme)
    low = low_bit_layers(file, bits)
    net = trained(QuantizedNetwork(file, weights_of(network()), low, observed=True).eval(), steps=8)
    made = net.model()
    names = quantizers(made)
    moved = [scale for _, scale, _ in names.values()]
    before = [scale for _, scale, _ in quantizers(file).values()]
    assert any(a != b for a, b in zip(moved, before, strict=True))
    inside = QuantizedNetwork(made, {}, outputs=[output for output, _, _ in names.values()]).eval()
    with torch.no_grad():
        values = inside(torch.from_numpy(SAMPLES.images))
    for (name, (_, scale, zero)), mine, theirs in zip(
        names.items(), values, integers_of(made, list(names)), strict=True
    ):
        own = np.rint(mine.numpy() / scale).astype(int) + int(zero)
        assert np.abs(own - theirs).max() <= 1 and np.mean(own == theirs) >= 0.999, name
