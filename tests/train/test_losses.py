"""What is minimized: divergence of class scores, relative error of anything else, and the labels by their share."""

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from edgeq.train.losses import Loss, agreeing, correct, divergence, relative_error  # noqa: E402

SCORES = torch.tensor([[2.0, 0.5, -1.0], [0.0, 3.0, 1.0]])
OTHERS = torch.tensor([[1.0, 1.0, 0.0], [0.5, 2.0, 2.0]])
LABELS = torch.tensor([0, 2])


def test_divergence_is_nothing_between_equals_and_grows_with_distance() -> None:
    assert float(divergence(SCORES, SCORES, 2.0)) == pytest.approx(0.0, abs=1e-7)
    near = divergence(SCORES + 0.1 * (OTHERS - SCORES), SCORES, 2.0)
    assert 0.0 < float(near) < float(divergence(OTHERS, SCORES, 2.0))


def test_divergence_is_that_of_its_definition() -> None:
    p, q = functional.softmax(SCORES / 3.0, 1), functional.softmax(OTHERS / 3.0, 1)
    expected = (p * (p / q).log()).sum(1).mean() * 9.0
    assert float(divergence(OTHERS, SCORES, 3.0)) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
def test_relative_error_does_not_depend_on_the_unit(unit: float) -> None:
    wanted = torch.tensor([1.0, -1.0, 2.0]) * unit
    assert float(relative_error(wanted * 1.1, wanted)) == pytest.approx(0.02 / (14 / 9), rel=1e-4)


def test_labels_have_the_share_that_they_are_given() -> None:
    distilled = Loss(0, 1)(([SCORES]), [OTHERS], LABELS)
    labelled = Loss(0, 1, label_share=1.0)([SCORES], [OTHERS], LABELS)
    half = Loss(0, 1, label_share=0.5)([SCORES], [OTHERS], LABELS)
    assert float(labelled) == pytest.approx(float(functional.cross_entropy(SCORES, LABELS)))
    assert float(half) == pytest.approx(0.5 * float(distilled) + 0.5 * float(labelled))
    assert float(Loss(0, 1, label_share=0.5)([SCORES], [OTHERS], None)) == pytest.approx(float(distilled))


def test_outputs_and_features_are_added() -> None:
    outputs, features = (SCORES, OTHERS), (OTHERS, SCORES)
    both = Loss(None, 1, feature_weight=0.5)(outputs, features, None)
    expected = relative_error(SCORES, OTHERS) + 0.5 * relative_error(OTHERS, SCORES)
    assert float(both) == pytest.approx(float(expected))


def test_answers_are_counted() -> None:
    assert correct(SCORES, LABELS) == 1
    assert agreeing(SCORES, SCORES * 2) == 2
