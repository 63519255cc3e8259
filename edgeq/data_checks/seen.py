"""Figures about the samples: values by channel, labels, float's predictions."""

import numpy as np

from edgeq.data_checks.confidence import scores_of, scores_output
from edgeq.data_checks.evidence import Evidence
from edgeq.data_checks.images import image_input
from edgeq.nouns.data_check import AnswersSeen, ChannelSeen, ClassCount, Confusion, InputSeen

_CHANNELS = 16  # beyond it they are shown together
_CONFUSIONS = 5


def inputs_seen(evidence: Evidence) -> tuple[InputSeen, ...]:
    image = image_input(evidence.model.inputs)
    found = []
    for index, spec in enumerate(evidence.model.inputs):
        is_image = image is not None and image.index == index
        arrays = [sample[index] for sample in evidence.arrays]
        groups = _by_channel(arrays, image.axis) if is_image and image is not None else [arrays]
        layout = image.layout if is_image and image is not None else ""
        found.append(InputSeen(spec.name, spec.dtype, spec.shape, layout, tuple(map(_channel, groups))))
    return tuple(found)


def _by_channel(arrays: list[np.ndarray], axis: int) -> list[list[np.ndarray]]:
    return [[np.take(a, c, axis=axis) for a in arrays] for c in range(arrays[0].shape[axis])]


def _channel(arrays: list[np.ndarray]) -> ChannelSeen:
    values = np.concatenate([a.reshape(-1) for a in arrays]).astype(np.float64)
    values = values[np.isfinite(values)]  # a mask may hold minus infinity
    if not values.size:
        return ChannelSeen(0.0, 0.0, 0.0, 0.0)
    return ChannelSeen(*(float(v) for v in (values.min(), values.max(), values.mean(), values.std())))


def answers_seen(evidence: Evidence, numbers: "np.ndarray | None") -> AnswersSeen | None:
    """None where no output holds class scores."""
    given = answers_of(evidence, numbers)
    if given is None:
        return None
    labels = evidence.labels(numbers)
    classes, counts = np.unique(given, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    labelled = {} if labels is None else dict(zip(*np.unique(labels, return_counts=True), strict=True))
    listed = [int(classes[i]) for i in order]
    listed += [int(label) for label in labelled if label not in classes]
    by_class = dict(zip(classes.tolist(), counts.tolist(), strict=True))
    return AnswersSeen(
        samples=len(given),
        classes=tuple(
            ClassCount(c, by_class.get(c, 0), None if labels is None else int(labelled.get(c, 0)))
            for c in listed
        ),
        right=None if labels is None else int((given == labels).sum()),
        confusions=() if labels is None else _confusions(given, labels),
    )


def answers_of(evidence: Evidence, numbers: "np.ndarray | None") -> "np.ndarray | None":
    """[samples] class numbers, as float predicts them."""
    scored = evidence.scored(numbers)
    if scored is not None:
        return np.asarray(scored.predictions(evidence.rows()))
    which = scores_output(evidence, labelled=False) if evidence.count > 1 else None
    return None if which is None else np.asarray(scores_of(evidence.outputs, which).argmax(axis=1))


def _confusions(answers: np.ndarray, labels: np.ndarray) -> tuple[Confusion, ...]:
    wrong = answers != labels
    pairs, counts = np.unique(np.stack([labels[wrong], answers[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_CONFUSIONS]
    return tuple(Confusion(int(pairs[0, i]), int(pairs[1, i]), int(counts[i])) for i in order)
