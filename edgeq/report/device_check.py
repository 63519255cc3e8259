"""Whether a device computes what the host computed, for the same candidate on the same samples.

What passes depends on what the candidate is, and that is seen on the host: how far it is from float there.

- **as exact as float** (within 1e-3 of float, as a share of the output's largest magnitude): the device may differ from the
  host by the same 1e-3. Kernels add in another order and fuse multiply-add; that shows up around 1e-6, a wrong kernel or a
  wrong layout around 1.
- **of reduced precision** (int8, fp16): within 2 steps of 1/255 of the output's range, which is what integer kernels differ
  by between CPUs, where at all; or, when a rounding early in a deep net has spread, root mean square deviation from the
  host's candidate no larger than that candidate's own deviation from float. The gate has accepted noise of that size; a
  device that saturates (u8 x s8 on AVX2 without VNNI) exceeds it.
- **integer outputs** (class numbers, masks, counts): distance means nothing there, so at most one value in a hundred may
  differ, or one; of a candidate of reduced precision as many as differ on the host from float.

Values that are not finite where the host's are fail always.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeq.embeddings import are_directions
from edgeq.nouns.report import DeviceCheck
from edgeq.two_classes import probability_of, scores_of_two

Array = np.ndarray

FLOAT_SHARE = 1e-3
REDUCED_STEPS = 2
INTEGER_SHARE = 0.01
_TINY = 1e-12


@dataclass(frozen=True)
class _Judged:
    """One output. `excess` is its largest error over the tolerance, what decides which output is reported."""

    largest_error: float
    tolerance: float
    cosine: float
    why_failed: str | None

    @property
    def excess(self) -> float:
        return self.largest_error / max(self.tolerance, _TINY)


def check_outputs(
    host: Sequence[Array],
    device: Sequence[Array],
    float_host: Sequence[Array],
    labels: Array | None,
    count: int,
) -> DeviceCheck:
    """`device[k]` has shape [count, ...]; `host[k]` and `float_host[k]` may hold more samples, the first `count` are used.

    `host` are the host's outputs of the same candidate, `float_host` those of its float model, `labels` [n] class
    numbers or None. Raises nothing: outputs that do not fit together are a failed check.
    """
    misfit = _misfit(host, device, float_host, count)
    if misfit:
        return DeviceCheck(samples=count, passed=False, why=misfit)
    cut = [a[:count] for a in host], [a[:count] for a in device], [a[:count] for a in float_host]
    probability = probability_of(cut[2], labels)
    judged = [_judge(h, d, f, k) for k, (h, d, f) in enumerate(zip(*cut, strict=True))]
    failed = [j for j in judged if j.why_failed]
    worst = max(failed or judged, key=lambda j: j.excess)
    return DeviceCheck(
        samples=count,
        passed=not failed,
        why="; ".join(j.why_failed for j in failed if j.why_failed)
        or "the outputs on the device match the host's",
        largest_error=_finite(worst.largest_error),
        tolerance=worst.tolerance,
        cosine=_finite(min(j.cosine for j in judged)),
        agreement=_agreement(cut[1], cut[2]),
        accuracy=_accuracy(cut[1], labels, probability),
        host_accuracy=_accuracy(cut[0], labels, probability),
        float_accuracy=_accuracy(cut[2], labels, probability),
    )


def _misfit(
    host: Sequence[Array], device: Sequence[Array], float_host: Sequence[Array], count: int
) -> str | None:
    if count < 1:
        return "the device returned no output of a check sample"
    if not len(host) == len(device) == len(float_host):
        return f"the device has {len(device)} outputs, the host {len(host)}, float {len(float_host)}"
    for k, (h, d, f) in enumerate(zip(host, device, float_host, strict=True)):
        if d.shape[1:] != h.shape[1:] or f.shape[1:] != h.shape[1:]:
            return f"output {k} has shape {d.shape[1:]} on the device, {h.shape[1:]} on the host, {f.shape[1:]} in float"
        if min(len(h), len(d), len(f)) < count:
            return f"output {k} has {len(d)} samples from the device and {len(h)} from the host, not {count}"
    return None


def _judge(host: Array, device: Array, reference: Array, index: int) -> _Judged:
    if np.issubdtype(host.dtype, np.integer) or host.dtype == np.bool_:
        return _judge_integers(host, device, reference, index)
    h, d, f = (a.astype(np.float64).ravel() for a in (host, device, reference))
    lost = int((np.isfinite(h) & ~np.isfinite(d)).sum())
    if lost:
        return _Judged(np.inf, 0.0, 0.0, f"output {index}: {lost} values are not finite on the device")
    known = np.isfinite(h) & np.isfinite(f)
    h, d, f = h[known], d[known], f[known]
    tolerance = FLOAT_SHARE * float(np.abs(f).max(initial=0.0)) + _TINY
    reduced = _largest(h - f) > tolerance
    if reduced:
        tolerance = REDUCED_STEPS * float(np.ptp(h) if h.size else 0.0) / 255 + _TINY
    passes = _largest(d - h) <= tolerance or (reduced and _rms(d - h) <= _rms(h - f))
    why = f"output {index} differs from the host's by {_largest(d - h):.3g}, tolerated is {tolerance:.3g}"
    return _Judged(_largest(d - h), tolerance, _cosine(h, d), None if passes else why)


def _judge_integers(host: Array, device: Array, reference: Array, index: int) -> _Judged:
    differing = int((host != device).sum())
    tolerated = max(1, int(INTEGER_SHARE * host.size), int((host != reference).sum()))
    why = f"output {index} differs in {differing} of {host.size} values, tolerated is {tolerated}"
    cosine = _cosine(host.astype(np.float64).ravel(), device.astype(np.float64).ravel())
    return _Judged(float(differing), float(tolerated), cosine, why if differing > tolerated else None)


def _largest(values: Array) -> float:
    return float(np.abs(values).max(initial=0.0))


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0


def _cosine(a: Array, b: Array) -> float:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths > 0 else float(np.array_equal(a, b))


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if np.isfinite(value) else None


def _agreement(device: Sequence[Array], reference: Sequence[Array]) -> float | None:
    ours, theirs = _classes(device), _classes(reference)
    return None if ours is None or theirs is None else 100 * float((ours == theirs).mean())


def _accuracy(outputs: Sequence[Array], labels: Array | None, probability: int | None) -> float | None:
    """`probability` is the output that parts two classes at a half, where one does."""
    classes = _classes(outputs)
    if classes is None and probability is not None:
        classes = scores_of_two(outputs[probability]).argmax(axis=1)
    if classes is None:
        classes = _class_numbers(outputs)
    if classes is None or labels is None or labels.ndim != 1 or len(labels) < len(classes):
        return None
    return 100 * float((classes == labels[: len(classes)]).mean())


def _class_numbers(outputs: Sequence[Array]) -> Array | None:
    """Of the only output of one integer per sample."""
    found = [o for o in outputs if o.dtype.kind in "iub" and o.size == len(o)]
    return found[0].reshape(-1) if len(found) == 1 else None


def _classes(outputs: Sequence[Array]) -> Array | None:
    """The first class of each sample, when there is one output of scores per class."""
    if len(outputs) != 1 or not np.issubdtype(outputs[0].dtype, np.floating):
        return None
    scores = outputs[0].reshape(len(outputs[0]), -1)
    if scores.shape[1] < 2 or sum(side > 1 for side in outputs[0].shape[1:]) != 1 or are_directions(scores):
        return None
    classes: Array = scores.argmax(axis=1)
    return classes
