"""CPU time of `edgeq --help`, beside an empty Python and the import of click; below 150 ms is the aim.

    python -m benchmarks.help_time [--runs 20] [--json]

User and system time of the process, which a busy machine moves less than the wall clock; the median of processes that
alternate. One unrecorded run of each fills the caches of files and bytecode.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.own_home import ROOT, own_home
from benchmarks.quiet import sentence, watched

AIM_MS = 150
_COMMANDS = {
    "python -c pass": ("-c", "pass"),
    'python -c "import click"': ("-c", "import click"),
    "edgeq --help": ("-m", "edgeq", "--help"),
}


@dataclass(frozen=True)
class Timed:
    """CPU milliseconds of each run."""

    command: str
    cpu_ms: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        return median(self.cpu_ms)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with own_home() as folder, watched() as reasons:
        timed = measure(options.runs, folder)
    if options.json:
        print(json.dumps({"commands": [asdict(t) for t in timed], "not_quiet": reasons}, indent=2))
    else:
        print(table(timed, reasons))


def measure(runs: int, folder: Path) -> list[Timed]:
    """The commands in turn, `runs` times after one round that is not counted."""
    taken: dict[str, list[float]] = {command: [] for command in _COMMANDS}
    for number in range(runs + 1):
        for command, words in _COMMANDS.items():
            took = cpu_ms(words, folder)
            if number:
                taken[command].append(took)
    return [Timed(command, tuple(values)) for command, values in taken.items()]


def cpu_ms(words: tuple[str, ...], folder: Path) -> float:
    """User and system time of one Python process and its children."""
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(words)} ended with {process.returncode}")
    return 1000 * (used.ru_utime + used.ru_stime)


def table(timed: list[Timed], reasons: list[str]) -> str:
    lines = [f"{'CPU time':<28}{'median':>10}{'least':>10}{'most':>10}"]
    for t in timed:
        lines.append(f"{t.command:<28}{t.median_ms:>7.0f} ms{min(t.cpu_ms):>7.0f} ms{max(t.cpu_ms):>7.0f} ms")
    state = "met" if timed[-1].median_ms < AIM_MS else "NOT MET"
    return "\n".join([*lines, f"aim: edgeq --help below {AIM_MS} ms: {state}; {sentence(reasons)}"])


if __name__ == "__main__":
    main()
