"""What a race on a busy device still shows: pairs of entrants by CPU time, and by the fastest inferences.

CPU time does not count what others ran in between. Still it is no quiet race: others empty the caches, which costs the
larger model more, so int8 looks 3 to 20 % better than it is (measured with 16 processes on 2 cores). The fastest tenth
of the inferences saw the least of that. So one is called faster or slower only where both say so, beyond a margin that
is ten times that of a quiet race. Rounds are paired and resampled as in statistics.py.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby, permutations

import numpy as np

from edgeq.nouns.measurement import Block, Run
from edgeq.nouns.report import CANNOT_TELL, Estimate, Pair
from edgeq.report.statistics import paired_ratio
from edgeq.report.verdict import noise_floor, verdict

MARGIN = 0.10
_FAST = 0.1  # share of a round's inferences that is the least disturbed

Costs = Mapping[int, tuple[float, float]]  # by round: CPU ns per inference, wall ns of the fastest tenth


def busy_pairs(runs: Sequence[Run], reference: str, control: str) -> tuple[Pair, ...]:
    """Every pair with enough rounds in common. `ratio` is that of the two figures which is nearer to no difference.

    The margin is MARGIN, or the A/A difference where that is larger: by how much `control`, the reference entered a second
    time, differed from `reference`.
    """
    costs = {run.entrant: costs_of(run) for run in runs if run.state == "ok"}
    aa_ratios = _ratios(costs.pop(control, {}), costs.get(reference, {}))
    beyond = max([MARGIN, *(noise_floor(ratio) for ratio in aa_ratios)])
    pairs = (_pair(a, b, _ratios(costs[a], costs[b]), beyond) for a, b in permutations(costs, 2))
    return tuple(pair for pair in pairs if pair is not None)


def costs_of(run: Run) -> Costs:
    """A round without samples, without CPU time (older agents noted none) or of times below the clock's steps is left out."""
    blocks = sorted((b for b in run.blocks if b.latency_ns), key=lambda b: b.round)
    found = ((number, _costs(tuple(group))) for number, group in groupby(blocks, key=lambda b: b.round))
    return {number: costs for number, costs in found if min(costs) > 0}


def _costs(blocks: tuple[Block, ...]) -> tuple[float, float]:
    latency = np.concatenate([np.array(b.latency_ns) for b in blocks])
    return sum(b.cpu_ns for b in blocks) / len(latency), float(np.quantile(latency, _FAST))


def _pair(entrant: str, against: str, ratios: Sequence[Estimate], beyond: float) -> Pair | None:
    if not ratios:
        return None
    verdicts = {verdict(ratio, beyond) for ratio in ratios}
    cautious = min(ratios, key=lambda ratio: abs(np.log(ratio.value)))
    return Pair(entrant, against, cautious, verdicts.pop() if len(verdicts) == 1 else CANNOT_TELL)


def _ratios(first: Costs, second: Costs) -> tuple[Estimate, ...]:
    """Of both figures; nothing where there are too few rounds in common."""
    rounds = sorted(set(first) & set(second))
    both = (
        paired_ratio(*([np.array([costs[r][figure]]) for r in rounds] for costs in (first, second)))
        for figure in (0, 1)
    )
    return tuple(ratio for ratio in both if ratio is not None)
