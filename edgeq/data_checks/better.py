"""Tries the alternatives: with labels by float's accuracy, without labels by its confidence."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgeq.data_checks.alternatives import Alternative, alternatives
from edgeq.data_checks.confidence import log_probabilities, margins, scores_of
from edgeq.data_checks.evidence import SAMPLES, Evidence, stacked
from edgeq.data_checks.significance import chance, plainly_more, surely_more
from edgeq.ingest.float_model import Arrays
from edgeq.nouns.data_check import DataFinding
from edgeq.quantize.evaluate.accuracy import Scored

_MOST = 512
_FEW = 32
_LIKELIER = 1e-5  # sign test
_MOST_GAIN = 5.0  # of one sample, in the logarithm of the label's probability
_WORTH = 0.05  # the mean of that
_AT_ONCE = 16
_FEWEST = 16
_WRONG = 5  # samples on which float is wrong, from which on another preparation could show itself
_LOSES = 3  # fewer right than now: given up
_FITTED_IS_WORSE = 0.04
_KNOWS = 0.25  # of the samples that the most frequent label leaves: less is no better than another wrong preparation
_MOSTLY_WRONG = 0.4
_NOT_AHEAD = 64  # samples after which it is given up unless it is ahead
_SURER = 5.0  # standard errors of the mean difference of margins
_SURER_BY = 1.25


@dataclass(frozen=True)
class _Labelled:
    evidence: Evidence
    scored: Scored
    numbers: np.ndarray

    def labels(self, start: int, count: int) -> np.ndarray:
        return np.asarray(self.numbers[list(self.evidence.positions[start : start + count])])

    def right(self, outputs: list[Arrays], start: int = 0) -> np.ndarray:
        return np.asarray(self.scored.predictions(stacked(outputs)) == self.labels(start, len(outputs)))

    def likelihoods(self, outputs: list[Arrays], start: int = 0) -> np.ndarray:
        """The log probability of each label; empty where outputs are not scores of several classes."""
        if self.scored.of_two or self.scored.of_numbers:
            return np.zeros(0)
        return log_probabilities(scores_of(outputs, self.scored.which), self.labels(start, len(outputs)))


@dataclass(frozen=True)
class _Trial:
    """Of the samples that an alternative was tried on: whether float is right and how likely the labels are to it, `now` and
    with the `other` preparation.
    """

    now: np.ndarray
    other: np.ndarray
    now_likely: np.ndarray
    other_likely: np.ndarray

    @property
    def ahead(self) -> int:
        return int(self.other.sum()) - int(self.now.sum())

    def rank(self, fitted: bool) -> tuple[float, float]:
        """Of several that are better, the most accurate one, then the one with the most likely labels. One that is
        `fitted` to the samples is nearly as good as the right one, and has to be clearly better.
        """
        likely = float(self.other_likely.mean()) if len(self.other_likely) else 0.0
        return float(self.other.mean()) - (_FITTED_IS_WORSE if fitted else 0.0), likely

    def knows(self, labels: np.ndarray) -> bool:
        """Whether float is right on far more than the most frequent label would be."""
        guessed = np.unique(labels, return_counts=True)[1].max() / len(labels)
        return bool(self.other.mean() >= guessed + _KNOWS * (1 - guessed))

    @property
    def is_better(self) -> bool:
        return surely_more(self.other, self.now)

    @property
    def is_likelier(self) -> bool:
        """Labels are likelier on most samples, and float is right no more seldom: this shows on far fewer samples."""
        gain = np.clip(self.other_likely - self.now_likely, -_MOST_GAIN, _MOST_GAIN)
        won, lost = int((gain > 0).sum()), int((gain < 0).sum())
        return self.ahead >= 0 and won > lost and chance(won, lost) < _LIKELIER and gain.mean() > _WORTH


def better_with_labels(
    evidence: Evidence, scored: Scored, numbers: np.ndarray, *, scales_first: bool
) -> Iterator[DataFinding]:
    """At most one finding: the alternative with which float is right most often, if that is clearly more than now. Other scales
    are tried before other orders where `scales_first`.
    """
    task = _Labelled(evidence, scored, numbers)
    right = task.right(evidence.outputs)
    if len(right) < _FEWEST or int((~right).sum()) < _WRONG:
        return
    found: list[tuple[Alternative, _Trial]] = []
    for alternative in sorted(alternatives(evidence), key=lambda a: a.moves_only == scales_first):
        if not evidence.work.left:
            break
        trial = _tried(task, alternative)
        better = trial.is_better or (alternative.moves_only and trial.is_likelier)
        if better and trial.knows(task.labels(0, len(trial.other))):
            found.append((alternative, trial))
    if found:
        yield _finding(*max(found, key=lambda one: one[1].rank(one[0].fitted)))


def _finding(alternative: Alternative, trial: _Trial) -> DataFinding:
    now, other = trial.now, trial.other
    text = f"float is right on {now.sum()} of {len(now)} samples as they are, and on {other.sum()} of them with {alternative.words}"
    if not trial.is_better:
        likelier = int((trial.other_likely > trial.now_likely).sum())
        text += f", which makes the label more likely on {likelier}"
    return DataFinding("preprocessing", text, alternative.remedy, certain=plainly_more(other, now))


def _tried(task: _Labelled, alternative: Alternative) -> _Trial:
    """On as many samples as it takes to see that it is clearly better, or is not."""
    evidence = task.evidence
    trial, outputs = _Trial(*(np.zeros(0) for _ in range(4))), list[Arrays]()
    while len(outputs) < min(_MOST, len(evidence.positions)) and (evidence.work.left or not outputs):
        evidence.read_until(len(outputs) + _AT_ONCE)
        step = evidence.arrays[len(outputs) : min(len(outputs) + _AT_ONCE, evidence.count)]
        if not step:
            break
        outputs += _answers(evidence, alternative, step)
        before = evidence.outputs[: len(outputs)]
        trial = _Trial(
            task.right(before), task.right(outputs), task.likelihoods(before), task.likelihoods(outputs)
        )
        if _is_decided(trial, alternative.moves_only):
            break
    return trial


def _is_decided(trial: _Trial, moves_only: bool) -> bool:
    count, ahead = len(trial.now), trial.ahead
    if count >= SAMPLES and (trial.is_better or (moves_only and trial.is_likelier)):
        return True
    if ahead <= -_LOSES:
        return True
    if trial.now.mean() < _MOSTLY_WRONG and ahead < _LOSES:  # what is right would be far ahead by now
        return True
    if moves_only and len(trial.now_likely):
        return bool(count >= _FEW and (trial.other_likely > trial.now_likely).mean() < 0.5)
    return count >= _NOT_AHEAD and ahead < _LOSES


def surer_without_labels(evidence: Evidence, which: int) -> Iterator[DataFinding]:
    """Of alternatives that only move the values: a model is surer of images as it was trained on them. Another scale makes
    any scores larger, so scales cannot be compared like that.
    """
    samples = evidence.arrays[: evidence.count]
    if len(samples) < _FEWEST:
        return
    now = margins(scores_of(evidence.outputs, which))
    for alternative in alternatives(evidence):
        if not alternative.moves_only or not evidence.work.left:
            continue
        first = margins(scores_of(_answers(evidence, alternative, samples[:_FEWEST]), which))
        if first.mean() < now[:_FEWEST].mean():
            continue
        then = margins(scores_of(_answers(evidence, alternative, samples), which))
        gain = then - now
        error = gain.std() / np.sqrt(len(gain)) + 1e-12
        if gain.mean() > _SURER * error and np.median(then) > _SURER_BY * np.median(now):
            yield DataFinding(
                "order",
                f"float is more confident on {np.mean(gain > 0):.0%} of {len(gain)} samples with {alternative.words}",
                "compare the order of channels, rows and columns with that of training; labels would decide it",
            )
            return


def _answers(evidence: Evidence, alternative: Alternative, samples: list[Arrays]) -> list[Arrays]:
    return evidence.answers(
        [
            tuple(alternative.apply(a) if i == alternative.index else a for i, a in enumerate(sample))
            for sample in samples
        ]
    )
