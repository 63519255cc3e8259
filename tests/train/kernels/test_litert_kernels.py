"""The modules that stand for LiteRT's kernels give their integers, every one, where the plain operator does not."""

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ai_edge_litert")

from torch.nn import functional  # noqa: E402

from edgeq.train.activation_quantizer import ActivationQuantizer  # noqa: E402
from edgeq.train.kernels.average import Mean  # noqa: E402
from edgeq.train.kernels.interpolation import LitertInterpolation  # noqa: E402
from edgeq.train.kernels.litert_average import LitertAverage  # noqa: E402
from edgeq.train.kernels.litert_matmul import LitertMatMul  # noqa: E402
from edgeq.train.kernels.litert_scales import LitertConcat, own_scale  # noqa: E402
from edgeq.train.kernels.multiply import Multiply  # noqa: E402
from edgeq.train.kernels.rounded import Rounded  # noqa: E402
from edgeq.train.kernels.sum import LitertSum  # noqa: E402
from tests.train.kernels.tflite_operator import Quantized, run  # noqa: E402

ONE, OTHER, RESULT = (0.0437, -17), (0.0311, 5), (0.0523, -9)
SHAPE = (4, 16, 16, 32)  # in LiteRT's order: channels last


def integers(seed: int, numbers: tuple[float, int]) -> Quantized:
    values = np.random.default_rng(seed).integers(-128, 128, SHAPE).astype(np.int8)
    return Quantized(values, *numbers)


def quantizer(numbers: tuple[float, int]) -> ActivationQuantizer:
    return ActivationQuantizer(*numbers, -128, 127, learn=False)


def values_of(each: Quantized) -> torch.Tensor:
    steps = torch.from_numpy(each.values.astype(np.float32).transpose(0, 3, 1, 2)) - each.zero_point
    return steps * np.float32(each.scale)


def expected(module: Rounded, plain: Callable, *inputs: Quantized) -> tuple[np.ndarray, np.ndarray]:
    """The kernel's integers by `module`, and those of the operator rounded to nearest."""
    given = [values_of(each) for each in inputs]
    result = module.result

    def to_integers(values: torch.Tensor) -> np.ndarray:
        found = result.integers(values)
        return found.numpy().transpose(0, 2, 3, 1) if found.ndim == 4 else found.numpy()

    return to_integers(module.eval()(plain, *given)), to_integers(plain(*given))


def check(module: Rounded, plain: Callable, theirs: np.ndarray, *inputs: Quantized) -> None:
    own, nearest = expected(module, plain, *inputs)
    np.testing.assert_array_equal(own, theirs)
    assert np.mean(own != nearest) < 0.2


@pytest.mark.parametrize(("kind", "plain"), [("ADD", torch.add), ("SUB", torch.sub)])
def test_a_sum_and_a_difference(kind: str, plain: Callable) -> None:
    a, b = integers(0, ONE), integers(1, OTHER)
    theirs = run(kind, [a, b], (SHAPE, *RESULT), named=f"{kind.capitalize()}Options")
    check(LitertSum((quantizer(ONE), quantizer(OTHER)), quantizer(RESULT)), plain, theirs, a, b)


def test_a_product() -> None:
    a, b = integers(0, ONE), integers(1, OTHER)
    theirs = run("MUL", [a, b], (SHAPE, *RESULT), named="MulOptions")
    check(Multiply((quantizer(ONE), quantizer(OTHER)), quantizer(RESULT)), torch.mul, theirs, a, b)


def test_a_product_of_matrices() -> None:
    a, b = integers(0, ONE), integers(1, OTHER)
    b = Quantized(np.ascontiguousarray(b.values.transpose(0, 1, 3, 2)), b.scale, b.zero_point)
    numbers = (1.37, 3)
    theirs = run("BATCH_MATMUL", [a, b], ((4, 16, 16, 16), *numbers), named="BatchMatMulOptions")
    module = LitertMatMul((quantizer(ONE), quantizer(OTHER)), quantizer(numbers)).eval()
    own = module(
        torch.matmul,
        *(
            (torch.from_numpy(x.values.astype(np.float32)) - x.zero_point) * np.float32(x.scale)
            for x in (a, b)
        ),
    )
    np.testing.assert_array_equal(module.result.integers(own).numpy(), theirs)


def test_an_average_over_windows() -> None:
    x = integers(0, ONE)
    window = {"filterHeight": 2, "filterWidth": 2, "strideH": 2, "strideW": 2, "padding": 1}
    theirs = run("AVERAGE_POOL_2D", [x], ((4, 8, 8, 32), *ONE), named="Pool2DOptions", **window)
    one = quantizer(ONE)
    own, nearest = expected(
        LitertAverage((one,), one, {"kernel_shape": [2, 2]}), lambda v: functional.avg_pool2d(v, 2), x
    )
    np.testing.assert_array_equal(own, theirs)
    assert np.mean(own != nearest) > 0.05  # halves


def test_a_mean_over_the_area() -> None:
    x = integers(0, ONE)
    axes = np.array([1, 2])
    theirs = run("MEAN", [x], ((4, 1, 1, 32), *RESULT), (axes,), named="ReducerOptions", keepDims=True)
    module = Mean((quantizer(ONE),), quantizer(RESULT))
    check(module, lambda v: v.mean((2, 3), keepdim=True), theirs, x)


@pytest.mark.parametrize("factor", [2, 3])
def test_bilinear_resizing(factor: int) -> None:
    x, size = integers(0, ONE), 16 * factor
    options = {"named": "ResizeBilinearOptions", "halfPixelCenters": True}
    theirs = run("RESIZE_BILINEAR", [x], ((4, size, size, 32), *ONE), (np.array([size, size]),), **options)
    one = quantizer(ONE)

    def plain(v: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(v, (size, size), mode="bilinear")

    check(LitertInterpolation((one,), one), plain, theirs, x)


def test_another_scale_for_a_join() -> None:
    x = integers(0, ONE)
    theirs = run("QUANTIZE", [x], (SHAPE, *RESULT), named="QuantizeOptions")
    check(LitertConcat((quantizer(ONE),), quantizer(RESULT)), lambda v: v, theirs, x)


@pytest.mark.parametrize(
    ("kind", "operator", "plain"), [("LOGISTIC", "Sigmoid", torch.sigmoid), ("TANH", "Tanh", torch.tanh)]
)
def test_scales_of_their_own(kind: str, operator: str, plain: Callable) -> None:
    x, own = integers(0, ONE), own_scale(operator)
    assert own is not None
    theirs = run(kind, [x], (SHAPE, float(own.scale), own.zero_point))
    found = own.integers(plain(values_of(x))).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(found, theirs)
