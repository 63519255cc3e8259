"""Whether float knows anything of the labels it is judged by.

Where it is right no more often than with its labels shuffled, they are not this model's or its samples are not what it
was trained on: a wrong scale or channel order, classes numbered otherwise. A drop of accuracy measured there means
nothing, and neither do ranges found on such samples.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_SHUFFLES = 999
_SURELY = 0.05
_ENOUGH = 30  # labelled samples; a sound model may be no better than a guess on fewer


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
