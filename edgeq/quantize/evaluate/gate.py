"""The rules that decide whether a candidate is close enough to float, and the sentences that name them.

What can be scored, by labels or by a metric of the user's own, may fall by so many points. Every other limit that was
asked for holds as well. Where neither is there, the default decides: for class scores agreement with float, or a high
SQNR; for integers and booleans the share that equals float's (integer_outputs.py); for anything else the SQNR of every output,
and of its small values. The default also decides where one sample
more or less is a larger drop than the limit: then the score tells too little, and fails a candidate only where even its
interval lies beyond the limit. What varies in float and has one value in the candidate always fails.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from edgeq.nouns.fidelity import Accuracy, Agreement, Bound, OutputError, words_of_db
from edgeq.quantize.evaluate.confidence import NO_NUMBER, bound_of, has_interval, least_samples, words_of_need
from edgeq.quantize.evaluate.confidence import passed as within_limit
from edgeq.quantize.evaluate.integer_outputs import Integers

USUAL_CONFIDENCE = 95.0  # percent, of intervals that are printed, where no other was asked for
_DROP = 1.0  # points
_AGREEMENT = 90.0  # percent
_SQNR_DB = 10.0
_BEYOND_USUAL = 50.0  # percent: a map that is nearly all background may not lose everything else
_QUANTITY_MIN_DB = (
    20.0  # a hundredth of the variance; ten class numbers of which a tenth is wrong at random have 7 dB
)
_EXCELLENT_DB = (
    30.0  # the error has a thousandth of the signal's power: also good for values that are no scores
)
_DEFAULT = " (default)"
_NO_LIMIT = "no limit: nothing is refused, for `edgeq explain`"


@dataclass(frozen=True)
class Gate:
    """`max_drop` in points, `min_agreement` in percent, `min_sqnr_db` in dB; None: not asked for.

    The defaults come from measured models. Sound int8 classifiers agree with float on 98 % of samples and more with ten
    classes, on 93 % with a thousand (MobileNetV2, whose accuracy stays). A detector at 13 dB lost 1.2 points of AP50;
    one whose head lost its scale falls below 10 dB. `metric` is "file.py:function"; its scores are compared with
    `max_drop` in its own unit, but those of 0 to 1 as 0 to 100 points. `ignore_labels`: they are not used,
    and neither is `max_drop`.

    The drop is the measured one, which says little on few samples. With `confidence`, in percent, the lower end of the
    paired interval at that level has to keep the limit instead; 2.5 % lie below it for 95.
    Without `refuses` every candidate passes as it is, so that it can be explained.
    """

    max_drop: float | None = None
    min_agreement: float | None = None
    min_sqnr_db: float | None = None
    metric: str | None = None
    ignore_labels: bool = False
    confidence: float | None = None
    refuses: bool = True

    def of(self, recipe: str) -> "Gate":
        """A float candidate differs by another runtime's rounding alone: its measured drop counts, not an interval."""
        return replace(self, confidence=None) if recipe == "float" else self

    @property
    def drop(self) -> float:
        """Points that apply where something is scored."""
        return _DROP if self.max_drop is None else self.max_drop


@dataclass(frozen=True)
class Metrics:
    """What is known of a candidate."""

    accuracy: Accuracy | None
    agreement: Agreement | None
    outputs: tuple[OutputError, ...]

    @property
    def equal(self) -> bool:
        """To float, bit for bit on every sample: what that costs is no question of samples."""
        same = self.accuracy is None or self.accuracy.difference == 0.0
        return same and bool(self.outputs) and all(o.same for o in self.outputs)


@dataclass(frozen=True)
class Rule:
    """`why_failed` gives None for a candidate that holds it."""

    words: str
    why_failed: Callable[[Metrics], str | None]


@dataclass(frozen=True)
class Verdict:
    """`rule` is what was applied, in words; `why_failed` is None when it holds. `bound`: where a confidence was asked for."""

    rule: str
    why_failed: str | None
    bound: Bound | None = None

    @property
    def passed(self) -> bool:
        return self.why_failed is None


