"""Every real model of tests/models/zoo.py deployed to this machine with one thread: what it cost, what it gained.

    python -m benchmarks.models [--only resnet20,mnist] [--seconds 30] [--cache DIR] [--json] [-- more words of deploy]

Real `edgeq deploy` processes. A table with a row per candidate (accuracy beside float on the held-out samples with the
paired 95 % interval, or SQNR where there are no labels; latency beside onnxruntime's float by paired rounds), what went
live and why, and the goals, each met, not met or not compared. A race on a machine that was not quiet decides nothing:
its figures are shown, its goals are "not compared". Needs ../shared/data or $EDGEQ_DATA, torch and litert-torch for the
torch models.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.goals import BASELINE, goals_of, interval
from benchmarks.own_home import data_folder, own_home
from benchmarks.zoo_deploy import Deployed, Failed, deploy_each
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.fidelity import Fidelity
from tests.models import zoo

_HEAD = (
    "model",
    "source",
    "candidate",
    "file",
    "accuracy or SQNR",
    "top-1 agreement",
    "integer",
    "Q/DQ left",
)
_TIMES = ("p50 ms", "ratio to onnxruntime float", "live")


def main() -> None:
    options = _options()
    with own_home(options.cache) as home:
        results = []
        for result in deploy_each(options.only, data_folder(), home, options.seconds, *options.words):
            results.append(result)
            print(_progress(result), file=sys.stderr, flush=True)
    print(json.dumps([_plain(r) for r in results], indent=2) if options.json else _document(results))
    sys.exit(any(isinstance(r, Failed) for r in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=names, default=zoo.names(), help="names of the zoo, with commas")
    parser.add_argument("--seconds", type=float, default=30, help="longest time of each race")
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was converted for the next run")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("words", nargs="*", help="after --: put on every deploy's command line")
    return parser.parse_args()


def names(text: str) -> tuple[str, ...]:
    """What --only takes."""
    asked = tuple(text.split(","))
    unknown = [n for n in asked if n not in zoo.names()]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: the zoo has {', '.join(zoo.names())}")
    return asked


def _progress(result: Deployed | Failed) -> str:
    if isinstance(result, Failed):
        return f"{result.name}: failed ({result.exit_code})"
    return f"{result.name}: {result.choice.candidate} is live after {result.seconds:.0f} s"


def _document(results: list[Deployed | Failed]) -> str:
    """Markdown: candidates, what went live, goals, failures."""
    done = [r for r in results if isinstance(r, Deployed)]
    lines = []
    if done:
        facts = done[0].facts
        lines += [f"{facts.cpu_model}, one thread, {facts.os}, Python {facts.python}", ""]
    lines += _table((*_HEAD, *_TIMES), [_row(d, c) for d in done for c in d.manifest.candidates])
    lines += ["", "What went live:", ""]
    for d in done:
        lines.append(f"- **{d.name}**: {d.choice.candidate}. {d.choice.why}. {_race(d)}")
        lines += [f"    - not made: {s.what}: {s.reason}" for s in d.skipped]
        lines += [f"    - {line}" for f in d.fidelity for line in _left_in_float(f)]
    goals = [(g.model, g.what, g.state, g.seen) for d in done for g in goals_of(d)]
    lines += ["", *_table(("model", "goal", "", "seen"), goals)]
    for f in results:
        if isinstance(f, Failed):
            lines += ["", f"**{f.name} failed** with exit code {f.exit_code}:", "", *f.words.splitlines()]
    return "\n".join(lines)


def _row(d: Deployed, candidate: Candidate) -> tuple[str, ...]:
    fidelity, row = d.fidelity_of(candidate.id), d.race.row(candidate.id)
    pair = d.race.pair(candidate.id, BASELINE)
    return (
        d.name,
        d.source,
        candidate.id,
        f"{d.file_bytes(candidate) / 1e6:.2f} MB",
        _closeness(fidelity),
        f"{fidelity.agreement.top1:.1f} %" if fidelity.agreement else "-",
        " ".join(f"{a.integer}/{a.total} {a.operator}" for a in fidelity.fusion) or "-",
        str(max((a.qdq_pairs_left for a in fidelity.fusion), default="-")),
        interval(row.latency.p50_ms, 4) if row.latency else row.state,
        interval(pair.ratio, 3) if pair else "reference" if candidate.id == BASELINE else "-",
        "live" if candidate.id == d.choice.candidate else "",
    )


def _closeness(fidelity: Fidelity) -> str:
    a = fidelity.accuracy
    if a is not None:
        return (
            f"{a.float_score:.2f} -> {a.candidate_score:.2f} "
            f"({a.difference:+.2f}, {a.low:+.2f} to {a.high:+.2f}; {a.samples})"
        )
    found = [o.sqnr_db for o in fidelity.outputs if o.sqnr_db is not None]
    return f"{min(found):.1f} dB ({fidelity.samples})" if found else "equal"


def _left_in_float(fidelity: Fidelity) -> list[str]:
    """Grouped by reason: a detector's whole head has one."""
    by_reason: dict[str, list[str]] = {}
    for layer in fidelity.float_layers:
        by_reason.setdefault(layer.reason, []).append(layer.what)
    return [f"{fidelity.candidate} keeps in float: {len(w)} ({w[0]} ...): {r}" for r, w in by_reason.items()]


def _race(d: Deployed) -> str:
    race = d.race
    floor = "no A/A control" if race.noise_floor is None else f"{race.noise_floor:.2%}"
    quiet = "quiet" if race.quiet else f"NOT QUIET: {'; '.join(race.not_quiet)}"
    return f"{race.rounds} rounds in {race.seconds:.0f} s, noise floor {floor}, {quiet}; stopped by {race.stopped_by}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    cells = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]


def _plain(result: Deployed | Failed) -> dict[str, Any]:
    if isinstance(result, Failed):
        return {"name": result.name, "failed": asdict(result)}
    return {
        "name": result.name,
        "source": result.source,
        "seconds": result.seconds,
        "cpu": result.facts.cpu_model,
        "manifest": result.manifest.to_dict(),
        "fidelity": [f.to_dict() for f in result.fidelity],
        "skipped": [s.to_dict() for s in result.skipped],
        "race": result.race.to_dict(),
        "choice": result.choice.to_dict(),
        "goals": [asdict(g) for g in goals_of(result)],
    }


if __name__ == "__main__":
    main()
