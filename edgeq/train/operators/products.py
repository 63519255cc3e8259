"""Matrix products."""

import string

import torch
from torch import Tensor
from torch.nn import functional as F

from edgeq.train.forms import Form, Rows, Samples, same_rank
from edgeq.train.node import Node


def MatMul(node: Node) -> Form:
    left, right = node.operand(0), node.operand(1)
    if left.batched and not right.batched and left.rank >= 2 and right.rank == 2:
        return Rows(torch.matmul)

    def compute(a: Tensor, b: Tensor) -> Tensor:
        """A vector is a row on the left, a column on the right, and that axis is dropped again."""
        a = a.unsqueeze(1) if left.rank == 1 else a
        b = b.unsqueeze(2) if right.rank == 1 else b
        y = torch.matmul(*same_rank(a, b))
        y = y.squeeze(-2) if left.rank == 1 else y
        return y.squeeze(-1) if right.rank == 1 else y

    return Samples(compute)


def Gemm(node: Node) -> Form:
    a, b = node.operand(0), node.operand(1)
    alpha, beta = float(node.attributes.get("alpha", 1.0)), float(node.attributes.get("beta", 1.0))
    across_a, across_b = bool(node.attributes.get("transA", 0)), bool(node.attributes.get("transB", 0))
    if a.batched and not b.batched and not across_a and (alpha, beta) == (1.0, 1.0) and _of_columns(node):
        return Rows(_linear if across_b else _product)

    def compute(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        y = torch.matmul(a.mT if across_a else a, b.mT if across_b else b)
        y = y if alpha == 1.0 else alpha * y
        if c is None:
            return y
        y, c = same_rank(y, c)
        return y + (c if beta == 1.0 else beta * c)

    return Samples(compute)


def Einsum(node: Node) -> Form:
    """With one letter more, for the samples."""
    equation = node.text("equation", "").replace(" ", "")
    left, arrow, out = equation.partition("->")
    if not arrow:
        letters = sorted(c for c in set(left) - set(",.") if left.count(c) == 1)
        out = ("..." if "..." in left else "") + "".join(letters)
    free = next(c for c in string.ascii_letters if c not in equation)
    batched = [o is not None and o.batched for o in node.inputs]
    terms = [free + term if b else term for term, b in zip(left.split(","), batched, strict=True)]
    equation = f"{','.join(terms)}->{free if any(batched) else ''}{out}"

    def compute(*given: Tensor) -> Tensor:
        y = torch.einsum(equation, *[x if b else x[0] for x, b in zip(given, batched, strict=True)])
        return y if any(batched) else y.unsqueeze(0)

    return Samples(compute)


def _of_columns(node: Node) -> bool:
    """Whether C has one value per column, or is absent."""
    if not node.has(2):
        return True
    c = node.operand(2)
    return not c.batched and (c.rank == 1 or (c.rank == 2 and c.shape[0] == 1))


def _linear(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    return (
        F.linear(a, b, c if c is None else c.reshape(-1))
        if c is None or c.numel() > 1
        else F.linear(a, b) + c
    )


def _product(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    return torch.matmul(a, b) if c is None else torch.addmm(c, a, b)
