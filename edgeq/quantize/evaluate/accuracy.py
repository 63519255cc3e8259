"""How often float and a candidate are right, by labels or by a metric of the user's own; and whether float knows anything
of the labels it is judged by.

Where float is right no more often than with its labels shuffled, they are not this model's or its samples are not what it
was trained on: a wrong scale or channel order, classes numbered otherwise. A drop of accuracy measured there means
nothing, and neither do ranges found on such samples.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.class_scores import class_scores
from edgeq.errors import DataRefused
from edgeq.nouns.fidelity import Accuracy
from edgeq.quantize.evaluate.custom_metric import load_metric
from edgeq.quantize.evaluate.gate import USUAL_CONFIDENCE, Gate
from edgeq.quantize.evaluate.sqnr import are_integers, first_classes, paired_counts
from edgeq.quantize.samples import Array, SamplesLike
from edgeq.two_classes import THRESHOLD, lone_numbers, probability_of, scores_of_two

_AT_HALF = f"accuracy at {THRESHOLD:g}"
_SHUFFLES = 999
_SURELY = 0.05
_ENOUGH = 30  # labelled samples; a sound model may be no better than a guess on fewer


@dataclass(frozen=True)
class Scored:
    """How predictions are read: by the largest of output `which`, or, `of_two`, by whether it is above a half, or,
    `of_numbers`, as the class numbers that the output holds itself.
    """

    name: str
    which: int
    of_two: bool = False
    of_numbers: bool = False

    def predictions(self, outputs: tuple[Array, ...]) -> "npt.NDArray[np.integer]":
        """[samples], the class number of each."""
        found = outputs[self.which]
        if self.of_numbers:
            return found.reshape(-1).astype(np.int64)
        return first_classes(scores_of_two(found) if self.of_two else found)

    def classes(self, reference: tuple[Array, ...], labels: "npt.NDArray[np.integer]") -> int:
        """How many there are; of class numbers only those are known that float or a label has."""
        if self.of_numbers:
            return int(max(reference[self.which].max(), labels.max())) + 1
        return 2 if self.of_two else int(reference[self.which].shape[1])


@dataclass(frozen=True)
class Guessing:
    """Of `samples`, float is `right` on so many, and on `by_chance` in the mean when its labels are shuffled, which are
    as good as its own in a `share` of the shuffles. It predicts `favourite` on `favourite_count` of them.
    """

    samples: int
    right: int
    by_chance: float
    share: float
    favourite: int
    favourite_count: int

    @property
    def knows_nothing(self) -> bool:
        """It was shown on enough samples that it only guesses."""
        return self.samples >= _ENOUGH and self.share > _SURELY

    @property
    def seems_to_guess(self) -> bool:
        return self.share > _SURELY and self.right <= self.by_chance

    def __str__(self) -> str:
        told = f"by chance {self.by_chance:,.1f}"
        if self.samples >= _ENOUGH:
            right, chance = (100 * n / self.samples for n in (self.right, self.by_chance))
            told = f"{right:.1f} %, by chance {chance:.1f} %"
        return f"the float model is right on {self.right:,} of {self.samples:,} labelled samples ({told})"


def accuracy_of(
    gate: Gate,
    reference: tuple[Array, ...],
    candidate: tuple[Array, ...],
    labels: "npt.NDArray[np.integer] | None",
    truth: Array | None = None,
) -> Accuracy | None:
    """`labels` are class numbers; `truth` is whatever came as labels, for a metric of the user's own.

    Gives float's and the candidate's score on the same samples, with the interval at the gate's confidence; None where there is neither metric nor labelled classes.
    """
    confidence = USUAL_CONFIDENCE if gate.confidence is None else gate.confidence
    if gate.metric is not None:
        truth = None if gate.ignore_labels else truth
        return load_metric(gate.metric).compare(reference, candidate, truth, confidence)
    scored = None if gate.ignore_labels else scored_by(reference, labels)
    if labels is None or scored is None:
        return None
    require_classes(labels, scored.classes(reference, labels))
    float_right = np.asarray(scored.predictions(reference) == labels)
    candidate_right = np.asarray(scored.predictions(candidate) == labels)
    scores = 100.0 * float(np.mean(float_right)), 100.0 * float(np.mean(candidate_right))
    found = paired_counts(float_right, candidate_right)
    return Accuracy(
        scored.name,
        found.samples,
        *scores,
        found.difference,
        *found.interval(confidence),
        confidence=confidence,
        lost=found.lost,
        won=found.won,
    )


def require_classes(labels: "npt.NDArray[np.integer]", classes: int) -> None:
    """Raises DataRefused for labels that are no numbers of the model's classes."""
    if labels.min() < 0 or labels.max() >= classes:
        raise DataRefused(
            f"the labels go from {labels.min()} to {labels.max()}, but the model has classes 0 to {classes - 1}",
            "number the labels as the model's output does (is there a background class?)",
        )


