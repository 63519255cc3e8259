"""Mixed precision: some layers in float among the quantized ones. Where the gate fails, the smallest set with which it holds.

minimize_float_set  which of a set are needed (delta debugging)
few_float_layers    a few layers that gain much for little work: a candidate of its own
layers              the layers that can be left in float, and what their quantization costs

First the worst layers by their noise: 1, 2, 4 and so on up to 32 of them, then bisection for the smallest number that
passes. Those that are not needed return to int8 (minimize_float_set.py). Where 32 do not pass, the ranking by noise is
wrong or lacks the layer that matters: then the search starts from all layers in float. The gate itself judges each try, on
the held-out samples; to fit little to them, the number of tries is bounded, and it is reported.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from edgeq.nouns.fidelity import Fidelity, FloatSearch
from edgeq.nouns.passes import PassResult
from edgeq.plain_text import counted
from edgeq.quantize.evaluate.layer_noise import Noise
from edgeq.quantize.passes import fit
from edgeq.quantize.passes.mixed_precision.few_float_layers import worst_db
from edgeq.quantize.passes.mixed_precision.layers import is_static, layers_of, noise_on_heldout
from edgeq.quantize.passes.mixed_precision.minimize_float_set import (
    MOST_TRIES,
    Budget,
    Minimized,
    minimize_float_set,
)
from edgeq.quantize.quantization import Context, Quantization, Written
from edgeq.quantize.run_model import Progress

NAME = "mixed"
STAGE = "write the file"

Measured = Callable[[], tuple[Noise, ...]]

_WORST_SHOWN = 5
_DOUBLINGS = 6  # 1, 2, 4, ... 32 layers
_MOST_LEFT = 2 ** (_DOUBLINGS - 1)
_STEP = "search for the fewest layers in float"


@dataclass(frozen=True)
class File:
    """The candidate's file: `judged` writes it with some layers in float and asks the gate; `layers` are all that can be in
    float.
    """

    judged: Callable[[frozenset[str], Progress], Fidelity]
    layers: tuple[str, ...]
    has_integer_kernels: Callable[[], bool]
    write: Callable[[frozenset[str]], None]


def run(q: Quantization, context: Context) -> Quantization:
    if context.most_tries is None:
        return q  # too few held-out samples: layers in float do not change that
    files: list[Written] = []
    fidelity, mixed_precision_layers = searched(
        _file(q, context, files),
        lambda: noise_on_heldout(q, context),
        context.progress,
        context.most_tries,
    )
    q = replace(q, fidelity=fidelity, mixed_precision_layers=mixed_precision_layers)
    if mixed_precision_layers and fidelity.passed and fit.NAME in context.enabled and is_static(q):
        q = _refitted(q, context, files)
    return _with_result(replace(q, written=files[-1]))


def judged(q: Quantization, context: Context) -> Quantization:
    """The gate's judgement of the file without any search, with its worst layers where the gate fails."""
    written = context.write(q)
    fidelity = context.judge(context.progress)
    if not fidelity.passed:
        fidelity = _with_worst(fidelity, noise_on_heldout(q, context))
    return replace(q, fidelity=fidelity, written=written)


def _file(q: Quantization, context: Context, files: list[Written]) -> File:
    """`files` collects what is written."""

    def write(in_float: frozenset[str]) -> None:
        files.append(context.write(q, in_float))

    def judged(in_float: frozenset[str], progress: Progress) -> Fidelity:
        write(in_float)
        return context.judge(progress)

    return File(judged, layers_of(q), lambda: context.has_integer_kernels(q), write)


def _with_result(q: Quantization) -> Quantization:
    """With the result of the search, where there was one."""
    assert q.fidelity is not None
    if q.mixed_precision_layers:
        why = f"{counted(len(q.mixed_precision_layers), 'operator')}, so that the gate holds"
        return q.with_result(PassResult(NAME, True, why))
    if q.fidelity.passed or q.fidelity.search is None:
        return q
    return q.with_result(PassResult(NAME, False, "no small set of layers makes the gate hold"))


def _refitted(q: Quantization, context: Context, files: list[Written]) -> Quantization:
    """Fitted again with the layers of `mixed_precision_layers` in float, where that is closer to float or needs fewer of them: the first
    fit compensated the errors of layers that are now in float.
    """
    before, in_float = q.fidelity, frozenset(q.mixed_precision_layers)
    assert before is not None and before.search is not None
    fitted, fewer, tries = fit.refit(q, in_float, context), in_float, 1
    most_tries = max(context.most_tries or 0, 0)
    for name in sorted(in_float)[:most_tries] if len(in_float) > 1 else ():
        tries += 1
        if _file(fitted, context, files).judged(fewer - {name}, context.progress).passed:
            fewer -= {name}
    if fewer != in_float:
        fitted = fit.refit(fitted, fewer, context)
    after = _file(fitted, context, files).judged(fewer, context.progress)
    if not after.passed or (len(fewer) == len(in_float) and _db(after) <= _db(before)):
        files.append(context.write(q, in_float))
        return q
    search = replace(before.search, tries=before.search.tries + tries, left=len(fewer))
    return replace(
        fitted,
        fidelity=replace(after, search=search, worst_layers=before.worst_layers),
        mixed_precision_layers={name: why for name, why in q.mixed_precision_layers.items() if name in fewer},
    )


def _db(fidelity: Fidelity) -> float:
    found = worst_db(fidelity)
    return math.inf if found is None else found


