"""When one thing is faster than another: the rule, in one place."""

from edgeq.nouns.measurement import SMALLEST_DIFFERENCE
from edgeq.nouns.report import CANNOT_TELL, FASTER, SLOWER, Estimate


def noise_floor(control: Estimate) -> float:
    """The A/A difference: `control` is the ratio of the reference entered a second time to itself, so what differs is bias
    that interleaving did not remove.

    The random part is not counted here, it is in the interval of every ratio already.
    """
    return abs(control.value - 1)


def margin(floor: float | None) -> float:
    return max(SMALLEST_DIFFERENCE, floor or 0.0)


def verdict(ratio: Estimate, beyond: float) -> str:
    """On the one whose duration is the numerator: only when the whole interval lies beyond the margin."""
    if ratio.low is None or ratio.high is None:
        return CANNOT_TELL
    if ratio.high < 1 - beyond:
        return FASTER
    if ratio.low > 1 + beyond:
        return SLOWER
    return CANNOT_TELL
