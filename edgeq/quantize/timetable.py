"""The steps that the candidates of a plan are expected to report, with the seconds that each is counted to take.

A first estimate, of one core: request/time_left.py corrects it by the steps that are over. A step has the name that its `progress`
has; one that is not here has a time of its own, but no share in that of the conversion.
"""

from collections.abc import Iterable, Mapping

from edgeq import catalog
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.counted import Counted
from edgeq.quantize.effort import EFFORTS
from edgeq.quantize.evaluate.judge import STAGE
from edgeq.quantize.fit_time import fit_seconds
from edgeq.quantize.options import Options
from edgeq.quantize.plan import PREQUANTIZED

CALIBRATE, RANGES, FIT = "calibrate", "choose ranges", "fit weights and biases"
CHECK_FIT, HEAD = "check the fit", "head"

_SPLIT = 256  # samples that passes learn from and check by, at most: samples.split_of
_RUN_S = 3e-11  # a multiply-accumulate of a run, on one core with AVX2 or better
_VALUES = 3.0  # calibration looks at each value besides: so many times a run
_LEAST_S = 1e-4  # of a run


def planned_seconds(
    candidates: Iterable[CandidatePlan], work: Counted, options: Options
) -> Mapping[tuple[str, str], float]:
    """By candidate and step, in the order in which they are made."""
    judge = work.judged * run_seconds(work)
    found: dict[tuple[str, str], float] = {}
    for candidate in candidates:
        if candidate.recipe != PREQUANTIZED and catalog.recipe(candidate.recipe).method == "static":
            steps = _static(work, options)
            found.update({(candidate.id, step): seconds for step, seconds in steps.items() if seconds})
        found[candidate.id, STAGE] = judge
    return found


def _static(work: Counted, options: Options) -> dict[str, float]:
    effort = EFFORTS[options.effort]
    learned = min(effort.samples, 3 * min(work.calibrate, _SPLIT) // 4)
    check = 3 * min(work.calibrate, _SPLIT) / 4 * run_seconds(work)  # float, before and after
    one_asked = options.calibrator != "auto" or effort.calibrators == 1
    tried = 0 if one_asked else (1 + effort.calibrators) * learned
    fit = sum(fit_seconds(p, learned, effort.columns, effort.block) for p in work.products)
    return {
        CALIBRATE: _VALUES * work.calibrate * run_seconds(work),
        RANGES: tried * run_seconds(work),
        FIT: fit if "fit" in options.passes else 0.0,
        CHECK_FIT: check if "fit" in options.passes else 0.0,
        HEAD: check if "head" in options.passes else 0.0,
    }


def run_seconds(work: Counted) -> float:
    """Of the float model on a sample."""
    return max(work.macs * _RUN_S, _LEAST_S)
