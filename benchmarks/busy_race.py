"""What goes live from races on a machine that is kept busy: is it ever slower than float, or than what was live?

    .venv/bin/python -m benchmarks.busy_race [--only digits,kws,net.edgeq] [--runs 20] [--seconds 10] [--json] [--cache DIR]

Each model is deployed to this machine RUNS times while benchmarks/bursty_load.py keeps its cores busy: in turn as a first
deploy, and once more with --measure-again over what the one before made live. Afterwards, without the load, one race of
the same bundle tells how fast each candidate really is there, and every choice is held against that.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks.own_home import data_folder, own_home  # noqa: E402
from edgeq.demo import demo_files  # noqa: E402
from edgeq.nouns.job import Limits  # noqa: E402
from edgeq.nouns.report import SLOWER, RaceReport  # noqa: E402
from edgeq.nouns.results import Deployment  # noqa: E402
from edgeq.workflow.deploy import deploy  # noqa: E402
from tests.end_to_end.command_line import edgeq  # noqa: E402
from tests.models import zoo  # noqa: E402

DIGITS = "digits"  # the demo's model, which needs no data


@dataclass(frozen=True)
class Run:
    """`live` before, None on a first deploy. `quiet`: durations decided; else `decided`: CPU time did; else nothing did."""

    live: str | None
    chosen: str
    decided: bool
    quiet: bool
    why: str


@dataclass(frozen=True)
class Outcome:
    """`truth` is the race without the load; `favourite` is what the plan expects to be fastest."""

    model: str
    favourite: str
    runs: tuple[Run, ...]
    truth: RaceReport


def main() -> None:
    options = _options()
    with own_home(options.cache) as home:
        outcomes = [_raced(name, home, options) for name in options.only]
    if options.json:
        print(json.dumps([_plain(o) for o in outcomes], indent=1))
    else:
        _show(outcomes)


def slower_than(outcome: Outcome, run: Run) -> list[str]:
    """Float (the reference), or what was live, where the race without the load shows that the choice is slower."""
    against = [outcome.truth.reference, *([run.live] if run.live else [])]
    return [id for id in against if _is_slower(outcome.truth, run.chosen, id)]


def _is_slower(truth: RaceReport, id: str, against: str) -> bool:
    pair = truth.pair(id, against)
    return pair is not None and pair.verdict == SLOWER


def _raced(what: str, home: Path, options: argparse.Namespace) -> Outcome:
    bundle = Path(what) if what.endswith(".edgeq") else _bundle(what, home)
    name = bundle.stem
    limits = Limits(seconds=options.seconds)
    runs: list[Run] = []
    root = home / f"{name}-roots" / "0"
    for number in range(options.runs):
        again = number % 2 == 1  # over what the run before it made live
        if not again:
            root = root.with_name(str(number))
        with _busy(options.seed + number, options.processes):
            done = deploy(
                str(bundle),
                root=str(root),
                limits=limits,
                threads=options.threads,
                measure_again=again,
            )
        runs.append(_run(done, runs[-1].chosen if again else None))
        print(f"{name} {number + 1}/{options.runs}: {runs[-1].why}", file=sys.stderr, flush=True)
    longest = Limits(seconds=options.quiet_seconds)
    truth = deploy(str(bundle), root=str(root), limits=longest, threads=options.threads, measure_again=True)
    assert truth.race is not None
    return Outcome(name, truth.conversion.bundle.manifest.candidates[0].id, tuple(runs), truth.race)


def _run(done: Deployment, live: str | None) -> Run:
    assert done.choice is not None
    assert done.race is not None
    return Run(live, done.choice.candidate, done.choice.compared, done.race.quiet, done.choice.why)


def _bundle(name: str, home: Path) -> Path:
    bundle = home / f"{name}.edgeq"
    if name == DIGITS:
        model, data = map(str, demo_files())
        words: tuple[str, ...] = (model, "--data", data, "--name", DIGITS)
    else:
        words = (*zoo.prepare(name, data_folder(), home / "models" / name).words, "--name", name)
    done = edgeq(home, "convert", *words, "--threads", "1", "-o", str(bundle))
    if done.returncode:
        sys.exit(done.stderr)
    return bundle


@contextlib.contextmanager
def _busy(seed: int, processes: int) -> Iterator[None]:
    command = [sys.executable, str(ROOT / "benchmarks/bursty_load.py"), str(seed), str(processes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as load:
        try:
            yield
        finally:
            load.kill() if load.stdin is None else load.stdin.close()
            load.wait(timeout=30)


def _show(outcomes: list[Outcome]) -> None:
    table = Table("model", "run", "was live", "went live", "by", "against float, without load", "slower than")
    for outcome in outcomes:
        for number, run in enumerate(outcome.runs, 1):
            how = "quiet race" if run.quiet else "CPU time" if run.decided else "not compared"
            slower = ", ".join(slower_than(outcome, run)) or "-"
            speed = _speed(outcome.truth, run.chosen)
            table.add_row(outcome.model, str(number), run.live or "-", run.chosen, how, speed, slower)
    console = Console()
    console.print(table)
    for outcome in outcomes:
        right = sum(not slower_than(outcome, run) for run in outcome.runs)
        state = "quiet" if outcome.truth.quiet else f"NOT QUIET ({'; '.join(outcome.truth.not_quiet)})"
        console.print(
            f"{outcome.model}: {right} of {len(outcome.runs)} no slower than what was live or float; the race without the "
            f"load was {state}; the plan's first, {outcome.favourite}: {_speed(outcome.truth, outcome.favourite)}"
        )


def _speed(truth: RaceReport, id: str) -> str:
    if id == truth.reference:
        return "float itself"
    pair = truth.pair(id, truth.reference)
    if pair is None:
        return "too few rounds"
    return f"{1 / pair.ratio.value:.2f}x, {pair.verdict}"


def _plain(outcome: Outcome) -> dict[str, object]:
    return {
        "model": outcome.model,
        "favourite": outcome.favourite,
        "runs": [{**asdict(run), "slower_than": slower_than(outcome, run)} for run in outcome.runs],
        "truth": outcome.truth.to_dict(),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default=f"{DIGITS},kws,mnist,resnet20", type=lambda text: text.split(","))
    parser.add_argument(
        "--runs", type=int, default=20, help="deployments of each model while the machine is busy"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of measuring in each race")
    parser.add_argument(
        "--quiet-seconds", type=float, default=30.0, help="of measuring in the race without the load"
    )
    parser.add_argument(
        "--processes", type=int, default=2 * (os.cpu_count() or 1), help="that keep the machine busy"
    )
    parser.add_argument("--threads", type=int, default=1, help="that a model may use")
    parser.add_argument("--seed", type=int, default=0, help="of the bursts")
    parser.add_argument("--cache", type=Path, help="keeps what was converted")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
