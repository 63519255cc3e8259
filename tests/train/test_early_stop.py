"""Stopping when validation has not improved for some evaluations in a row."""

import math

from edgeq.train.early_stop import EarlyStop


def after(scores: list[float], **rule: float) -> EarlyStop:
    state = EarlyStop(**rule)  # type: ignore[arg-type]
    for score in scores:
        state = state.seen(score)
    return state


def test_it_stops_after_so_many_without_a_better_one() -> None:
    assert not after([90.0, 91.0, 90.5, 91.0], patience=3).stops
    stopped = after([90.0, 91.0, 90.5, 91.0, 90.9], patience=3)
    assert stopped.stops and (stopped.best, stopped.best_at) == (91.0, 1)


def test_a_better_one_begins_the_count_anew() -> None:
    state = after([90.0, 89.0, 90.5], patience=2)
    assert state.improved and not state.stops
    assert after([90.0, 89.0, 90.5, 90.4], patience=2).improved is False


def test_better_means_by_more_than_the_least() -> None:
    state = after([90.0, 90.05, 90.15], patience=5, least=0.1)
    assert (state.best, state.best_at) == (90.15, 2)
    assert after([90.0, 90.05], patience=5, least=0.1).best == 90.0


def test_a_patience_of_0_never_stops() -> None:
    assert not after([1.0] * 50, patience=0).stops


def test_nan_is_never_better() -> None:
    assert after([math.nan, math.nan], patience=2).stops
    assert after([math.nan, 3.0, math.nan], patience=2).best == 3.0
    assert after([-math.inf], patience=2).best_at == 0
