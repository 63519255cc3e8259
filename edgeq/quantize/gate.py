"""The rules that decide whether a candidate is close enough to float, and their words.

What can be scored, by labels or by a metric of the user's own, may fall by so many points. Every other limit that was
asked for holds beside that. Where nothing of both is there, the default decides: for one output [samples, classes]
agreement with float, or a high SQNR, since nothing says that these are class scores and not 64 regressed values; for
anything else the SQNR of every output.
"""

from collections.abc import Callable
from dataclasses import dataclass

from edgeq.nouns.fidelity import Accuracy, Agreement, OutputError

_DROP = 1.0  # points
_AGREEMENT = 90.0  # percent
_SQNR_DB = 10.0
_CLOSE_DB = 30.0  # the error has a thousandth of the signal's power: also good for values that are no scores
_DEFAULT = " (default)"


@dataclass(frozen=True)
class Gate:
    """`max_drop` in points, `min_agreement` in percent, `min_sqnr_db` in dB; None: not asked for.

    The defaults come from measured models. Sound int8 classifiers agree with float on 98 % of samples and more with ten
    classes, on 93 % with a thousand (MobileNetV2, whose accuracy stays). A detector at 13 dB lost 1.2 points of AP50;
    one whose head lost its scale falls below 10 dB. `metric` is "file.py:function"; its scores are held against
    `max_drop` in its own unit, but those of 0 to 1 as 0 to 100 points. `ignore_labels`: they are not held against
    anything, and `max_drop` goes with them.
    """

    max_drop: float | None = None
    min_agreement: float | None = None
    min_sqnr_db: float | None = None
    metric: str | None = None
    ignore_labels: bool = False


@dataclass(frozen=True)
class Figures:
    """What is known of a candidate."""

    accuracy: Accuracy | None
    agreement: Agreement | None
    outputs: tuple[OutputError, ...]


@dataclass(frozen=True)
class Rule:
    """`why_failed` gives None for a candidate that holds it."""

    words: str
    why_failed: Callable[[Figures], str | None]


@dataclass(frozen=True)
class Verdict:
    """`rule` is what was applied, in words; `why_failed` is None when it holds."""

    rule: str
    why_failed: str | None

    @property
    def passed(self) -> bool:
        return self.why_failed is None


def rules(gate: Gate, scored: str | None, agreement: bool) -> tuple[Rule, ...]:
    """All that apply where float is scored by `scored` ("top-1", a metric; None: by nothing), and where there are class
    scores to agree on.
    """
    found = [_drop(gate, scored)] if scored else []
    if gate.min_agreement is not None and agreement:
        found.append(_agreeing(gate.min_agreement))
    if gate.min_sqnr_db is not None:
        found.append(_sqnr(gate.min_sqnr_db))
    return tuple(found) or (_agreeing_or_close() if agreement else _sqnr(_SQNR_DB, _DEFAULT),)


def unapplied(gate: Gate, scored: str | None, agreement: bool, unused: str) -> tuple[str, ...]:
    """The limits that were asked for and that nothing can be held against, each with its reason."""
    found = []
    if gate.max_drop is not None and scored is None and not gate.ignore_labels:
        found.append(
            f"{_points(gate.max_drop)} of accuracy cannot be judged: {unused or 'there are no labels'}"
        )
    if gate.min_agreement is not None and not agreement:
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
    """`unused` says why labels that came are not among the figures."""
    figures = Figures(accuracy, agreement, outputs)
    scored = accuracy.metric if accuracy else None
    applied = rules(gate, scored, agreement is not None)
    words = " and ".join(rule.words for rule in applied)
    said = list(unapplied(gate, scored, agreement is not None, unused)) or ([unused] if unused else [])
    failed = [why for rule in applied if (why := rule.why_failed(figures))]
    return Verdict(words + "".join(f" ({text})" for text in said), "; ".join(failed) or None)


def _drop(gate: Gate, scored: str) -> Rule:
    limit = _DROP if gate.max_drop is None else gate.max_drop
    words = f"{scored} may fall by at most {_points(limit)}"
    words += _DEFAULT if gate.max_drop is None else ""
    words += "; its scores of 0 to 1 count as 0 to 100 points" if gate.metric else ""

    def why_failed(figures: Figures) -> str | None:
        a = figures.accuracy
        return _words_of_drop(a, limit) if a is not None and -a.difference > limit else None

    return Rule(words, why_failed)


def _agreeing(limit: float) -> Rule:
    words = f"at least {limit:g} % of samples keep float's first class"

    def why_failed(figures: Figures) -> str | None:
        a = figures.agreement
        if a is None or a.top1 >= limit:
            return None
        return f"agrees with float on {a.top1:.1f} % of {a.samples} samples (limit {limit:g} %)"

    return Rule(words, why_failed)


def _agreeing_or_close() -> Rule:
    agreeing = _agreeing(_AGREEMENT)
    words = f"{agreeing.words}, or every output has an SQNR of at least {_CLOSE_DB:g} dB{_DEFAULT}"

    def why_failed(figures: Figures) -> str | None:
        close = bool(figures.outputs) and not _below(_CLOSE_DB, figures)
        return None if close else agreeing.why_failed(figures)

    return Rule(words, why_failed)


def _sqnr(limit: float, default: str = "") -> Rule:
    def why_failed(figures: Figures) -> str | None:
        low = ", ".join(f"output {o.output}: SQNR {o.sqnr_db:.1f} dB" for o in _below(limit, figures))
        return f"{low} (limit {limit:g} dB)" if low else None

    return Rule(f"every output has an SQNR of at least {limit:g} dB against float{default}", why_failed)


def _points(limit: float) -> str:
    return f"{limit:g} point{'' if limit == 1 else 's'}"


def _below(limit: float, figures: Figures) -> list[OutputError]:
    return [o for o in figures.outputs if o.sqnr_db is not None and o.sqnr_db < limit]


def _words_of_drop(a: Accuracy, limit: float) -> str:
    d = a.decimals
    return (
        f"{a.metric} fell by {-a.difference:.{d}f} points (limit {limit:g}): {a.float_score:.{d}f} -> "
        f"{a.candidate_score:.{d}f} on {a.samples} samples, 95 % interval {a.low:+.{d}f} to {a.high:+.{d}f}"
    )