def rules(
    gate: Gate,
    scored: str | None,
    agreement: bool,
    integers: Integers = Integers(),  # noqa: B008
    samples: int | None = None,
) -> tuple[Rule, ...]:
    """All that apply where float is scored by `scored` ("top-1", a metric; None: by nothing), and where there are class
    scores to agree on; `integers` says which outputs are integers. `samples` are those with class numbers, None where the
    score is no count of them.
    """
    found = [_drop(gate, scored)] if scored else []
    few = bool(scored) and samples is not None and limit_below_one_sample(gate, samples)
    if scored and samples is not None and few:
        found = [_too_few_to_score(gate, scored, samples)]
    if few or not scored:
        found += _default(gate, agreement, integers)
    if gate.min_agreement is not None and agreement:
        found.append(_agreeing(gate.min_agreement))
    if gate.min_agreement is not None and (integers.judged or integers.selected):
        found.append(_all_equal(gate.min_agreement))
    if gate.min_sqnr_db is not None and not integers.alone:
        found.append(_sqnr(gate.min_sqnr_db, "", integers))
    if gate.min_sqnr_db is not None and gate.min_agreement is None and integers.judged:
        found.append(_equal_or_close(gate.min_sqnr_db, ""))
    return tuple(found)


def _default(gate: Gate, agreement: bool, integers: Integers) -> list[Rule]:
    """Of each kind of output, where nothing was asked for that judges it."""
    if gate.min_sqnr_db is not None:
        return []
    found = []
    if agreement and gate.min_agreement is None:
        found.append(_agreeing_or_close())
    if not agreement and not integers.alone:
        found.append(_sqnr(_SQNR_DB, _DEFAULT, integers))
    if integers.judged and gate.min_agreement is None:
        found.append(_equal_or_close(_QUANTITY_MIN_DB, _DEFAULT))
    return found


def unapplied(
    gate: Gate,
    scored: str | None,
    agreement: bool,
    unused: str,
    integers: Integers = Integers(),  # noqa: B008
) -> tuple[str, ...]:
    """The limits that were asked for and that nothing measures, each with its reason."""
    found = []
    if gate.max_drop is not None and scored is None and not gate.ignore_labels:
        found.append(
            f"{points(gate.max_drop)} of accuracy cannot be judged: {unused or 'there are no labels'}"
        )
    if gate.confidence is not None and scored is None and not gate.ignore_labels:
        found.append(
            f"a confidence of {gate.confidence:g} % cannot be judged: {unused or 'there are no labels'}"
        )
    if gate.min_agreement is not None and not (agreement or integers.judged or integers.selected):
        found.append(
            f"an agreement of {gate.min_agreement:g} % cannot be judged: the model's output is no class scores"
        )
    return tuple(found)


def decide(
    gate: Gate,
    accuracy: Accuracy | None,
    agreement: Agreement | None,
    outputs: tuple[OutputError, ...],
    unused: str = "",
) -> Verdict:
    """`unused` says why labels that came are not among the metrics."""
    metrics = Metrics(accuracy, agreement, outputs)
    scored = accuracy.metric if accuracy else None
    integers = _integers_among(outputs)
    counted = accuracy.samples if accuracy is not None and gate.metric is None else None
    applied = rules(gate, scored, agreement is not None, integers, counted)
    words = in_words(gate, applied, integers)
    said = list(unapplied(gate, scored, agreement is not None, unused, integers)) or (
        [unused] if unused else []
    )
    failed = [why for rule in applied if (why := rule.why_failed(metrics))]
    if not gate.refuses:
        return Verdict(_NO_LIMIT, None)
    failed += [f"output {o.output} varies in float and not here: {o.constant}" for o in outputs if o.constant]
    bound = _bound(gate, metrics)
    return Verdict(words + "".join(f" ({text})" for text in said), "; ".join(failed) or None, bound)


def in_words(gate: Gate, applied: tuple[Rule, ...], integers: Integers) -> str:
    """Also what no rule judges."""
    words = "; and ".join(rule.words for rule in applied)
    if not integers.selected or gate.min_agreement is not None or gate.metric is not None:
        return words
    return words + "; which entries were selected is not compared: use --metric or --min-agreement for that"


