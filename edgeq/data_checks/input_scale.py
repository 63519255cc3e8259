"""Values that are too small or too large for the model's first layers, detected without labels.

A batch normalization keeps the mean and the spread that its input had in training: they are compared with those of the
samples. Where it was folded into the layer before, two signs are left. Of values that are far too small the first layer
gives its bias and hardly anything else. Of values that are far too large the bias counts for nothing; since a model that was
trained on raw pixels may be like that, its answers must be saturated besides.
"""

from collections.abc import Iterator

import numpy as np

from edgeq.data_checks.confidence import margins, scores_of, scores_output
from edgeq.data_checks.evidence import Evidence
from edgeq.data_checks.images import image_input
from edgeq.ingest.float_model import Arrays, FirstLayer, FirstNorm
from edgeq.nouns.data_check import DataFinding

_LOOKED_AT = 16  # samples
_FEWEST = 8
# Median over channels of the divergence (Kullback-Leibler) of the samples' normal distribution from the one of training.
# ResNets and a CNN of digits have 0.01 to 0.04 on their own data, 0.5 on the brightest fifth of it or on one class, 0.8 to 1.2 on
# pixels from 0 to 1 instead of normalised ones, and thousands on pixels from 0 to 255.
_DIVERGES = 0.75
# Median over channels of |mean| / spread of what the first layer gives. Seven networks of images and sounds have 0.1 to 3 on
# their own data, and 22 to 800 on values that are 255 times smaller.
_NOTHING_BUT_BIAS = 10.0
# Median over channels of |bias| / spread, and of the spread. The same networks have 0.09 to 3 and 0.2 to 0.9; on values that are
# 128 or 255 times larger 0.0003 to 0.024 and 25 to 230.
_BIAS_IS_NOTHING = 0.03
_LARGE = 10.0
_SATURATED = 40.0  # a margin at which float32 has no gradient left: training never goes there
_SMALLER = np.float32(1 / 128)
_SURER = 1.5
_AT_AN_END = 1e-6
_TOLD = 2000  # beyond it a channel is merely silent
_ADVICE = "compare --preprocess, or how the samples were stored, with how the model was trained"


def wrong_scale(evidence: Evidence, labelled: bool) -> Iterator[DataFinding]:
    words = _words(evidence, labelled)
    if words:
        yield DataFinding("scale", f"{words}: {_range(evidence)}", _ADVICE)


def _range(evidence: Evidence) -> str:
    names = [spec.name for spec in evidence.model.inputs]
    arrays = evidence.arrays[:_LOOKED_AT]
    ranges = (
        f"{name} has {min(s[k].min() for s in arrays):.4g} to {max(s[k].max() for s in arrays):.4g}"
        for k, name in enumerate(names)
        if arrays[0][k].size
    )
    return ", ".join(ranges)


def _words(evidence: Evidence, labelled: bool) -> str:
    """What is wrong; empty where nothing is."""
    arrays = evidence.arrays[:_LOOKED_AT]
    if len(arrays) < _FEWEST or evidence.model.quantized or not _is_signal(evidence):
        return ""
    found = evidence.model.first_layers(arrays)
    if found.norm is not None:
        return _by_norm(found.norm)
    return "" if found.layer is None else _by_bias(found.layer, evidence, arrays, labelled)


def _is_signal(evidence: Evidence) -> bool:
    """Images, sounds, spectra: values of one unit. Columns of a table may have one each, and be of any size."""
    floats = [spec for spec in evidence.model.inputs if spec.dtype.startswith("float")]
    return len(floats) == 1 and (
        len(floats[0].shape) >= 3 or (len(floats[0].shape) == 2 and (floats[0].shape[1] or 0) >= 256)
    )


def _by_norm(norm: FirstNorm) -> str:
    trained = np.maximum(norm.trained_std, 1e-6)
    ratio = np.maximum(norm.std, 1e-9) / trained
    shift = np.abs(norm.mean - norm.trained_mean) / trained
    if float(np.median(0.5 * (ratio**2 + shift**2 - 1) - np.log(ratio))) < _DIVERGES:
        return ""
    times = float(np.median(ratio))
    if 1 / 3 < times < 3:
        return "the input's mean is not the one of training"
    much = f"about {max(times, 1 / times):,.0f} times" if 1 / _TOLD < times < _TOLD else "far"
    return f"the input is {much} too {'small' if times < 1 else 'large'} for the model's first layers"


def _by_bias(layer: FirstLayer, evidence: Evidence, arrays: list[Arrays], labelled: bool) -> str:
    if not np.any(layer.bias):
        return ""
    spread = layer.std + 1e-12
    if float(np.median(np.abs(layer.mean) / spread)) >= _NOTHING_BUT_BIAS:
        return "the input is far too small for the model's first layers"
    bias, size = float(np.median(np.abs(layer.bias) / spread)), float(np.median(spread))
    if bias < _BIAS_IS_NOTHING and size > _LARGE and _is_saturated(evidence, arrays, labelled):
        return "the input is far too large for the model's first layers"
    return ""


def _is_saturated(evidence: Evidence, arrays: list[Arrays], labelled: bool) -> bool:
    """Whether outputs are saturated as a trained model's never are, and are not with smaller values."""
    floats = [i for i, spec in enumerate(evidence.model.inputs) if spec.dtype.startswith("float")]
    smaller = evidence.answers(
        [tuple(a * _SMALLER if i in floats else a for i, a in enumerate(sample)) for sample in arrays]
    )
    which = scores_output(evidence, labelled)
    if which is None:
        return _at_an_end(evidence.outputs[: len(arrays)]) > 0.5 > 2 * _at_an_end(smaller) or _is_detector(
            evidence
        )
    now, then = (margins(scores_of(o, which)) for o in (evidence.outputs[: len(arrays)], smaller))
    return bool(np.median(now) > _SATURATED or np.median(then) > _SURER * np.median(now))


def _at_an_end(outputs: list[Arrays]) -> float:
    """The share of values that are 0 or 1 to float32's last digits."""
    parts = [a.reshape(-1) for sample in outputs for a in sample if a.dtype.kind == "f"]
    if not parts:
        return 0.0
    values = np.concatenate(parts)
    return float(np.mean((np.abs(values) < _AT_AN_END) | (np.abs(values - 1) < _AT_AN_END)))


def _is_detector(evidence: Evidence) -> bool:
    """Colour images in, and no scores of classes out."""
    image = image_input(evidence.model.inputs)
    return image is not None and image.channels == 3
