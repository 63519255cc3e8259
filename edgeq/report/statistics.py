"""Quantiles and ratios with honest intervals, from latencies that come in rounds.

Inferences of one round share a session, a clock and a temperature, so they are not independent; rounds are. Every
interval here resamples whole rounds (the cluster bootstrap: Davison and Hinkley 1997, Bootstrap Methods and their
Application, 3.8). Knows arrays, not entrants or devices. Units are the caller's.
"""

import random
from collections.abc import Sequence
from functools import lru_cache
from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray

from edgeq.nouns.report import Estimate
from edgeq.nouns.student_t import student_t

Samples = np.ndarray  # one dimension, latencies of one round in the order of time

MIN_ROUNDS = 4  # fewer say nothing about how rounds differ
MIN_BEYOND = 10  # samples beyond a quantile, without which it has no interval
RESAMPLES = 2000
RATIO_RESAMPLES = 1000  # the agent repeats these between two blocks, on the device
TRIM = 0.2
_SEED = 20_260_101  # fixed: the same measurement gives the same report
_GRID = 2048
_CHUNK = 250


def quantile(samples: Samples, q: float) -> float:
    """Linear interpolation between order statistics: type 7 of Hyndman and Fan 1996, numpy's default."""
    return float(np.quantile(samples, q))


def quantile_estimates(rounds: Sequence[Samples], quantiles: Sequence[float]) -> tuple[Estimate, ...]:
    """Quantiles of all samples together, each with its 95 % interval where the data can carry one.

    That takes MIN_ROUNDS rounds and MIN_BEYOND samples on the far side of the quantile: no resampling tells what p99 is
    from a hundred samples. In simulations the interval of the median covers in 94 to 97 %, those of p95 and p99, once
    they are given, in about 90 %.
    """
    together = np.concatenate(rounds)
    points = [quantile(together, q) for q in quantiles]
    if len(rounds) < MIN_ROUNDS:
        return tuple(Estimate(point) for point in points)
    replicates = _resampled_quantiles(rounds, quantiles)
    return tuple(
        _estimate(point, replicates[:, i], len(rounds))
        if together.size * min(q, 1 - q) >= MIN_BEYOND
        else Estimate(point)
        for i, (q, point) in enumerate(zip(quantiles, points, strict=True))
    )


def paired_ratio(entrant: Sequence[Samples], reference: Sequence[Samples]) -> Estimate | None:
    """Duration of `entrant` over that of `reference`; item i of both is the same round. None below MIN_ROUNDS.

    Per round the logarithm of the ratio of medians; over rounds its 20 % trimmed mean, which a disturbed round cannot
    move far and which goes well with the bootstrap (Wilcox 2012, Robust Estimation and Hypothesis Testing, 4.4.3).
    Pairing by round takes slow drift out of the ratio.
    """
    if len(entrant) < MIN_ROUNDS:
        return None
    logs = np.array([np.log(np.median(a) / np.median(b)) for a, b in zip(entrant, reference, strict=True)])
    point, replicates = np.exp(_trimmed_mean(logs)), np.exp(_trimmed_mean(logs[_draws(len(logs))]))
    return _estimate(float(point), replicates, len(logs))


def independent_ratio(second: Sequence[Samples], first: Sequence[Samples]) -> Estimate | None:
    """Ratio of the medians of two measurements that were not interleaved: each resampled by its own rounds."""
    if min(len(second), len(first)) < MIN_ROUNDS:
        return None
    replicates = _resampled_quantiles(second, (0.5,), _SEED + 1) / _resampled_quantiles(first, (0.5,))
    point = quantile(np.concatenate(second), 0.5) / quantile(np.concatenate(first), 0.5)
    return _estimate(point, replicates[:, 0], min(len(second), len(first)))


def inverse(ratio: Estimate) -> Estimate:
    """A duration ratio as a speed-up, or that of B over A from that of A over B."""
    low = None if ratio.high is None else 1 / ratio.high
    high = None if ratio.low is None else 1 / ratio.low
    return Estimate(1 / ratio.value, low, high)


@lru_cache(maxsize=8)
def _draws(rounds: int) -> NDArray[np.intp]:
    """[RATIO_RESAMPLES, rounds] of round numbers. Not by numpy: edgeq/agent/stopping.py draws the same on the device."""
    draw = random.Random(_SEED)
    return np.array([draw.choices(range(rounds), k=rounds) for _ in range(RATIO_RESAMPLES)])


def _trimmed_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis, without the TRIM smallest and the TRIM largest share."""
    cut = int(TRIM * values.shape[-1])
    ordered = np.sort(values, axis=-1)
    mean: NDArray[np.float64] = ordered[..., cut : values.shape[-1] - cut].mean(axis=-1)
    return mean


def _resampled_quantiles(
    rounds: Sequence[Samples], quantiles: Sequence[float], seed: int = _SEED
) -> NDArray[np.float64]:
    """[RESAMPLES, quantiles]: the quantiles of samples made of rounds drawn with replacement.

    Counting how often each round was drawn gives cumulative counts over one common grid of values, so no resample is
    ever built. The grid is every distinct value, or 2048 of them evenly by rank where there are more.
    """
    grid = np.unique(np.concatenate(rounds))
    if grid.size > _GRID:
        grid = grid[np.linspace(0, grid.size - 1, _GRID).round().astype(int)]
    at_most = np.stack([np.searchsorted(np.sort(r), grid, side="right") for r in rounds]).astype(float)
    even = np.full(len(rounds), 1 / len(rounds))
    drawn = np.random.default_rng(seed).multinomial(len(rounds), even, RESAMPLES).astype(float)
    # einsum, not @: on a machine whose cores are busy, BLAS threads wait for each other longer than they compute.
    parts = (np.einsum("dr,rg->dg", part, at_most) for part in np.split(drawn, RESAMPLES // _CHUNK))
    return np.concatenate([_weighted_quantiles(part, grid, quantiles) for part in parts])


def _weighted_quantiles(
    cumulative: NDArray[np.float64], grid: Samples, quantiles: Sequence[float]
) -> NDArray[np.float64]:
    """Type 7 quantiles of each row of cumulative counts over `grid`."""
    total = cumulative[:, -1]
    columns = []
    for q in quantiles:
        position = (total - 1) * q
        below = np.floor(position)
        lower = grid[(cumulative <= below[:, None]).sum(axis=1)]
        upper = grid[(cumulative <= np.minimum(below + 1, total - 1)[:, None]).sum(axis=1)]
        columns.append(lower + (position - below) * (upper - lower))
    return np.stack(columns, axis=1)


def _estimate(point: float, replicates: NDArray[np.float64], rounds: int) -> Estimate:
    """Student's t with the bootstrap's standard error, on logarithms, since durations are positive and skewed
    (Hesterberg 2015, What Teachers Should Know About the Bootstrap, The American Statistician 69).

    Percentiles of the replicates would end at the extremes of the data, which at four rounds cover 87 %, not 95. The
    factor sqrt(n / (n - 1)) undoes that resampling n of n understates their variance.
    """
    error = float(np.log(replicates).std()) * sqrt(rounds / (rounds - 1))
    reach = exp(student_t(0.05, rounds - 1) * error)
    return Estimate(point, point / reach, point * reach)
