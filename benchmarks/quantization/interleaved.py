"""How fast edgeq's int8 files are next to the fastest of the others', on a machine with other load.

    python -m benchmarks.quantization --bits W8A8 --seconds 0 --quantize-threads 2 --cache DIR     # makes the files
    python -m benchmarks.quantization.interleaved --cache DIR [--only resnet8] [--threads 1,2] [--seconds 20]

All files of a model run in turn, in short blocks, forwards and backwards. With one thread a block counts the processor time of
that thread; with more the wall clock, and only where all threads had a core for the whole block. Files are opened afresh eight times,
since where they lie in memory moves a time by 1 to 2 %; the interval is over these openings. Next to the peers' files are those that
upstream publishes. A row per file of edgeq: its time over that of the fastest other file, with the 95 % interval.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from edgeq.quantize.run_model import load
from edgeq.report.statistics import Samples, paired_ratio

_RUNTIMES = {"onnx": "onnxruntime", "tflite": "litert"}
_PUBLISHED = {
    "resnet8": "mlperf_tiny/ic_pretrainedResnet_quant.tflite",
    "kws": "mlperf_tiny/kws_ref_model.tflite",
    "mobilenet_v2": "imagenet/mobilenet_v2_1.0_224_quant.tflite",
}
_BLOCK_S = {1: 0.004}  # by threads
_SHORT_S = 0.0002  # the shorter, the more often all threads have a core for the whole block
_ALL_RAN = 0.85  # of the processor time that all threads have in a block
_OPENINGS = 8
_WARM_UP = 20
_CONTENDERS = 1.25  # of the fastest: what is slower does not take part


Run = Callable[[], object]  # one inference, as the agent on a device times it


@dataclass(frozen=True)
class File:
    who: str
    path: Path

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
    field = _contenders(list(_files(made, name, format)), format, sample)
    times: list[dict[str, Samples]] = []
    for _ in range(_OPENINGS):
        runs = {file.who: _opened(file, format, threads, sample) for file in field}
        times.append(_interleaved(runs, threads, seconds / _OPENINGS))
    times = [each for each in times if all(taken.size for taken in each.values())]
    peers = [file.who for file in field if not file.own]
    if not peers or not times:
        print(f"{name} {format}: {len(peers)} files of others, {len(times)} openings", file=sys.stderr)
        return
    medians = {who: float(np.median([np.median(each[who]) for each in times])) for who in peers}
    best = min(peers, key=medians.__getitem__)
    for who in (file.who for file in field if file.own):
        ratio = paired_ratio([each[who] for each in times], [each[best] for each in times])
        seen = "too few openings" if ratio is None else interval(ratio, 3)
        yield who, best, f"{1e6 * medians[best]:.1f} us", seen


def _files(made: Path, name: str, format: str) -> Iterator[File]:
    for path in sorted(made.glob(f"*-{format}-W8A8-*/**/model.{format}")):
        way, folder = path.relative_to(made).parts[0], path.parent.name
        yield File(f"{EDGEQ} {folder}" if way.startswith(EDGEQ) else way.removesuffix("-0"), path)
    if format == "tflite" and name in _PUBLISHED:
        yield File("upstream", data_folder() / _PUBLISHED[name])


def _opened(file: File, format: str, threads: int, sample: cases.Array) -> Run:
    """Raises EdgeqError where the runtime refuses the file."""
    known = load(file.path, format)
    shape = [d or 1 for d in known.quantized_inputs[0].shape] if known.quantized_inputs else sample.shape
    session = runtime(_RUNTIMES[format]).open_session(str(file.path), threads, known.inputs, known.outputs)
    # In the layout of the file: the values do not matter for the time.
    ready = session.prepare([np.resize(sample, shape).astype(np.float32)])
    return lambda: session.run(ready)


def _contenders(files: Sequence[File], format: str, sample: cases.Array) -> list[File]:
    """All of edgeq's, and the others that are about as fast as the fastest; a file that is refused is said."""
    times: dict[File, float] = {}
    for file in files:
        try:
            run = _opened(file, format, 1, sample)
        except EdgeqError as error:
            print(f"{file.who}: {error.what}", file=sys.stderr)
        else:
            times[file] = min(_seconds(run, 1, 3) for _ in range(_WARM_UP))
    limit = _CONTENDERS * min((taken for file, taken in times.items() if not file.own), default=0.0)
    return [file for file, taken in times.items() if file.own or taken <= limit]


def _interleaved(runs: Mapping[str, Run], threads: int, seconds: float) -> dict[str, Samples]:
    """Seconds of an inference by file; of the blocks in which all threads had a core."""
    for run in runs.values():
        for _ in range(_WARM_UP):
            run()
    block = _BLOCK_S.get(threads, _SHORT_S)
    calls = max(1, round(block / min(_seconds(run, 1, 20) for run in runs.values())))
    times: dict[str, list[float]] = {who: [] for who in runs}
    order, draw, end = list(runs), random.Random(1), time.monotonic() + seconds
    while time.monotonic() < end:
        draw.shuffle(order)
        for turn in (order, order[::-1]):
            for who in turn:
                _seconds(runs[who], threads, calls)  # its threads awake, its weights in the cache
                times[who].append(_seconds(runs[who], threads, calls))
    found = {who: np.array(taken) for who, taken in times.items()}
    return {who: taken[np.isfinite(taken)] for who, taken in found.items()}


def _seconds(run: Run, threads: int, calls: int) -> float:
    """Of one inference; NaN where some thread had no core for a part of it."""
    clock = time.thread_time if threads == 1 else time.perf_counter
    worked, began = time.process_time(), clock()
    for _ in range(calls):
        run()
    took, work = clock() - began, time.process_time() - worked
    whole = threads == 1 or work >= _ALL_RAN * threads * took
    return took / calls if whole else np.nan


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
