"""How fast edgeq's int8 files are next to the fastest of the others', on a machine with other load.

    python -m benchmarks.quantization --bits W8A8 --seconds 0 --quantize-threads 2 --cache DIR     # makes the files
    python -m benchmarks.quantization.interleaved --cache DIR [--only resnet8] [--threads 1,2] [--seconds 20]

All files of a model run in turn, in blocks of milliseconds, forwards and backwards. With one thread a block counts the processor time of
that thread; with more the wall clock, and a block counts only if no thread was interrupted in it. Next to the peers' files are those
that upstream publishes. A row per file of edgeq: its time over that of the fastest other file, with the 95 % interval.
"""

import argparse
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.goals import interval
from benchmarks.own_home import data_folder
from benchmarks.quantization import cases
from benchmarks.quantization.__main__ import numbers, some_of
from benchmarks.quantization.contestants import EDGEQ
from edgeq.agent.runtimes import runtime
from edgeq.errors import EdgeqError
from edgeq.nouns.report import Estimate
from edgeq.quantize.run_model import load
from edgeq.report.statistics import paired_ratio

_RUNTIMES = {"onnx": "onnxruntime", "tflite": "litert"}
_PUBLISHED = {
    "resnet8": "mlperf_tiny/ic_pretrainedResnet_quant.tflite",
    "kws": "mlperf_tiny/kws_ref_model.tflite",
    "mobilenet_v2": "imagenet/mobilenet_v2_1.0_224_quant.tflite",
}
_BLOCK_S = {1: 0.004}  # by threads: a turn of the scheduler interrupts a longer one
_SHORT_S = 0.0015
_WARM_UP = 20
_CONTENDERS = 1.25  # of the fastest: what is slower does not take part


@dataclass(frozen=True)
class Runner:
    """`run` is one inference, as the agent on a device times it."""

    who: str
    run: Callable[[], object]

    @property
    def own(self) -> bool:
        return self.who.startswith(EDGEQ)


def main() -> None:
    options = _options()
    print("| model | runtime | threads | file | over | its time | ratio |\n|---|---|---|---|---|---|---|")
    for name in options.only:
        for format in options.formats:
            for threads in options.threads:
                for row in _rows(options.cache, name, format, threads, options.seconds):
                    print("| " + " | ".join((name, _RUNTIMES[format], str(threads), *row)) + " |", flush=True)


def _rows(cache: Path, name: str, format: str, threads: int, seconds: float) -> Iterator[tuple[str, ...]]:
    made = cache / "models" / name / "made"
    sample = np.load(made / "judged.npy", mmap_mode="r")[:1]
    runners = [r for r in _runners(name, made, format, threads, sample) if r is not None]
    field = _contenders(runners)
    own, peers = [r for r in field if r.own], [r for r in field if not r.own]
    if not own or not peers:
        print(f"{name} {format}: {len(own)} files of edgeq, {len(peers)} of others", file=sys.stderr)
        return
    times = dict(zip([r.who for r in field], _interleaved(field, threads, seconds), strict=True))
    best = min(peers, key=lambda r: float(np.nanmedian(times[r.who])))
    median = f"{1e6 * float(np.nanmedian(times[best.who])):.1f} us"
    for one in own:
        ratio = _ratio(times[one.who], times[best.who])
        yield one.who, best.who, median, "too few rounds" if ratio is None else interval(ratio, 3)


def _runners(
    name: str, made: Path, format: str, threads: int, sample: cases.Array
) -> Iterator[Runner | None]:
    for path in sorted(made.glob(f"*-{format}-W8A8-*/**/model.{format}")):
        who = path.parent.name if path.parent.parent != made else path.parent.name.removesuffix("-0")
        own = path.relative_to(made).parts[0].startswith(EDGEQ)
        yield _opened(f"{EDGEQ} {who}" if own else who, path, format, threads, sample)
    if format == "tflite" and name in _PUBLISHED:
        yield _opened("upstream", data_folder() / _PUBLISHED[name], format, threads, sample)


def _opened(who: str, path: Path, format: str, threads: int, sample: cases.Array) -> Runner | None:
    """None where the runtime refuses the file, which is said."""
    try:
        known = load(path, format)
        shape = [d or 1 for d in known.quantized_inputs[0].shape] if known.quantized_inputs else sample.shape
    except EdgeqError as error:
        print(f"{who}: {error.what}", file=sys.stderr)
        return None
    session = runtime(_RUNTIMES[format]).open_session(str(path), threads, known.inputs, known.outputs)
    # In the layout of the file: the values do not matter for the time.
    ready = session.prepare([np.resize(sample, shape).astype(np.float32)])
    return Runner(who, lambda: session.run(ready))


def _contenders(runners: Sequence[Runner]) -> list[Runner]:
    """All of edgeq's, and the others that are about as fast as the fastest."""
    for runner in runners:
        for _ in range(_WARM_UP):
            runner.run()
    times = [min(_seconds(r, 1, 3) for _ in range(_WARM_UP)) for r in runners]
    limit = _CONTENDERS * min((t for r, t in zip(runners, times, strict=True) if not r.own), default=0.0)
    return [r for r, t in zip(runners, times, strict=True) if r.own or t <= limit]


def _interleaved(field: Sequence[Runner], threads: int, seconds: float) -> list[list[float]]:
    """Seconds of an inference for each of `field` in each round; NaN where a block was interrupted."""
    block = _BLOCK_S.get(threads, _SHORT_S)
    calls = max(1, round(block / min(_seconds(field[0], 1, 20) for _ in range(5))))
    times: list[list[float]] = [[] for _ in field]
    order, draw, end = list(range(len(field))), random.Random(1), time.monotonic() + seconds
    while time.monotonic() < end:
        draw.shuffle(order)
        for turn in (order, order[::-1]):
            for i in turn:
                _seconds(field[i], threads, calls)  # its threads awake, its weights in the cache
                times[i].append(_seconds(field[i], threads, calls))
    return times


def _seconds(runner: Runner, threads: int, calls: int) -> float:
    clock = time.thread_time if threads == 1 else time.perf_counter
    interrupted = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    began = clock()
    for _ in range(calls):
        runner.run()
    took = clock() - began
    whole = threads == 1 or resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw == interrupted
    return took / calls if whole else np.nan


def _ratio(one: Sequence[float], other: Sequence[float]) -> Estimate | None:
    both = [
        (np.array([a]), np.array([b])) for a, b in zip(one, other, strict=True) if np.isfinite([a, b]).all()
    ]
    return paired_ratio([a for a, _ in both], [b for _, b in both])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names, formats = cases.names(), cases.FORMATS
    parser.add_argument("--cache", type=Path, required=True, help="that of benchmarks.quantization")
    parser.add_argument("--only", type=some_of(names), default=names, help="models, with commas")
    parser.add_argument("--formats", type=some_of(formats), default=formats, help=f"of {', '.join(formats)}")
    parser.add_argument("--threads", type=numbers, default=(1, 2), help="one series each: 1,2")
    parser.add_argument("--seconds", type=float, default=20, help="of a series")
    return parser.parse_args()


if __name__ == "__main__":
    main()