def _integers_among(outputs: tuple[OutputError, ...]) -> Integers:
    found = [o for o in outputs if o.equal is not None]
    return Integers(
        bool(found) and len(found) == len(outputs),
        any(not o.selected for o in found),
        any(o.selected for o in found),
    )


def cannot_pass_with(gate: Gate, samples: int) -> bool:
    """Whether class scores that do not lose anything would fail on these samples, for the confidence that is asked for."""
    if gate.confidence is None or gate.metric is not None:
        return False
    least = least_samples(gate.drop, gate.confidence)
    return least is None or samples < least


def limit_below_one_sample(gate: Gate, samples: int) -> bool:
    """Whether one sample that is answered otherwise is a larger drop than the limit. A limit of 0 asks for that; where a
    confidence is asked for, that says how many samples it takes.
    """
    return gate.confidence is None and gate.drop > 0 and 100.0 / max(samples, 1) > gate.drop


def _too_few_to_score(gate: Gate, scored: str, samples: int) -> Rule:
    """Applies next to the default rule."""
    limit = gate.drop
    words = (
        f"the {USUAL_CONFIDENCE:g} % interval of the difference in {scored} must reach -{points(limit)} or above "
        f"({samples} samples cannot resolve {points(limit)}: give {math.ceil(100.0 / limit):,})"
    )

    def why_failed(metrics: Metrics) -> str | None:
        a = metrics.accuracy
        return None if a is None or a.high >= -limit else _words_of_drop(a, limit)

    return Rule(words, why_failed)


def _drop(gate: Gate, scored: str) -> Rule:
    limit = gate.drop
    words = f"{scored} may fall by at most {points(limit)}"
    if gate.confidence is not None:
        interval = f"{gate.confidence:g} % confidence interval"
        words = f"the largest drop of {scored} within its {interval} must be at most {points(limit)}"
    words += _DEFAULT if gate.max_drop is None else ""
    words += "; its scores of 0 to 1 count as 0 to 100 points" if gate.metric else ""

    def why_failed(metrics: Metrics) -> str | None:
        a = metrics.accuracy
        if a is None or (gate.confidence is not None and metrics.equal):
            return None
        if -a.difference > limit:
            return _words_of_drop(a, limit) + ("" if gate.confidence is None else f": {NO_NUMBER}")
        return None if gate.confidence is None else _why_unsure(a, _bound(gate, metrics))

    return Rule(words, why_failed)


def _bound(gate: Gate, metrics: Metrics) -> Bound | None:
    a = metrics.accuracy
    if gate.confidence is None or a is None or metrics.equal or not has_interval(a):
        return None
    return bound_of(a, gate.drop)


def _why_unsure(a: Accuracy, bound: Bound | None) -> str | None:
    """Of a drop that is within the limit as measured."""
    if bound is None:
        return (
            f"{a.metric} has no interval at {a.confidence:g} % confidence: every random choice of the {a.samples} samples "
            "gave the same difference from float, so nothing can be said about other samples"
        )
    if within_limit(bound):
        return None
    d = a.decimals
    return (
        f"{a.metric} may have fallen by {-a.low:.{d}f} points at {a.confidence:g} % confidence (limit "
        f"{bound.max_drop:g}; measured {a.difference:+.{d}f} on {a.samples} samples): {words_of_need(bound)}"
    )


def _agreeing(limit: float) -> Rule:
    words = f"top-1 agreement with float of at least {limit:g} %"

    def why_failed(metrics: Metrics) -> str | None:
        a = metrics.agreement
        if a is None or a.top1 >= limit:
            return None
        return f"top-1 agreement with float is {a.top1:.1f} % on {a.samples} samples (limit {limit:g} %)"

    return Rule(words, why_failed)


