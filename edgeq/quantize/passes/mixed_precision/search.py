"""Leaves in float what rounding breaks: only when the gate fails, the fewest layers with which it holds.

First the worst by their noise, in doubling numbers, the smallest number that passes narrowed down. What is among them
by its rank alone is then given back to int8 (minimize_float_set.py). Where no 32 pass, the noise ranks them badly or does not
know the one that matters: then the search begins with every layer in float. Each try is judged by the gate itself on
the held-out samples; the number of tries is bounded, so little is learned from them, and it is said.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from edgeq.nouns.fidelity import Fidelity, FloatSearch
from edgeq.quantize.backends.variant import Variant
from edgeq.quantize.passes.mixed_precision.minimize_float_set import MOST_TRIES, Budget, GivenBack, give_back
from edgeq.quantize.run_model import Progress
from edgeq.quantize.sensitivity.noise import Noise

Judged = Callable[[frozenset[str], Progress], Fidelity]
Measured = Callable[[], tuple[Noise, ...]]

_WORST_SHOWN = 5
_DOUBLINGS = 6  # 1, 2, 4, ... 32 layers
_MOST_LEFT = 2 ** (_DOUBLINGS - 1)
_STEP = "search for the fewest layers in float"


def unrepaired(judged: Judged, noise: Measured, progress: Progress) -> tuple[Fidelity, dict[str, str]]:
    """The judgement of the fully quantized file, with its worst layers where the gate fails."""
    first = judged(frozenset(), progress)
    return (first if first.passed else _with_worst(first, noise())), {}


def repaired(
    variant: Variant,
    judged: Judged,
    noise: Measured,
    progress: Progress,
    most_tries: int = MOST_TRIES,
) -> tuple[Fidelity, dict[str, str]]:
    """The judgement of the file that is left at `variant.path`, and why each layer in it stays in float.

    `noise` is asked for once that of the fully quantized file is needed. `most_tries` bounds the tries after the worst
    layers were tried; with 0 there are none. When nothing helps, or only what leaves no integer kernel, the file is the fully quantized
    one and the judgement names its worst layers.
    """
    tries = _Tries(judged, progress)
    first = tries.fidelity(frozenset())
    if first.passed:
        return first, {}
    suspects = noise()
    if not suspects and not variant.layers():
        return first, {}  # nothing that could be left in float, so no search that could be told of
    start = _worst_that_pass(suspects, tries)
    tries.budget = budget = Budget(most_tries)
    if not start:
        start = _every_layer(suspects, variant, tries)
    found = give_back(start[::-1], tries.passes, budget, _MOST_LEFT)
    search = FloatSearch(tries.count, 0, len(start), len(found.left), found.stopped)
    variant.write(frozenset(found.left))
    if not 0 < len(found.left) <= _MOST_LEFT or not any(audit.integer for audit in variant.fusion()):
        variant.write(frozenset())
        return replace(_with_worst(first, suspects), search=replace(search, left=0)), {}
    fidelity = tries.fidelity(frozenset(found.left))
    return replace(_with_worst(fidelity, suspects), search=search), _reasons(found, suspects, tries)


class _Tries:
    """Judges each set of layers once. Before there is a budget everything may be tried."""

    def __init__(self, judged: Judged, progress: Progress) -> None:
        self._judged, self._progress = judged, progress
        self._known: dict[frozenset[str], Fidelity] = {}
        self.budget: Budget | None = None

    @property
    def count(self) -> int:
        return len(self._known)

    def fidelity(self, leave: frozenset[str]) -> Fidelity:
        if leave not in self._known:
            self._known[leave] = self._judged(leave, self._shown)
        return self._known[leave]

    def why_failed(self, leave: frozenset[str]) -> str | None:
        """The gate's own words, where this set was judged."""
        return self._known[leave].why_failed if leave in self._known else None

    def passes(self, leave: frozenset[str]) -> bool | None:
        """None: it is not known, and the budget does not allow to find out."""
        if leave not in self._known and self.budget is not None:
            if self.budget.spent:
                return None
            self.budget.tries += 1
        return self.fidelity(leave).passed

    def _shown(self, stage: str, share: float) -> None:
        if self.budget is None:
            self._progress(stage, share)
        else:
            self._progress(_STEP, self.budget.share)


def _worst_that_pass(suspects: Sequence[Noise], tries: _Tries) -> list[str]:
    """The smallest number of suspects, worst first, with which in float the gate holds: their layers, worst first."""
    failed, number = 0, 1
    for _ in range(_DOUBLINGS):
        number = min(number, len(suspects))
        if number == failed:
            return []
        if tries.passes(_leave(suspects[:number])):
            break
        failed, number = number, number * 2
    else:
        return []
    while number - failed > 1:
        middle = (failed + number) // 2
        failed, number = (failed, middle) if tries.passes(_leave(suspects[:middle])) else (middle, number)
    return _in_order(suspects[:number])


def _every_layer(suspects: Sequence[Noise], variant: Variant, tries: _Tries) -> list[str]:
    """All there are, the worst first and those that the noise does not know last; none where not even they help."""
    known = _in_order(suspects)
    every = [*known, *(name for name in variant.layers() if name not in set(known))]
    return every if tries.passes(frozenset(every)) else []


def _leave(suspects: Iterable[Noise]) -> frozenset[str]:
    return frozenset().union(*(n.leave for n in suspects))


def _in_order(suspects: Iterable[Noise]) -> list[str]:
    return list(dict.fromkeys(name for n in suspects for name in sorted(n.leave)))


def _with_worst(fidelity: Fidelity, suspects: Sequence[Noise]) -> Fidelity:
    return replace(fidelity, worst_layers=tuple(n.as_error() for n in _apart(suspects)[:_WORST_SHOWN]))


def _apart(suspects: Iterable[Noise]) -> list[Noise]:
    """Without those that are another's values moved (Reshape, Transpose), which costs the outputs the same to six digits."""
    first: dict[tuple[object, ...], Noise] = {}
    for n in suspects:
        first.setdefault((n.cause, *(f"{share:.6g}" for share in n.shares)), n)
    return list(first.values())


def _reasons(found: GivenBack, suspects: Sequence[Noise], tries: _Tries) -> dict[str, str]:
    """Per layer, the worst first; the suspect that costs most gives a layer its reason."""
    costs: dict[str, str] = {}
    for n in suspects:
        for name in n.leave:
            costs.setdefault(name, n.in_words)
    known = [name for name in _in_order(suspects) if name in found.left]
    return {
        name: f"{costs.get(name, 'its own cost is unknown')}; {_why(name, found, tries)}"
        for name in [*known, *(name for name in found.left if name not in known)]
    }


def _why(name: str, found: GivenBack, tries: _Tries) -> str:
    if name in found.needed:
        failed = tries.why_failed(frozenset(found.left) - {name})
        return "in combination with the other int8 layers the gate fails" + (f": {failed}" if failed else "")
    return "the gate holds with it in float; int8 was not tried for it"
