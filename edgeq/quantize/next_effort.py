"""What the next --effort would have taken: what this one took, and the work that is counted to be more.

Counted are runs of the network on a sample, at the seconds that one took when the gate judged; files that are written and
loaded, by their weights; and what fitting the layers takes (fit_time.py).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from edgeq.nouns.effort import NextEffort
from edgeq.nouns.passes import OFF, StepCost
from edgeq.quantize.counted import Counted
from edgeq.quantize.effort import EFFORTS, GAINS, Effort, effort_after
from edgeq.quantize.fit_time import fit_seconds
from edgeq.quantize.quantization import Quantization

_SPLIT = 256  # samples that passes learn from and check by, at most
_TRIED = 64  # samples that equalization and the search for a few layers in float run, at most
_FEW_FILES = 6  # that this search tries
_NOISE_RUNS = 64 * 2  # groups of layers times samples, that find the noisiest layers: evaluate/layer_noise.py
_FOUND = 0.5  # how often layers are found that are worth a try
# Of one core: a multiply-accumulate of a run that was not timed, because its verdict was cached, and a weight of a file.
_RUN_S, _WEIGHT_S = 3e-11, 1e-7
_OPENED_S, _LEAST_RUN_S = 0.1, 2e-4  # of judging before the first sample runs; of a run
_SLOWEST = 4.0  # times as long as counted
_EQUALIZE, _FIT, _MIXED = "equalize", "fit", "mixed"


@dataclass(frozen=True)
class Work:
    """`runs` of the network on a sample, `files` written and loaded, and the `seconds` of fitting layers."""

    runs: float = 0.0
    files: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.runs + other.runs, self.files + other.files, self.seconds + other.seconds)


def next_effort(
    q: Quantization, effort: str, costs: Sequence[StepCost], count: Callable[[], Counted]
) -> NextEffort | None:
    """Of the candidate `q`, whose steps took `costs`; `count` is only called where it matters. None where another effort changes nothing, or there is no next one."""
    following = effort_after(effort)
    if following is None or q.method != "static":
        return None
    counted = count()
    off = {result.repair for result in q.results if result.why == OFF}
    this, more = (seconds_of(each, counted, costs, off) for each in (EFFORTS[effort], following))
    took = sum(cost.cpu_seconds for cost in costs)
    gain = GAINS.get(following.name)
    return NextEffort(
        following.name, round(took + max(more - this, 0.0), 3), gain.median_db if gain else None
    )


def seconds_of(
    effort: Effort, counted: Counted, costs: Sequence[StepCost], off: Collection[str] = ()
) -> float:
    """CPU seconds of the steps that efforts change, without the passes that are switched `off`."""
    judging = sum(cost.cpu_seconds for cost in costs if cost.step == "judge")
    least = max(counted.macs * _RUN_S, _LEAST_RUN_S)
    # Of a small network most of the judging is no run.
    run = min(max((judging - _OPENED_S) / max(counted.judged, 1), least), _SLOWEST * least)
    work = work_of(effort, counted, off)
    return work.runs * run + work.files * counted.weights * _WEIGHT_S + work.seconds


def work_of(effort: Effort, counted: Counted, off: Collection[str] = ()) -> Work:
    """Of the steps that efforts change."""
    check = min(counted.calibrate, _SPLIT) / 4  # samples.split_of
    learned, tried = min(effort.samples, 3 * check), min(_TRIED, 3 * check)
    work = Work()
    if effort.calibrators > 1:
        work += Work((1 + effort.calibrators) * learned, effort.calibrators)
    if effort.equalize and _EQUALIZE not in off:
        work += Work(2 * tried + (1 + 2 * effort.calibrators) * check, 2 * effort.calibrators)
    fit = Work() if _FIT in off else _fit(effort, counted, learned)
    most = effort.few_float_macs
    if (most is None or counted.macs <= most) and _MIXED not in off:
        tries = Work(_NOISE_RUNS + _FOUND * (1 + _FEW_FILES) * tried, _FOUND * _FEW_FILES)
        work += tries + Work(_FOUND * fit.runs, _FOUND * fit.files, _FOUND * fit.seconds)
    return work + fit


def _fit(effort: Effort, counted: Counted, samples: float) -> Work:
    """Biases alone take the runs; the time of these is part of a layer's that is fitted."""
    seconds = sum(fit_seconds(p, samples, effort.columns, effort.block) for p in counted.products)
    return Work(2 * samples * (1 - effort.fitted), 1, effort.fitted * seconds)
