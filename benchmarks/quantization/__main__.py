"""edgeq's quantization beside its peers', each in an environment of its own, on the same models and samples.

    python -m benchmarks.quantization [--only resnet20,...] [--peers onnxruntime,...] [--bits W8A8,...] [--json]
    python -m benchmarks.quantization --no-install --only mnist --samples 20 --seconds 0     # a minute: does it run?

Prints a table with a row for each way of each peer and edgeq, the goals, and what there is to say of them; what fails is
shown with its reason. The same goes to comparison.json and comparison.md in --out. --cache keeps the peers' environments
(5 GB, half an hour on a slow line) and what they made, which is taken from there the next time; edgeq's is made anew.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.own_home import data_folder
from benchmarks.quantization import cases, contestants, show
from benchmarks.quantization.compare import Comparison, Effort, compare
from benchmarks.quantization.contestants import OWN, Way
from benchmarks.quantization.goals import goals_of
from benchmarks.quantization.work import Workshop

_BITS = ("W8A8", "W4A8", "W2A8")


def main() -> None:
    options = _options()
    cache = options.cache.resolve()
    ways = [
        way
        for way in (*OWN, *_theirs(options.peers))
        if way.bits in options.bits and way.format in options.formats
    ]
    effort = Effort(options.seconds, options.threads)
    shop = Workshop(cache, options.install, options.quantize_threads)
    found: list[Comparison] = []
    for name in options.only:
        # What peers made of fewer samples is not what they make of all.
        folder = cache / "models" / (f"{name}-{options.samples}" if options.samples else name)
        case = cases.prepare(name, data_folder(), folder, cache, options.formats).first(options.samples)
        found.append(compare(case, ways, folder / "made", shop, effort))
        _write(found, options.out or cache / "results")
    goals = [g for f in found for g in goals_of(f)]
    if options.json:
        print(json.dumps(show.plain(found, goals), indent=2))
    else:
        show.screen(found, goals)
    sys.exit(any(row.judged is None for f in found for row in f.rows if row.way.who == contestants.EDGEQ))


def _theirs(asked: Sequence[str]) -> list[Way]:
    """`asked` holds names of peers, or of one way: nncf, aimet/nearest."""
    ways = [way for peer in contestants.peers() for way in contestants.ways_of(peer)]
    return [way for way in ways if way.who in asked or f"{way.who}/{way.setting}" in asked]


def _write(found: list[Comparison], out: Path) -> None:
    """After each model, so that a run that is cut short leaves what it had."""
    out.mkdir(parents=True, exist_ok=True)
    goals = [g for f in found for g in goals_of(f)]
    (out / "comparison.json").write_text(json.dumps(show.plain(found, goals), indent=2) + "\n")
    (out / "comparison.md").write_text(show.markdown(found, goals))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    home = Path.home() / ".cache" / "edgeq-benchmarks"
    peers = contestants.peers()
    settings = [f"{way.who}/{way.setting}" for way in _theirs(peers)]
    parser.add_argument(
        "--only", type=some_of(cases.names()), default=cases.names(), help="models, with commas"
    )
    parser.add_argument(
        "--peers", type=some_of((*peers, *settings)), default=peers, help="names, or one way: aimet/nearest"
    )
    parser.add_argument("--bits", type=some_of(_BITS), default=_BITS, help=f"of {', '.join(_BITS)}")
    formats = cases.FORMATS
    parser.add_argument("--formats", type=some_of(formats), default=formats, help=f"of {', '.join(formats)}")
    parser.add_argument(
        "--samples", type=int, metavar="N", help="only the first N that calibrate and the first N that judge"
    )
    parser.add_argument("--seconds", type=float, default=30, help="longest time of each race; 0: no race")
    parser.add_argument("--threads", type=numbers, default=(1,), help="to race with, one race each: 1,2")
    parser.add_argument("--quantize-threads", type=int, default=1, help="for everybody while quantizing")
    parser.add_argument("--cache", type=Path, default=home, help="environments and what peers made")
    parser.add_argument(
        "--no-install",
        dest="install",
        action="store_false",
        help="build no environment; a peer without one is a row that says so",
    )
    parser.add_argument("--out", type=Path, help="for the JSON and the Markdown; default: in --cache")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.threads = options.threads if options.seconds > 0 else ()
    return options


def some_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def words(text: str) -> tuple[str, ...]:
        asked = tuple(filter(None, text.split(",")))
        unknown = [n for n in asked if n not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(known)}")
        return asked

    return words


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.split(","))


if __name__ == "__main__":
    main()
