"""A candidate with a few layers in float that gain much for little work, next to the fully quantized one.

Depthwise networks often have one or two layers whose channels have too different ranges for one scale (a small MobileNet:
17.2 dB, 27.1 with three layers in float). What that costs in speed is measured on the device, so the race decides. The layers
are chosen on calibration samples, by the noise of each quantized tensor (layer_noise.py) without a fit, which would compensate
the rounding of layers that are then in float; then all others are fitted again. Held-out samples only judge the result. The
number of files that are tried is bounded.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from edgeq.graphs.input_shapes import OPEN_SHAPES
from edgeq.graphs.macs import graph_macs
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.passes import PassResult
from edgeq.plain_text import counted
from edgeq.quantize.effort import EFFORTS
from edgeq.quantize.evaluate.evaluator import Evaluator, file_evaluator, worst_sqnr_db
from edgeq.quantize.evaluate.layer_noise import STAGE as RANK
from edgeq.quantize.evaluate.layer_noise import Noise
from edgeq.quantize.evaluate.sqnr import are_integers
from edgeq.quantize.passes import fit
from edgeq.quantize.passes.mixed_precision.layers import macs_shares, noise_of
from edgeq.quantize.quantization import Context, Quantization
from edgeq.quantize.samples import evenly_spaced

STAGE = "try a few layers in float"
WORTH_DB = 6.0  # half of the error
MACS_SHARE = 0.05  # of the multiply-accumulates, at most
_CLOSE_DB = 30.0  # outputs as close as this need no float layers
_NUMBERS = (1, 2, 4, 8)  # of the worst tensors; then two more tries between them
_LITTLE_DB = 1.0  # by which the fewest layers may be worse than the best number of them
_SAMPLES = 64
_HOPELESS_DB = 4.0  # a predicted gain, where the noise of all tensors adds up
_LEAST_SHARE = 0.07  # of all noise: where eight make three quarters, which is WORTH_DB, the worst makes more


@dataclass(frozen=True)
class Few:
    """`in_float` are all names in float, `added` those that were not before, with a reason each. These do `macs_share` of the
    multiply-accumulates, 0..1, and gain `gain_db` on calibration samples, without a fit.
    """

    in_float: frozenset[str]
    added: dict[str, str]
    macs_share: float
    gain_db: float


def run(q: Quantization, context: Context) -> Quantization:
    """The candidate with a few more layers in float, with an id of its own; `q` itself where these gain too little, on
    calibration samples or on the held-out ones.
    """
    assert q.fidelity is not None
    if not _is_searched(q, context):
        return q
    kept = frozenset(q.mixed_precision_layers)

    def noise() -> tuple[Noise, ...]:
        context.progress(RANK, 0.0)
        context.write(q, kept, fitted=False)
        return noise_of(q, context.calibration, context, _LEAST_SHARE)

    few = few_in_float(q.fidelity, kept, noise, macs_shares(q), _sqnr_of(q, context))
    if few is None:
        return q
    fitted = fit.refit(q, few.in_float, context) if fit.NAME in context.enabled else q
    written = context.write(fitted, few.in_float)
    fidelity = context.judge(context.progress)
    before, after = worst_db(q.fidelity), worst_db(fidelity)
    if not fidelity.passed or before is None or after is None or after - before < WORTH_DB:
        return q
    if not context.has_integer_kernels(q):
        return q
    more = f"{counted(len(few.added), 'operator')}{' more' if kept else ''}"
    what = f"{q.candidate.recipe} with {more} in float"
    why = f"{what}: {after:.1f} dB for {before:.1f}, {few.macs_share:.1%} of the work"
    return replace(
        fitted,
        candidate=replace(q.candidate, id=f"{q.candidate.id}-few-float", reason=why),
        mixed_precision_layers={**q.mixed_precision_layers, **few.added},
        fidelity=fidelity,
        written=written,
        results=(
            *(r for r in q.results if r.repair != "mixed"),
            PassResult("mixed", True, why, round(after - before, 1)),
        ),
    )


def _is_searched(q: Quantization, context: Context) -> bool:
    """Networks of little work run some 70 times in a few seconds."""
    most = EFFORTS[context.options.effort].few_float_macs
    return most is None or sum(graph_macs(q.source, q.format, OPEN_SHAPES).macs.values()) <= most


def _sqnr_of(q: Quantization, context: Context) -> Callable[[frozenset[str]], float]:
    """Called with the layers in float, it writes such a file without a fit: the SQNR of its worst output, in dB."""

    @cache
    def evaluator() -> Evaluator[Path]:
        samples = evenly_spaced(context.split.learn, _SAMPLES)
        return file_evaluator(q.source, samples, context.threads, progress=context.progress, stage=STAGE)

    def sqnr_db(in_float: frozenset[str]) -> float:
        floats = [k for k, output in enumerate(evaluator().reference) if not are_integers(output)]
        written = context.write(q, in_float, fitted=False)
        return worst_sqnr_db(evaluator().noise(written.path)[:, floats])

    return sqnr_db


def worst_db(fidelity: Fidelity) -> float | None:
    """Of the output that is farthest from float; None where all are equal."""
    return min((o.sqnr_db for o in fidelity.outputs if o.sqnr_db is not None), default=None)


def few_in_float(
    fidelity: Fidelity,
    kept: frozenset[str],
    noise: Callable[[], Sequence[Noise]],
    macs_shares: Mapping[str, float],
    sqnr_db: Callable[[frozenset[str]], float],
) -> Few | None:
    """None where they would gain too little. `fidelity` is that of the file with `kept` in float; `macs_shares` the share of each
    layer that has one; `sqnr_db` is that of the worst output of a file with other layers in float.
    """
    now = worst_db(fidelity)
    if now is None or now >= _CLOSE_DB or not macs_shares:
        return None
    chosen = _affordable(noise(), kept, macs_shares)
    if not chosen or _predicted_gain(chosen) < _HOPELESS_DB:
        return None
    before = sqnr_db(kept)
    gains: dict[int, float] = {}

    def gain(number: int) -> float:
        if number not in gains:
            gains[number] = sqnr_db(_nodes_in_float(kept, chosen.picked[:number])) - before
        return gains[number]

    numbers = [n for n in _NUMBERS if n < len(chosen.picked)] + [min(_NUMBERS[-1], len(chosen.picked))]
    best = max(gain(n) for n in numbers)
    wanted = max(WORTH_DB, min(best - _LITTLE_DB, _CLOSE_DB - before))
    enough = next((n for n in numbers if gain(n) >= wanted), None)
    if enough is None:
        return None
    low = max((n for n in numbers if n < enough), default=0)
    while enough - low > 1:
        middle = (low + enough) // 2
        low, enough = (low, middle) if gain(middle) >= wanted else (middle, enough)
    return _few(kept, chosen.picked[:enough], macs_shares, gain(enough))


@dataclass(frozen=True)
class _Chosen:
    """`picked` worst first; `rest` is the noise of all others, over signal, at the output that suffers most."""

    picked: tuple[Noise, ...]
    rest: float

    def __bool__(self) -> bool:
        return bool(self.picked)


def _affordable(noise: Sequence[Noise], kept: frozenset[str], macs_shares: Mapping[str, float]) -> _Chosen:
    """The worst tensors whose layers together do little work."""
    picked: list[Noise] = []
    left, rest = set(kept), 0.0
    for n in noise:
        new = n.in_float - left
        more = sum(macs_shares.get(name, 0.0) for name in (left | new) - kept)
        if new and len(picked) < _NUMBERS[-1] and more <= MACS_SHARE:
            picked.append(n)
            left |= new
        elif new:
            rest += n.worst
    return _Chosen(tuple(picked), rest)


def _predicted_gain(chosen: _Chosen) -> float:
    removed = sum(n.worst for n in chosen.picked)
    return math.inf if chosen.rest <= 0.0 else 10 * math.log10((removed + chosen.rest) / chosen.rest)


def _nodes_in_float(kept: frozenset[str], picked: Sequence[Noise]) -> frozenset[str]:
    return kept.union(*(n.in_float for n in picked))


def _few(
    kept: frozenset[str], picked: Sequence[Noise], macs_shares: Mapping[str, float], gain_db: float
) -> Few:
    in_float = _nodes_in_float(kept, picked)
    share = sum(macs_shares.get(name, 0.0) for name in in_float - kept)
    won = f"with all of these in float the outputs gain {WORTH_DB:g} dB or more for {share:.1%} of the work"
    reasons: dict[str, str] = {}
    for n in picked:
        why = f"{n.in_words}; {won}"
        for name in sorted(n.in_float - kept):
            reasons.setdefault(name, why)
    return Few(in_float, reasons, share, gain_db)
