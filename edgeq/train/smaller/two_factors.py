"""A weight as two factors of a rank, with the least error of a layer's outputs, and the ranks of many layers for a number of operations.

For a layer y = W x + b with W [m, n] and inputs of covariance C, a product W' = P W with a projection P of rank r has the error
E|(W - W')(x - E x)|^2 = |(I - P) W C^(1/2)|^2 (Frobenius), once (W - W') E x is added to b. By Eckart, Young and Mirsky it is least for the
projection on the first r left singular vectors U of W C^(1/2), and the sum of the other singular values' squares. The factors are
A = U s^(1/2) and B = s^(-1/2) U' W, with s the singular values: halfway between equal columns of A and equal inputs of it, which is how
both factors and what is between them lose least by a scale per tensor. That a decomposition is to be weighted by the data: Chen et al.,
"DRONE: data-aware low-rank compression for large NLP models", NeurIPS 2021.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

_DAMPING = 1e-3  # of the inputs' mean variance: what no sample has shown is not free
_STEPS = 60  # of a bisection over 24 decades


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Of W C^(1/2): `energy` are its singular values' squares, falling; `left` [m, min(m, n)] its left singular vectors."""

    energy: Doubles
    left: Doubles
    weights: Doubles

    @property
    def errors(self) -> Doubles:
        """Of ranks 0, 1, ...: the share of the outputs' variance that is lost."""
        total = max(float(self.energy.sum()), 1e-300)
        return np.maximum(1 - np.concatenate([[0.0], np.cumsum(self.energy)]) / total, 0.0)

    def factors(self, rank: int) -> tuple[Doubles, Doubles]:
        """A [m, rank] and B [rank, n], whose product is closest to W for these inputs."""
        scale = np.sqrt(np.sqrt(np.maximum(self.energy[:rank], 1e-30 * max(float(self.energy[0]), 1e-300))))
        left = self.left[:, :rank]
        return left * scale, (left.T @ self.weights) / scale[:, None]


def spectrum(weights: Doubles, covariance: Doubles) -> Spectrum:
    """`weights` [m, n], `covariance` [n, n] of the inputs, symmetric; both float64."""
    power = float(np.trace(covariance)) / len(covariance)
    values, vectors = np.linalg.eigh(covariance + _DAMPING * max(power, 1e-30) * np.identity(len(covariance)))
    root = (weights @ vectors) * np.sqrt(np.maximum(values, 0.0))
    left, singular, _ = np.linalg.svd(root, full_matrices=False)
    return Spectrum(np.square(singular), left, weights)


def spectrum_of_outputs(weights: Doubles, covariance: Doubles, power: float) -> Spectrum:
    """The same by the covariance [m, m] of W x, and the `power` of x, its mean variance: much less to do where a layer gives few of many."""
    damped = covariance + _DAMPING * max(power, 1e-30) * (weights @ weights.T)
    values, vectors = np.linalg.eigh(damped)
    rank = min(weights.shape)
    return Spectrum(np.maximum(values[::-1][:rank], 0.0), vectors[:, ::-1][:, :rank], weights)


@dataclass(frozen=True, eq=False)
class Choice:
    """What ranks one layer may have: `errors` of ranks 0, 1, ..., what a rank `costs` and what the `whole` layer does, in the same unit."""

    errors: Doubles
    costs: float
    whole: float

    @property
    def most(self) -> int:
        """The largest rank that costs less than the whole layer; 0 where none does."""
        return max(min(int(np.ceil(self.whole / self.costs)) - 1, len(self.errors) - 1), 0)

    def cost(self, rank: int | None) -> float:
        return self.whole if rank is None else rank * self.costs

    def best(self, price: float) -> int | None:
        """The rank of the least error plus `price` times cost; None: the whole layer."""
        if self.most == 0:
            return None
        ranks = np.arange(1, self.most + 1)
        rank = int(ranks[np.argmin(self.errors[ranks] + price * self.costs * ranks)])
        paid = self.errors[rank] + price * self.costs * rank
        return rank if paid < price * self.whole else None


def ranks_for(choices: Sequence[Choice], cost: float) -> list[int | None]:
    """A rank for each layer, None where it stays whole, for at most `cost` in all and with the least sum of errors: those of one price
    for all layers (Lagrange), and what is left of `cost` to the ranks that gain most by it. The lowest ranks where not even they will do.
    """

    def total(ranks: Sequence[int | None]) -> float:
        return sum(c.cost(r) for c, r in zip(choices, ranks, strict=True))

    whole = total([None] * len(choices))
    if whole <= cost:
        return [None] * len(choices)
    low, high = -18.0, 6.0  # decades of error by share of all cost
    for _ in range(_STEPS):
        middle = (low + high) / 2
        ranks = [c.best(10**middle / whole) for c in choices]
        low, high = (low, middle) if total(ranks) <= cost else (middle, high)
    return _filled(choices, [c.best(10**high / whole) for c in choices], cost)


def _filled(choices: Sequence[Choice], ranks: list[int | None], cost: float) -> list[int | None]:
    left = cost - sum(c.cost(r) for c, r in zip(choices, ranks, strict=True))
    waiting: list[tuple[float, int]] = []

    def offer(k: int) -> None:
        rank, c = ranks[k], choices[k]
        if rank is not None and rank < c.most:
            heapq.heappush(waiting, (-(c.errors[rank] - c.errors[rank + 1]) / c.costs, k))

    for k in range(len(choices)):
        offer(k)
    while waiting:
        _, k = heapq.heappop(waiting)
        rank = ranks[k]
        if rank is not None and choices[k].costs <= left:
            left -= choices[k].costs
            ranks[k] = rank + 1
            offer(k)
    return ranks
