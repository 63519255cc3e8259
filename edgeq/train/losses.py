"""What training minimizes: the distance to the float model's outputs, and to the labels where there are any.

Distillation (Hinton et al. 2015, arXiv:1503.02531): of class scores the Kullback-Leibler divergence at a temperature, times its
square, so that gradients keep their size. Of other outputs, and of features, the squared error relative to the variance that
float's values have: outputs of any unit weigh the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

_TINY = 1e-12


@dataclass(frozen=True)
class Loss:
    """`scores`: the position of the output that holds class scores before the softmax, [N, classes]; None: none does. Outputs behind
    the first `outputs` are features. `label_share`: the weight of the labels' cross-entropy, from 0 to 1; distillation has the rest.
    `feature_weight`: that of each feature.
    """

    scores: int | None
    outputs: int
    temperature: float = 2.0
    label_share: float = 0.0
    feature_weight: float = 1.0

    def __call__(self, student: Sequence[Tensor], teacher: Sequence[Tensor], labels: Tensor | None) -> Tensor:
        """A scalar. `labels`: int64 [N], or None."""
        total = student[0].new_zeros(())
        for k, (own, wanted) in enumerate(zip(student, teacher, strict=True)):
            if k == self.scores:
                total = total + self._of_scores(own, wanted, labels)
            else:
                weight = 1.0 if k < self.outputs else self.feature_weight
                total = total + weight * relative_error(own, wanted)
        return total

    def _of_scores(self, own: Tensor, wanted: Tensor, labels: Tensor | None) -> Tensor:
        if labels is None or self.label_share == 0.0:
            return divergence(own, wanted, self.temperature)
        of_labels = functional.cross_entropy(own, labels)
        if self.label_share == 1.0:
            return of_labels
        distilled = divergence(own, wanted, self.temperature)
        return self.label_share * of_labels + (1.0 - self.label_share) * distilled


def divergence(own: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """KL(softmax(wanted / T) || softmax(own / T)) T^2, the mean over samples. [N, classes] each."""
    log_own = functional.log_softmax(own / temperature, dim=1)
    log_wanted = functional.log_softmax(wanted / temperature, dim=1)
    return functional.kl_div(log_own, log_wanted, reduction="batchmean", log_target=True) * temperature**2


def relative_error(own: Tensor, wanted: Tensor) -> Tensor:
    """The mean squared error over the variance of `wanted`."""
    return functional.mse_loss(own, wanted) / wanted.detach().var(correction=0).clamp(min=_TINY)


def correct(scores: Tensor, labels: Tensor) -> int:
    """How many of [N, classes] have their largest value at the label."""
    return int((scores.argmax(dim=1) == labels).sum())


def agreeing(own: Tensor, wanted: Tensor) -> int:
    """How many of [N, classes] have their largest value where float has it."""
    return correct(own, wanted.argmax(dim=1))
