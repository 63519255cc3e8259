"""What a conversion does at each `--effort`: a table that passes follow by `context.options.effort`, and what it is expected to win.

Numbers bound work by counts, never by a clock, so that the same input gives the same file on every machine. next_effort.py tells
from them how much more work the next effort is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

QUICK, DEFAULT, BEST = "quick", "default", "best"


@dataclass(frozen=True)
class Effort:
    """`equalize`: channels are equalized where that is predicted to help. `smooth`: outlier channels are smoothed into weights where
    that helps (dynamic int8). `head`: whether a small last layer is better in float is
    tried. `calibrators`: of so many the ranges are tried, 1: none
    is. `samples` that layers are fitted to and ranges compared on, at most; `columns` of a layer's input for each weight of a row,
    at most; `block`: rows are fitted in blocks of so many weights, None: whole. `fitted`: the share of the work of fitting that is
    done, in the mean of networks; 0: biases alone are corrected. `few_float_macs`: a second candidate with a few layers in float
    is searched where one run is at most so many multiply-accumulates; None: for any network.
    """

    name: str
    equalize: bool
    smooth: bool
    head: bool
    calibrators: int
    samples: int
    columns: int
    block: int | None
    fitted: float
    few_float_macs: int | None


@dataclass(frozen=True)
class Gain:
    """By how many dB the outputs of static int8 came closer to float than with the effort before: the median over `networks`."""

    median_db: float
    networks: int


EFFORTS: Mapping[str, Effort] = {
    each.name: each
    for each in (
        Effort(
            QUICK,
            equalize=False,
            smooth=False,
            head=False,
            calibrators=1,
            samples=16,
            columns=8,
            block=None,
            fitted=0.0,
            few_float_macs=0,
        ),
        Effort(
            DEFAULT,
            equalize=True,
            smooth=True,
            head=True,
            calibrators=3,
            samples=128,
            columns=8,
            block=288,
            fitted=1.0,
            few_float_macs=400_000_000,
        ),
        Effort(
            BEST,
            equalize=True,
            smooth=True,
            head=True,
            calibrators=3,
            samples=256,
            columns=8,
            block=288,
            fitted=1.0,
            few_float_macs=None,
        ),
    )
}
"""In the order of their work."""

GAINS: Mapping[str, Gain] = {DEFAULT: Gain(0.5, 11), BEST: Gain(0.0, 6)}
"""By the effort that gains, as `benchmarks.scale` measured: over convolutional, depthwise and transformer networks of 0.1 to 86 M
weights calibrated on 48 samples, which are too few for `best` to use more of them.
"""


def left_out(name: str) -> str:
    """Why a pass did not run, in words."""
    return f"not with --effort {name}"


def effort_after(name: str) -> Effort | None:
    """The next in the order of work; None after the last."""
    names = [*EFFORTS]
    place = names.index(name) + 1
    return EFFORTS[names[place]] if place < len(names) else None
