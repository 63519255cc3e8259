"""Matrix products of samples with weights, and of samples with samples."""

import pytest

from tests.train.onnx_runs import agree, normal, single


@pytest.mark.parametrize("shape", [(1, 5), (4, 5), (1, 4, 5), (2, 3, 4, 5), (5,)], ids=str)
def test_by_a_weight(shape):
    agree(single("MatMul", [shape], {"w": normal(5, 6)}), normal(3, *shape))


@pytest.mark.parametrize(
    ("left", "right"),
    [((1, 2, 4, 5), (1, 2, 5, 3)), ((4, 5), (5, 3)), ((2, 4, 5), (5, 3)), ((5,), (2, 5, 3)), ((1, 5), (5,))],
    ids=str,
)
def test_of_two_values_of_the_sample(left, right):
    agree(single("MatMul", [left, right]), normal(3, *left), normal(3, *right, seed=1))


@pytest.mark.parametrize("bias", [(6,), (1, 6), (4, 6), (4, 1), (1,)], ids=str)
@pytest.mark.parametrize("across", [0, 1])
def test_gemm(bias, across):
    stored = {"w": normal(*((6, 5) if across else (5, 6))), "b": normal(*bias, seed=1)}
    agree(single("Gemm", [(4, 5)], stored, transB=across), normal(3, 4, 5))
    agree(single("Gemm", [(5, 4)], stored, transA=1, transB=across, alpha=0.5, beta=2.0), normal(3, 5, 4))


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [("bij,bjk->bik", [(1, 3, 4), (1, 4, 5)]), ("ij,jk", [(3, 4), (4, 5)]), ("...ij->...ji", [(1, 2, 3, 4)])],
)
def test_einsum(equation, shapes):
    agree(single("Einsum", shapes, equation=equation), *(normal(3, *s, seed=k) for k, s in enumerate(shapes)))


def test_einsum_with_a_weight():
    agree(single("Einsum", [(1, 3, 4)], {"w": normal(4, 2, 5)}, equation="btd,dhe->bhte"), normal(3, 1, 3, 4))