def scored_by(reference: tuple[Array, ...], labels: "npt.NDArray[np.integer] | None") -> Scored | None:
    """The output that labels which are class numbers are compared with, chosen by float's outputs; None where there is none, or no label."""
    which = class_scores(reference, labelled=True)
    if labels is None or which is not None:
        return None if labels is None or which is None else Scored("top-1", which)
    which = probability_of(reference, labels)
    if which is not None:
        return Scored(_AT_HALF, which, of_two=True)
    numbers = [
        k for k, o in enumerate(reference) if are_integers(o) and o.size == len(o) and o.dtype != object
    ]
    return Scored("top-1", numbers[0], of_numbers=True) if len(numbers) == 1 else None


def against_guessing(
    predictions: "npt.NDArray[np.integer]", labels: "npt.NDArray[np.integer]", classes: int
) -> Guessing:
    """A permutation test of the float model's `predictions` [n], numbers of its `classes`, one-sided, with a fixed seed; (1 + as good) / (1 +
    shuffles) as in Phipson & Smyth, "Permutation p-values should never be zero", Stat. Appl. Genet. Mol. Biol. 9 (2010).
    Labels all of one class cannot be shuffled: they are drawn from all classes instead.
    """
    rng = np.random.default_rng(0)
    right = int(np.sum(predictions == labels))
    alike = len(np.unique(labels)) == 1

    def shuffled() -> "npt.NDArray[np.integer]":
        return rng.integers(0, classes, len(labels)) if alike else rng.permutation(labels)

    chance = np.array([np.sum(predictions == shuffled()) for _ in range(_SHUFFLES)])
    given, counts = np.unique(predictions, return_counts=True)
    return Guessing(
        samples=len(labels),
        right=right,
        by_chance=float(chance.mean()),
        share=float(1 + np.sum(chance >= right)) / (1 + _SHUFFLES),
        favourite=int(given[counts.argmax()]),
        favourite_count=int(counts.max()),
    )


def why_unused(samples: SamplesLike, outputs: tuple[Array, ...]) -> str:
    """Why labels that came with the samples say nothing about class scores; empty when they do, or none came."""
    if samples.truth is None:
        return ""
    if samples.labels is None:
        loose = samples.truth.dtype == object
        shape = "various shapes" if loose else f"shape {'x'.join(map(str, samples.truth.shape))}"
        kind = f"{'arrays' if loose else samples.truth.dtype} of {shape}"
        return f"the labels ({kind}) are not class numbers and are not used: use --metric to score them"
    if scored_by(outputs, samples.labels) is not None:
        return ""
    alone = lone_numbers(outputs)
    if len(alone) == 1 and np.isin(samples.labels, (0, 1)).all():
        return f"the labels are not used: {_why_no_answer(outputs[alone[0]])}: use --metric to score them"
    return "the labels are not used, since no single output holds class scores: use --metric to score them"


def _why_no_answer(values: Array) -> str:
    """Of one number per sample, in which float answers no two classes."""
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        return f"the output goes from {low:.3g} to {high:.3g} and is no probability, so its threshold between the classes is not known"
    side = "above" if low > THRESHOLD else "at or below"
    return f"float's output is {side} {THRESHOLD:g} on every sample, so that is not the threshold between the classes"
