"""The intervals do what they say: checked against distributions whose quantiles are known."""

from statistics import NormalDist

import numpy as np
import pytest

from edgeq.report.statistics import (
    independent_ratio,
    inverse,
    paired_ratio,
    quantile,
    quantile_estimates,
)

BETWEEN, WITHIN = 0.03, 0.05  # standard deviations of log latency between rounds and within one


def rounds_of_lognormal(
    rng: np.random.Generator, rounds: int, per_round: int, shift: float = 0.0
) -> list[np.ndarray]:
    return [np.exp(shift + rng.normal(0, BETWEEN) + rng.normal(0, WITHIN, per_round)) for _ in range(rounds)]


def true_quantile(q: float) -> float:
    """Between and within add up: the product of two lognormals is lognormal."""
    return float(np.exp(NormalDist(0, (BETWEEN**2 + WITHIN**2) ** 0.5).inv_cdf(q)))


def test_quantiles_are_numpys_and_lie_in_their_intervals() -> None:
    rounds = rounds_of_lognormal(np.random.default_rng(0), 20, 100)
    for q, estimate in zip((0.5, 0.9, 0.99), quantile_estimates(rounds, (0.5, 0.9, 0.99)), strict=True):
        assert estimate.value == np.quantile(np.concatenate(rounds), q)
        assert estimate.low < estimate.value < estimate.high


@pytest.mark.parametrize("rounds", [4, 8, 16])
def test_the_interval_of_the_median_covers_the_truth_in_95_percent(rounds: int) -> None:
    rng = np.random.default_rng(rounds)
    hits = 0
    for _ in range(300):
        (p50,) = quantile_estimates(rounds_of_lognormal(rng, rounds, 15), (0.5,))
        hits += p50.low <= true_quantile(0.5) <= p50.high
    assert 0.92 <= hits / 300 <= 0.985


def test_the_interval_of_p90_covers_nearly_as_often() -> None:
    rng = np.random.default_rng(9)
    hits = 0
    for _ in range(100):
        (p90,) = quantile_estimates(rounds_of_lognormal(rng, 20, 20), (0.9,))
        hits += p90.low <= true_quantile(0.9) <= p90.high
    assert 0.87 <= hits / 100 <= 1.0


@pytest.mark.parametrize("rounds", [4, 8, 20, 60])
def test_the_interval_of_a_ratio_covers_the_truth_in_95_percent(rounds: int) -> None:
    rng = np.random.default_rng(100 + rounds)
    hits = 0
    for _ in range(400):
        level = rng.normal(0, 0.3, rounds)  # the machine's mood, the same for both within a round
        slow = [np.exp(m + x) for m, x in zip(level, rng.normal(0.1, 0.02, (rounds, 9)), strict=True)]
        fast = [np.exp(m + x) for m, x in zip(level, rng.normal(0.0, 0.02, (rounds, 9)), strict=True)]
        ratio = paired_ratio(slow, fast)
        hits += ratio is not None and ratio.low <= np.exp(0.1) <= ratio.high
    assert 0.92 <= hits / 400 <= 0.98


def test_pairing_removes_what_both_share() -> None:
    rng = np.random.default_rng(3)
    drifting = np.linspace(1, 3, 20)
    one = [level * np.exp(rng.normal(0, 0.01, 20)) for level in drifting]
    two = [1.02 * level * np.exp(rng.normal(0, 0.01, 20)) for level in drifting]
    paired, unpaired = paired_ratio(two, one), independent_ratio(two, one)
    assert paired is not None and unpaired is not None
    assert 1.01 < paired.low < 1.02 < paired.high < 1.03
    assert unpaired.high / unpaired.low > 1.3


def test_one_disturbed_round_does_not_move_the_ratio() -> None:
    rng = np.random.default_rng(4)
    same = [np.exp(rng.normal(0, 0.002, 20)) for _ in range(20)]
    disturbed = [*same[:19], same[19] * 5]
    ratio = paired_ratio(disturbed, same)
    assert ratio is not None and ratio.value == pytest.approx(1, abs=0.001) and ratio.high < 1.02


def test_too_little_data_has_no_interval() -> None:
    rounds = rounds_of_lognormal(np.random.default_rng(5), 10, 20)
    p50, p99 = quantile_estimates(rounds, (0.5, 0.99))
    assert p50.low is not None
    assert p99.low is None, "two of 200 samples lie beyond p99"
    assert quantile_estimates(rounds[:3], (0.5,))[0].low is None
    assert paired_ratio(rounds[:3], rounds[:3]) is None


def test_the_same_samples_give_the_same_interval() -> None:
    rounds = rounds_of_lognormal(np.random.default_rng(6), 8, 30)
    assert quantile_estimates(rounds, (0.5, 0.9)) == quantile_estimates(rounds, (0.5, 0.9))


def test_many_distinct_values_are_resampled_on_a_grid_without_loss() -> None:
    rounds = rounds_of_lognormal(np.random.default_rng(7), 30, 1000)
    (p90,) = quantile_estimates(rounds, (0.9,))
    rng = np.random.default_rng(0)
    plain = [quantile(np.concatenate([rounds[i] for i in rng.integers(0, 30, 30)]), 0.9) for _ in range(300)]
    assert np.log(p90.high / p90.low) == pytest.approx(2 * 2.045 * np.log(plain).std(), rel=0.15)


def test_inverse_swaps_the_ends() -> None:
    rounds = rounds_of_lognormal(np.random.default_rng(8), 8, 30)
    ratio = paired_ratio([r * 2 for r in rounds], rounds)
    assert ratio is not None
    assert inverse(ratio).value == pytest.approx(0.5)
    assert inverse(ratio).low <= inverse(ratio).value <= inverse(ratio).high
