"""Bytes on the wire: models quantized by edgeq without training, at several numbers of weight bits, beside xz and zstd.

    python -m benchmarks.wire [--only resnet56,mobilenet_v2] [--formats onnx,tflite] [--bits 8,4] [--levels codebook,...] [--cache DIR] [--json]

A row per model, format, bits and kind of levels (those that have so many bits: `--bits 3,2,1 --levels uniform,apot,codebook,ternary,binary`): the file, what edgeq makes of it, what `xz -9` and, where it is installed, `zstd -19` make, how
many times that is under the float file, top-1 on the judged samples, and how fast it expands with one thread, in MB of output
per second of CPU time. Then the goals. Needs ../shared/data or $EDGEQ_DATA, and torch for the ResNets.
"""

import argparse
import hashlib
import json
import lzma
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from dataclasses import replace as changed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.own_home import data_folder, own_home
from benchmarks.quantization.cases import Case, prepare
from benchmarks.quantization.contestants import Way
from benchmarks.quantization.edgeq_ways import plan_for_here
from edgeq.compress.expand import expand
from edgeq.compress.pack import pack
from edgeq.errors import EdgeqError, TargetRefused
from edgeq.nouns.passes import ALL
from edgeq.nouns.weight_levels import UNIFORM, bits_of
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.sqnr import first_classes
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from edgeq.quantize.run_model import load, run

_MODELS = ("resnet20", "resnet56", "kws", "mobilenet_v2")
_FORMATS = ("onnx", "tflite")
_BITS = (8, 6, 5, 4, 3)
_GOALS = {"resnet56": 9.0, "mobilenet_v2": 8.0}
_MAY_LOSE = 0.5  # points of top-1
_TRIED = 8  # samples to see that the file answers; the comparison judges
_PASSES = tuple(
    name for name in ALL if name not in ("mixed", "head")
)  # the bits that were asked for, in every layer


@dataclass(frozen=True)
class Row:
    """Sizes in bytes. `top1` in percent, `float_top1` of the same runtime; `expands_mb_s` of CPU time."""

    model: str
    format: str
    bits: float
    levels: str
    float_size: int
    size: int
    packed: int
    xz: int
    zstd: int | None
    top1: float
    float_top1: float
    packs_s: float
    expands_mb_s: float

    @property
    def times(self) -> float:
        return self.float_size / self.packed