def _agreeing_or_close() -> Rule:
    agreeing = _agreeing(_AGREEMENT)
    words = f"{agreeing.words}, or an SQNR of at least {_EXCELLENT_DB:g} dB on every output{_DEFAULT}"

    def why_failed(metrics: Metrics) -> str | None:
        close = bool(metrics.outputs) and not _below(_EXCELLENT_DB, metrics)
        return None if close else agreeing.why_failed(metrics)

    return Rule(words, why_failed)


def _all_equal(limit: float) -> Rule:
    """Asked for, it holds for selected entries too."""
    words = f"every output of integers has at least {limit:g} % of float's values"

    def why_failed(metrics: Metrics) -> str | None:
        low = [o for o in metrics.outputs if o.equal is not None and o.equal < limit]
        return f"{', '.join(map(_words_of_equal, low))} (limit {limit:g} %)" if low else None

    return Rule(words, why_failed)


def _equal_or_close(limit_db: float, default: str) -> Rule:
    words = (
        f"every output of integers has at least {_AGREEMENT:g} % of float's values ({_BEYOND_USUAL:g} % without the most frequent "
        f"one), or an SQNR of at least {limit_db:g} dB about their mean{default}"
    )

    def why_failed(metrics: Metrics) -> str | None:
        failed = []
        for o in metrics.outputs:
            if o.equal is None or o.selected or o.about_mean_db is None or o.about_mean_db >= limit_db:
                continue
            if o.equal < _AGREEMENT:
                failed.append(f"{_words_of_equal(o)} (limit {_AGREEMENT:g} %)")
            elif o.equal_beyond_usual is not None and o.equal_beyond_usual < _BEYOND_USUAL:
                failed.append(
                    f"output {o.output}: excluding float's most frequent value, {o.equal_beyond_usual:.1f} % match float "
                    f"(limit {_BEYOND_USUAL:g} %)"
                )
        return f"{', '.join(failed)}; their SQNR about the mean is below {limit_db:g} dB" if failed else None

    return Rule(words, why_failed)


def _words_of_equal(o: OutputError) -> str:
    return f"output {o.output}: {o.equal:.1f} % of the values are float's"


def _sqnr(limit: float, default: str, integers: Integers) -> Rule:
    """It holds for small values next to large ones too (sqnr_breakdown.py)."""

    def why_failed(metrics: Metrics) -> str | None:
        low = [_words_of_low(o, limit) for o in _below(limit, metrics)]
        low += [
            f"output {o.output}: {words_of_db(o.small_db)} of its small values ({o.small})"
            for o in metrics.outputs
            if o.small_db is not None and o.small_db < limit
        ]
        return f"{', '.join(low)} (limit {limit:g} dB)" if low else None

    which = "float output" if integers.judged or integers.selected else "output"
    words = f"every {which} has an SQNR of at least {limit:g} dB against float{default}"
    return Rule(words, why_failed)


def _words_of_low(o: OutputError, limit: float) -> str:
    if o.sqnr_db is not None and o.sqnr_db < limit:
        return f"output {o.output}: {words_of_db(o.sqnr_db)}"
    if o.worst_sequence_db is not None and o.worst_sequence_db < limit:
        return f"output {o.output}: {words_of_db(o.worst_sequence_db)} over the worst of its sequences, {o.sqnr_db:.1f} dB over all"
    typical = "" if o.typical_db is None else words_of_db(o.typical_db)
    return f"output {o.output}: {typical} on the median sample, {o.sqnr_db:.1f} dB overall only because of large values"


def points(limit: float) -> str:
    return f"{limit:g} point{'' if limit == 1 else 's'}"


def _below(limit: float, metrics: Metrics) -> list[OutputError]:
    return [
        o
        for o in metrics.outputs
        if any(db is not None and db < limit for db in (o.sqnr_db, o.typical_db, o.worst_sequence_db))
    ]


def _words_of_drop(a: Accuracy, limit: float) -> str:
    d = a.decimals
    return (
        f"{a.metric} fell by {-a.difference:.{d}f} points (limit {limit:g}): {a.float_score:.{d}f} -> "
        f"{a.candidate_score:.{d}f} on {a.samples} samples, {a.confidence:g} % interval of the difference "
        f"{a.low:+.{d}f} to {a.high:+.{d}f}"
    )
