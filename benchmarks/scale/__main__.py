"""What int8 costs by the size of the network: edgeq's efforts beside onnxruntime and NNCF, each in a process of its own.

    python -m benchmarks.scale [--only resnet-1M,vit-1M] [--efforts quick,default] [--peers onnxruntime] [--json]
    python -m benchmarks.scale --no-install --only resnet-0.1M --efforts quick --samples 4 --judged 2     # does it run?

Prints a table for each network (processor seconds with one thread, wall clock, peak of memory, SQNR on other samples than
those that calibrated) and the slope of time over size. What fails, or takes longer than --limit-s, is a row with its reason.
The same goes to scale.json and scale.md in --out, after each row. --cache keeps the peers' environments.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.quantization.__main__ import some_of
from benchmarks.quiet import watched
from benchmarks.scale import show
from benchmarks.scale.contestants import PEER_NAMES, Course, everyone, measured, outputs
from benchmarks.scale.networks import NETWORKS, images, write
from benchmarks.scale.rows import Network, Row
from edgeq.quantize.effort import EFFORTS


def main() -> None:
    options = _options()
    cache = options.cache.resolve()
    rows: list[Row] = []
    out = options.out or cache / "results"
    for row in _rows(options, cache):
        rows.append(row)
        print(f"{row.network}: {', '.join(show.cells(row, rows))}", file=sys.stderr, flush=True)
        _write(rows, out)
    if options.json:
        print(json.dumps(show.plain(rows), indent=2))
    else:
        show.screen(rows)


def _rows(options: argparse.Namespace, cache: Path) -> Iterator[Row]:
    """One for each network and contestant."""
    samples = images(options.samples + options.judged)
    calibration, judged = samples[: options.samples], samples[options.samples :]
    course = Course(calibration, judged, options.limit_s, cache, options.install)
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix="edgeq-scale-") as folder:
            file = Path(folder) / f"{name}.onnx"
            network = Network(name, file, write(name, file))
            reference = outputs(file, judged, Path(folder))
            for contestant in everyone(options.efforts, options.peers):
                with watched() as reasons:
                    row = measured(contestant, network, reference, course)
                yield replace(row, not_quiet=tuple(reasons))


def _write(rows: list[Row], out: Path) -> None:
    """After each row, so that a run that is cut short leaves what it had."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "scale.json").write_text(json.dumps(show.plain(rows), indent=2) + "\n")
    (out / "scale.md").write_text(show.markdown(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    home = Path.home() / ".cache" / "edgeq-benchmarks"
    for name, known, what in (
        ("--only", tuple(NETWORKS), "networks"),
        ("--efforts", tuple(EFFORTS), "efforts of edgeq"),
        ("--peers", PEER_NAMES, "other quantizers"),
    ):
        described = f"{what}, with commas, of {', '.join(known)}"
        parser.add_argument(name, type=some_of(known), default=known, help=described)
    parser.add_argument("--samples", type=int, default=48, metavar="N", help="that calibrate")
    parser.add_argument("--judged", type=int, default=16, metavar="N", help="others, for the SQNR")
    parser.add_argument("--limit-s", type=float, default=1800, help="longest time of each process")
    parser.add_argument("--cache", type=Path, default=home, help="the peers' environments")
    parser.add_argument(
        "--no-install",
        dest="install",
        action="store_false",
        help="build no environment; a peer without one is a row that says so",
    )
    parser.add_argument("--out", type=Path, help="for the JSON and the Markdown; default: in --cache")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