def searched(
    file: File, noise: Measured, progress: Progress, most_tries: int = MOST_TRIES
) -> tuple[Fidelity, dict[str, str]]:
    """The gate's judgement of the resulting file, and why each layer stays in float.

    `noise` is measured only where the gate fails. `most_tries` bounds the tries after the worst layers were tried; 0: none.
    Where no set passes, or only one without any integer kernel, the file is the fully quantized one and the judgement names
    its worst layers.
    """
    tries = _Tries(file.judged, progress)
    first = tries.fidelity(frozenset())
    if first.passed:
        return first, {}
    suspects = noise()
    if not suspects and not file.layers:
        return first, {}  # nothing that could be left in float, so no search to report
    start = _worst_that_pass(suspects, tries)
    tries.budget = budget = Budget(most_tries)
    if not start:
        start = _every_layer(suspects, file.layers, tries)
    found = minimize_float_set(start[::-1], tries.passes, budget, _MOST_LEFT)
    search = FloatSearch(tries.count, 0, len(start), len(found.left), found.stopped)
    file.write(frozenset(found.left))
    if not 0 < len(found.left) <= _MOST_LEFT or not file.has_integer_kernels():
        file.write(frozenset())
        return replace(_with_worst(first, suspects), search=replace(search, left=0)), {}
    fidelity = tries.fidelity(frozenset(found.left))
    return replace(_with_worst(fidelity, suspects), search=search), _reasons(found, suspects, tries)


class _Tries:
    """Judges each set of layers once. Without a budget there is no bound."""

    def __init__(self, judged: Callable[[frozenset[str], Progress], Fidelity], progress: Progress) -> None:
        self._judged, self._progress = judged, progress
        self._known: dict[frozenset[str], Fidelity] = {}
        self.budget: Budget | None = None

    @property
    def count(self) -> int:
        return len(self._known)

    def fidelity(self, in_float: frozenset[str]) -> Fidelity:
        if in_float not in self._known:
            self._known[in_float] = self._judged(in_float, self._shown)
        return self._known[in_float]

    def why_failed(self, in_float: frozenset[str]) -> str | None:
        """The gate's reason, where this set was judged."""
        return self._known[in_float].why_failed if in_float in self._known else None

    def passes(self, in_float: frozenset[str]) -> bool | None:
        """None: unknown, and no try is left."""
        if in_float not in self._known and self.budget is not None:
            if self.budget.spent:
                return None
            self.budget.tries += 1
        return self.fidelity(in_float).passed

    def _shown(self, stage: str, share: float) -> None:
        if self.budget is None:
            self._progress(stage, share)
        else:
            self._progress(_STEP, self.budget.share)


def _worst_that_pass(suspects: Sequence[Noise], tries: _Tries) -> list[str]:
    """The layers, worst first, of the smallest number of the worst suspects with which in float the gate holds."""
    failed, number = 0, 1
    for _ in range(_DOUBLINGS):
        number = min(number, len(suspects))
        if number == failed:
            return []
        if tries.passes(_nodes_in_float(suspects[:number])):
            break
        failed, number = number, number * 2
    else:
        return []
    while number - failed > 1:
        middle = (failed + number) // 2
        failed, number = (
            (failed, middle) if tries.passes(_nodes_in_float(suspects[:middle])) else (middle, number)
        )
    return _in_order(suspects[:number])


def _every_layer(suspects: Sequence[Noise], layers: tuple[str, ...], tries: _Tries) -> list[str]:
    """All layers, the worst first and those without a known noise last; none where the gate fails even with these."""
    known = _in_order(suspects)
    every = [*known, *(name for name in layers if name not in set(known))]
    return every if tries.passes(frozenset(every)) else []


def _nodes_in_float(suspects: Iterable[Noise]) -> frozenset[str]:
    return frozenset().union(*(n.in_float for n in suspects))


def _in_order(suspects: Iterable[Noise]) -> list[str]:
    return list(dict.fromkeys(name for n in suspects for name in sorted(n.in_float)))


def _with_worst(fidelity: Fidelity, suspects: Sequence[Noise]) -> Fidelity:
    return replace(fidelity, worst_layers=tuple(n.as_error() for n in _apart(suspects)[:_WORST_SHOWN]))


def _apart(suspects: Iterable[Noise]) -> list[Noise]:
    """One of several tensors with the same values (Reshape, Transpose): their noise agrees to six digits."""
    first: dict[tuple[object, ...], Noise] = {}
    for n in suspects:
        first.setdefault((n.cause, *(f"{ratio:.6g}" for ratio in n.noise_to_signal)), n)
    return list(first.values())


def _reasons(found: Minimized, suspects: Sequence[Noise], tries: _Tries) -> dict[str, str]:
    """Per layer, the worst first, by its worst suspect."""
    costs: dict[str, str] = {}
    for n in suspects:
        for name in n.in_float:
            costs.setdefault(name, n.in_words)
    known = [name for name in _in_order(suspects) if name in found.left]
    return {
        name: f"{costs.get(name, 'its own cost is unknown')}; {_why(name, found, tries)}"
        for name in [*known, *(name for name in found.left if name not in known)]
    }


def _why(name: str, found: Minimized, tries: _Tries) -> str:
    if name in found.needed:
        failed = tries.why_failed(frozenset(found.left) - {name})
        return "in combination with the other int8 layers the gate fails" + (f": {failed}" if failed else "")
    return "the gate holds with it in float; int8 was not tried for it"
