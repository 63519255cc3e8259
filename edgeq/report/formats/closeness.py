"""The columns of a table of candidates that say how close to float each is."""

from collections.abc import Callable, Mapping

from edgeq.nouns.fidelity import Fidelity, words_of_db
from edgeq.report.formats.units import ABSENT, difference


def closeness(judged: Mapping[str, Fidelity]) -> tuple[list[str], Callable[[str], list[str]]]:
    """Their names and the cells of a candidate: a score and what it lost, agreement, or SQNR."""
    scored = next((f.accuracy for f in judged.values() if f.accuracy), None)
    if scored:
        return [scored.metric, "vs float, pt"], lambda id: _score(judged.get(id))
    if any(f.agreement for f in judged.values()):
        return ["top-1 agreement with float"], lambda id: [_agreement(judged.get(id))]
    return ["SQNR"], lambda id: [_sqnr(judged.get(id))]


def _score(f: Fidelity | None) -> list[str]:
    a = f.accuracy if f else None
    if f is None or a is None:
        return [ABSENT, ABSENT]
    d = a.decimals
    unit = " %" if a.scaled or a.lost is not None else ""  # a metric of the user's own may have another
    score = f"{a.candidate_score:.{d}f}{unit}"
    if all(o.same for o in f.outputs):
        return [score, ""]
    return [score, difference(a.difference, a.low, a.high, d)]


def _agreement(f: Fidelity | None) -> str:
    if f is None or f.agreement is None:
        return ABSENT
    return f"{f.agreement.top1:.1f} %"


def _sqnr(f: Fidelity | None) -> str:
    """Of the output that is farthest from float."""
    if f is None:
        return ABSENT
    if all(o.same for o in f.outputs):
        return "equal"
    found = [o.sqnr_db for o in f.outputs if o.sqnr_db is not None]
    if found:
        return words_of_db(min(found)).removeprefix("SQNR ")
    return next((f"{o.equal:.1f} % equal" for o in f.outputs if o.equal is not None), ABSENT)
