"""When one thing is faster than another: the rule, in one place."""

from edgeq.nouns.report import CANNOT_TELL, FASTER, SLOWER, Estimate

SMALLEST_DIFFERENCE = 0.01  # below one percent nobody cares, and layouts of memory alone make as much


def noise_floor(twin: Estimate) -> float:
    """By how much the reference seemed to differ from itself: what remains as bias once everything is interleaved.

    The random part is not counted here, it is in the interval of every ratio already.
    """
    return abs(twin.value - 1)


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
