"""The module computes what the file computes, before and after it learned, and gives the file back."""

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")

from edgeq.graphs.ort_session import ort_session  # noqa: E402
from edgeq.graphs.stages import ending_at  # noqa: E402
from edgeq.nouns.plan import Scheme  # noqa: E402
from edgeq.quantize.passes.int16_saturation import clamp_pairs  # noqa: E402
from edgeq.train.batches import training_data  # noqa: E402
from edgeq.train.low_bit_layers import low_bit_layers  # noqa: E402
from edgeq.train.low_bits import Bits, with_low_bits  # noqa: E402
from edgeq.train.norm_statistics import norms_of  # noqa: E402
from edgeq.train.quantized_network import QuantizedNetwork  # noqa: E402
from edgeq.train.relative_adam import RelativeAdam  # noqa: E402
from tests.train.residual_network import S8, U8, images, network, quantized, weights_of  # noqa: E402

SAMPLES = images(64)
EIGHT, FOUR, TWO = Bits(), Bits(4, 4), Bits(2, 2)
APOT, BOOK, BINARY = Bits(3, 8, "apot"), Bits(3, 4, "codebook"), Bits(1, 8, "binary")


def file_with(bits: Bits, scheme: Scheme = U8) -> onnx.ModelProto:
    file = quantized(network(), scheme)
    low = low_bit_layers(file, bits)
    return with_low_bits(file, weights_of(network()), low, SAMPLES) if low else file


def network_of(
    file: onnx.ModelProto, bits: Bits, *, norms: bool = False, limited: bool = False
) -> QuantizedNetwork:
    low = low_bit_layers(file, bits)
    made = norms_of(file, network(), low, training_data(SAMPLES, size=16).train) if norms else {}
    return QuantizedNetwork(file, weights_of(network()), low, norms=made, limited=limited).eval()


def trained(net: QuantizedNetwork, steps: int = 5, rate: float = 0.02) -> QuantizedNetwork:
    """A few steps towards targets of no meaning: weights, scales and biases all move."""
    optimizer = RelativeAdam(net.parameters_with_units(), rate)
    x, target = (
        torch.from_numpy(SAMPLES.images),
        torch.randn(64, 4, generator=torch.Generator().manual_seed(0)),
    )
    net.train()
    for _ in range(steps):
        optimizer.zero_grad()
        (net(x)[0] - target).square().mean().backward()
        optimizer.step()
    return net.eval()


def integers_of(model: onnx.ModelProto, tensors: list[str]) -> list[np.ndarray]:
    session = ort_session(ending_at(model, tensors), threads=1)
    found = [session.run(None, {"x": SAMPLES.images[i : i + 1]}) for i in range(SAMPLES.count)]
    return [np.concatenate(values).astype(int) for values in zip(*found, strict=True)]


def quantizers(model: onnx.ModelProto) -> dict[str, tuple[str, np.ndarray, np.ndarray]]:
    """By the integers' name what they dequantize to, with scale and zero point."""
    stored = weights_of(model)
    nodes = [n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] not in stored]
    return {n.input[0]: (n.output[0], stored[n.input[1]], stored[n.input[2]]) for n in nodes}


@pytest.mark.parametrize("scheme", [U8, S8], ids=["U8", "S8"])
@pytest.mark.parametrize(
    "bits", [EIGHT, FOUR, TWO, APOT, BOOK, BINARY], ids=["8", "4", "2", "apot", "codebook", "binary"]
)
def test_without_a_step_the_file_comes_back_byte_for_byte(bits: Bits, scheme: Scheme) -> None:
    file = file_with(bits, scheme)
    back = network_of(file, bits).model()
    assert weights_of(back).keys() == weights_of(file).keys()
    for name, values in weights_of(file).items():
        assert weights_of(back)[name].tobytes() == values.tobytes(), name