def main() -> None:
    options = _options()
    rows = []
    with own_home(options.cache) as home:
        for name in options.only:
            for row in _rows(name, options.formats, _wanted(options.bits, options.levels), home):
                rows.append(row)
                print(_line(row), file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([{**asdict(row), "times": row.times} for row in rows], indent=2))
    else:
        print("\n".join([_HEAD, *map(_line, rows), "", *_goals(rows)]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=lambda text: tuple(text.split(",")), default=_MODELS)
    parser.add_argument("--formats", type=lambda text: tuple(text.split(",")), default=_FORMATS)
    parser.add_argument("--bits", type=lambda text: tuple(map(float, text.split(","))), default=_BITS)
    parser.add_argument("--levels", type=lambda text: tuple(text.split(",")), default=(UNIFORM,))
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was opened for the next run")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _wanted(bits: tuple[float, ...], levels: tuple[str, ...]) -> list[tuple[float, str]]:
    return [(each, kind) for each in bits for kind in levels if _has(kind, each)]


def _has(kind: str, bits: float) -> bool:
    try:
        return (kind == UNIFORM and bits >= 2) or bits_of(kind, bits) == bits
    except TargetRefused:
        return False


def _rows(name: str, formats: tuple[str, ...], wanted: list[tuple[float, str]], home: Path) -> Iterator[Row]:
    case = prepare(name, data_folder(), home / name, home / "converters", formats)
    for format in formats:
        if format not in case.models:
            print(f"{name} {format}: {case.absent.get(format)}", file=sys.stderr)
            continue
        size, top1 = case.file(format).stat().st_size, _top1(case, case.file(format), format, home)
        for each, kind in wanted:
            try:
                path = _quantized(case, format, each, kind, home / name / f"{format}-{each:g}-{kind}")
            except EdgeqError as error:
                print(f"{name} {format} {each:g} bits ({kind}): {error.what}", file=sys.stderr)
                continue
            yield _measured(name, format, each, kind, path, size, _top1(case, path, format, home), top1)


def _quantized(case: Case, format: str, bits: float, levels: str, folder: Path) -> Path:
    """Static int8 as edgeq makes it for this machine. Raises EdgeqError."""
    made = make(
        plan_for_here(Way("edgeq", "default", format, "W8A8")),
        case.models[format],
        case.calibration,
        changed(case.judged, rows=case.judged.rows[:_TRIED], labels=None, sha256="1" * 64),
        same_samples=False,
        gate=Gate(min_sqnr_db=-100.0, ignore_labels=True),
        workdir=folder,
        options=Options(weight_bits=bits, levels=levels, passes=_PASSES),
    )
    return made.path


def _top1(case: Case, path: Path, format: str, scratch: Path) -> float:
    labels = case.judged.labels
    assert labels is not None
    return 100.0 * float((first_classes(run(load(path, format), case.judged, scratch)[0]) == labels).mean())


def _measured(
    name: str,
    format: str,
    bits: float,
    levels: str,
    path: Path,
    float_size: int,
    top1: float,
    float_top1: float,
) -> Row:
    content = path.read_bytes()
    start = time.process_time()
    packed = pack(content)
    packs_s = time.process_time() - start
    return Row(
        model=name,
        format=format,
        bits=bits,
        levels=levels,
        float_size=float_size,
        size=len(content),
        packed=len(packed),
        xz=len(lzma.compress(content, preset=9)),
        zstd=_zstd(path),
        top1=top1,
        float_top1=float_top1,
        packs_s=packs_s,
        expands_mb_s=len(content) / 1e6 / _expand_s(packed, content),
    )


def _expand_s(packed: bytes, content: bytes) -> float:
    """The quickest of five."""
    sha256, taken = hashlib.sha256(content).hexdigest(), []
    for _ in range(5):
        start = time.process_time()
        assert expand(packed, sha256, len(content)) == content
        taken.append(time.process_time() - start)
    return min(taken)


def _zstd(path: Path) -> int | None:
    program = shutil.which("zstd")
    if program is None:
        return None
    done = subprocess.run([program, "-19", "-q", "-c", str(path)], capture_output=True, check=True)
    return len(done.stdout)


_HEAD = (
    f"{'model':<14}{'format':<8}{'bits':>4} {'levels':<9}{'file':>11}{'on the wire':>12}{'xz -9':>11}{'zstd -19':>11}"
    f"{'under float':>13}{'top-1':>8}{'float':>7}{'packs':>8}{'expands':>12}"
)


def _line(r: Row) -> str:
    return (
        f"{r.model:<14}{r.format:<8}{r.bits:>4g} {r.levels:<9}{r.size:>11,}{r.packed:>12,}{r.xz:>11,}"
        f"{f'{r.zstd:,}' if r.zstd else '-':>11}{r.times:>12.2f}x{r.top1:>8.1f}{r.float_top1:>7.1f}"
        f"{r.packs_s:>6.1f} s{r.expands_mb_s:>7.0f} MB/s"
    )


def _goals(rows: list[Row]) -> Iterator[str]:
    """For each model that has one: the smallest within half a point of float."""
    for name, times in _GOALS.items():
        close = [r for r in rows if r.model == name and r.top1 >= r.float_top1 - _MAY_LOSE]
        best = max(close, key=lambda r: r.times, default=None)
        if best is not None:
            met = "met" if best.times >= times else "not met"
            how = f"{best.format}, {best.bits:g} bits"
            yield f"{name} {times:g}x under float within {_MAY_LOSE} points: {best.times:.2f}x ({how}): {met}"


if __name__ == "__main__":
    main()
