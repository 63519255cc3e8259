"""Peak memory as predicted from the graph (the manifest's `memory_bytes`) beside what the agent's child really took.

    python -m benchmarks.memory [--only resnet20,mnist] [--seconds 1] [--cache DIR] [--json]

For every candidate of every real model of tests/models/zoo.py, on both runtimes where both exist, one thread, on this
machine. Measured is the highest resident size of the child less that of the runtime just imported and less the check
samples, which it maps from a file. The prediction decides before sending whether a device has room: too low lets a device run out of memory, too high
refuses one that would do. Flagged is what is off by more than 30 % where it matters, above 10 MB.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.models import names
from benchmarks.own_home import data_folder, own_home
from benchmarks.zoo_deploy import Deployed, Failed, deploy_each
from tests.models import zoo

_OFF = 0.3
_MATTERS = 10e6


@dataclass(frozen=True)
class Peak:
    """Bytes above the loaded runtime, check samples apart; `loaded` after the load, before the first inference."""

    model: str
    candidate: str
    file: int
    predicted: int
    loaded: int
    measured: int
    samples: int

    @property
    def ratio(self) -> float:
        return self.predicted / self.measured

    @property
    def off(self) -> bool:
        return max(self.predicted, self.measured) > _MATTERS and not 1 - _OFF <= self.ratio <= 1 + _OFF


def main() -> None:
    options = _options()
    peaks: list[Peak] = []
    failed = []
    with own_home(options.cache) as home:
        for result in deploy_each(options.only, data_folder(), home, options.seconds):
            if isinstance(result, Failed):
                failed.append(result)
            else:
                peaks += _peaks(result)
            print(f"{result.name}: done", file=sys.stderr, flush=True)
    print(json.dumps([asdict(p) for p in peaks], indent=2) if options.json else table(peaks))
    for failure in failed:
        print(
            f"\n{failure.name} failed with exit code {failure.exit_code}:\n{failure.words}", file=sys.stderr
        )
    sys.exit(bool(failed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=names, default=zoo.names(), help="names of the zoo, with commas")
    parser.add_argument("--seconds", type=float, default=1, help="longest time of each race")
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was converted for the next run")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _peaks(deployed: Deployed) -> Iterator[Peak]:
    """Of the candidates that ran to their end and have both figures."""
    for candidate in deployed.manifest.candidates:
        memory = deployed.race.row(candidate.id).memory
        if candidate.memory_bytes is None or memory is None:
            continue
        if memory.rss_runtime is None or memory.rss_loaded is None or memory.rss_peak is None:
            continue
        yield Peak(
            model=deployed.name,
            candidate=candidate.id,
            file=deployed.file_bytes(candidate),
            predicted=candidate.memory_bytes,
            loaded=memory.rss_loaded - memory.rss_runtime,
            measured=memory.rss_peak - memory.rss_runtime - deployed.checked_bytes(candidate.id),
            samples=deployed.checked_bytes(candidate.id),
        )


def table(peaks: list[Peak]) -> str:
    """Markdown."""
    lines = ["| model | candidate | file | predicted | loaded | peak | predicted / peak | |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for p in peaks:
        sizes = " | ".join(f"{size / 1e6:.1f} MB" for size in (p.file, p.predicted, p.loaded, p.measured))
        flag = f"off by more than {_OFF:.0%}" if p.off else ""
        lines.append(f"| {p.model} | {p.candidate} | {sizes} | {p.ratio:.2f} | {flag} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