@pytest.mark.parametrize(
    ("bits", "norms"),
    [
        pytest.param(EIGHT, False, marks=pytest.mark.arithmetic),
        (FOUR, True),
        (FOUR, False),
        (TWO, True),
        (APOT, False),
        (BOOK, True),
        (BINARY, True),
    ],
)
def test_after_training_every_integer_of_the_file_is_that_of_the_module(bits: Bits, norms: bool) -> None:
    net = trained(network_of(file_with(bits), bits, norms=norms))
    file = net.model()
    names = quantizers(file)
    inside = QuantizedNetwork(file, {}, outputs=[output for output, _, _ in names.values()]).eval()
    with torch.no_grad():
        values = inside(torch.from_numpy(SAMPLES.images))
    for (name, (_, scale, zero)), mine, theirs in zip(
        names.items(), values, integers_of(file, list(names)), strict=True
    ):
        own = np.rint(mine.numpy() / scale).astype(int) + int(zero)
        assert np.abs(own - theirs).max() <= 1, name
        assert np.mean(own == theirs) >= 0.999, name


def test_the_levels_of_codebooks_learn() -> None:
    """And not their scale alone; each channel of the file has as many as before."""
    file = file_with(BOOK)
    net = network_of(file, BOOK)
    books = [layer.weight.book for layer in net.layers if hasattr(layer.weight, "book")]
    before = [book.detach().clone() for book in books]
    back = weights_of(trained(net).model())
    for book, old in zip(books, before, strict=True):
        times = book / old
        assert (times.amax(1) - times.amin(1)).median() > 0.01
    few = ("first.w_quantized", "second.w_quantized")
    assert len(few) == len(books)
    assert all(_most_levels(back[name]) <= 8 and (back[name] != weights_of(file)[name]).any() for name in few)


def _most_levels(weights: np.ndarray) -> int:
    return max(len(np.unique(row)) for row in weights.reshape(len(weights), -1))


@pytest.mark.parametrize("norms", [False, True])
def test_what_is_written_is_what_was_evaluated(norms: bool) -> None:
    net = trained(network_of(file_with(FOUR), FOUR, norms=norms))
    again = network_of(net.model(), FOUR)
    x = torch.from_numpy(SAMPLES.images)
    with torch.no_grad():
        assert torch.allclose(net(x)[0], again(x)[0], atol=1e-5)


def test_training_moves_weights_scales_and_biases() -> None:
    file = file_with(FOUR)
    before, after = weights_of(file), weights_of(trained(network_of(file, FOUR)).model())
    for name in (
        "first.w_quantized",
        "first.w_scale",
        "first.b_quantized",
        "c_scale",
        "ar_DequantizeLinear_Output_4bit_scale",
    ):
        assert not np.array_equal(before[name], after[name]), name
    assert after["first.w_quantized"].min() >= -8 and after["first.w_quantized"].max() <= 7


def test_norms_begin_as_nothing() -> None:
    file = file_with(TWO)
    plain, normed = network_of(file, TWO), network_of(file, TWO, norms=True)
    assert len(normed.norms()) == 2
    x = torch.from_numpy(SAMPLES.images)
    with torch.no_grad():
        assert torch.allclose(plain(x)[0], normed(x)[0], atol=1e-3)


def test_norms_use_their_mini_batch_until_they_are_frozen() -> None:
    net = network_of(file_with(TWO), TWO, norms=True).train()
    x = torch.from_numpy(SAMPLES.images)
    with torch.no_grad():
        alone, together = net(x[:8])[0], net(x)[0][:8]
        assert not torch.allclose(alone, together, atol=1e-4)
        net.freeze_norms()
        assert torch.allclose(net(x[:8])[0], net(x)[0][:8], atol=1e-4)


def test_where_pairs_saturate_no_trained_pair_would_overflow() -> None:
    """The backend's own clamp finds nothing to do in what was trained with the limit, and something without it."""
    file = file_with(EIGHT)
    wild = {"steps": 10, "rate": 0.2}
    limited = trained(network_of(file, EIGHT, limited=True), **wild).model()
    unlimited = trained(network_of(file, EIGHT), **wild).model()
    assert clamp_pairs(limited) == 0
    assert clamp_pairs(unlimited) > 0
