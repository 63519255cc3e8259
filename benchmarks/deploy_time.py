"""Where the time of a deploy goes: the first, and the same once more, which has nothing to do.

    python -m benchmarks.deploy_time [--model resnet20] [--seconds 5] [--local] [--cache DIR] [--json]

ResNet-20 from its torch checkpoint, or another model, over ssh to a device of the lab (root and its bookworm-amd64
image; `make lab`), else to this machine. A line per step, host and device apart, with the calls to the device that it
took; each call over ssh is a channel of its own, three round trips and what it carries. "work" is the race itself:
--seconds of it are asked for.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.own_home import ROOT, data_folder, own_home
from benchmarks.quiet import sentence, watched
from benchmarks.timed_deploy import DEVICE, HOST, Span
from tests.lab import devices, images, machine
from tests.models import zoo

# Shorter ones of a kind are told together.
_SHORT_S = 0.02
# Of the zoo, those that take nothing but data and weights.
_MODELS = ("resnet20", "resnet56", "mnist")


@dataclass(frozen=True)
class Deploy:
    """One deploy() of `where`'s; the spans are all of its time, in order of their first appearance."""

    title: str
    where: str
    spans: tuple[Span, ...]
    not_quiet: tuple[str, ...]

    @property
    def seconds(self) -> float:
        return sum(s.seconds for s in self.spans)

    @property
    def calls(self) -> int:
        return sum(s.calls for s in self.spans)


def main() -> None:
    options = _options()
    with own_home(options.cache) as home, _device(home, options.local) as place:
        entry = zoo.prepare(options.model, data_folder(), home / "model")
        spec = {**place, **_arguments(entry.words), "seconds": options.seconds}
        titles = ("first deploy", "the same again")
        deploys = [_deploy(title, spec, home) for title in titles]
    print(json.dumps([asdict(d) for d in deploys], indent=2) if options.json else _document(deploys))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=_MODELS, default=_MODELS[0])
    parser.add_argument("--seconds", type=float, default=5, help="longest time of the race")
    parser.add_argument("--local", action="store_true", help="this machine, though the lab is there")
    parser.add_argument(
        "--cache", type=Path, help="edgeq's cache: one that is filled leaves no conversion to time"
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


@contextlib.contextmanager
def _device(home: Path, local: bool) -> Iterator[dict[str, Any]]:
    """Host, key and target of a fresh device of the lab; of this machine where there is none, saying why."""
    why_not = "asked for" if local else machine.missing_for(devices.X86.image, systemd=False)
    if why_not:
        print(f"to this machine: {why_not}", file=sys.stderr)
        yield {"host": None, "identity": None, "target": "local"}
        return
    _lend_wheels()
    with devices.started(devices.X86) as device:
        (home / ".ssh").mkdir(mode=0o700)
        (home / ".ssh" / "known_hosts").write_text(device.known_hosts.read_text())
        yield {"host": device.host, "identity": str(device.key), "target": "x86-64-vnni"}


def _lend_wheels() -> None:
    """Fetching the runtime's wheels once from the network is not what is timed: the lab has them."""
    from edgeq.conversion.cache import folder

    lent = images.cache_folder() / "wheels"
    if lent.is_dir() and not (folder() / "wheels").exists():
        folder().mkdir(parents=True, exist_ok=True)
        (folder() / "wheels").symlink_to(lent)


def _arguments(words: tuple[str, ...]) -> dict[str, str]:
    """What is typed behind `edgeq deploy`, as deploy() takes it."""
    model, *options = words
    return {"model": model} | {
        flag.lstrip("-"): value for flag, value in zip(options[::2], options[1::2], strict=True)
    }


def _deploy(title: str, spec: dict[str, Any], folder: Path) -> Deploy:
    with watched() as reasons:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks" / "timed_deploy.py")],
            cwd=folder,
            input=json.dumps([began, spec]),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    told = json.loads(done.stdout)
    spans = _joined(Span(**s) for s in told["spans"])
    return Deploy(title, spec["host"] or "this machine", spans, (*told["not_quiet"], *reasons))


def _joined(spans: Iterator[Span]) -> tuple[Span, ...]:
    """Spans of one kind added up."""
    sums: dict[tuple[str, str], Span] = {}
    for span in spans:
        key = (span.where, span.what)
        before = sums.get(key, Span(*key, 0.0))
        sums[key] = Span(*key, before.seconds + span.seconds, before.calls + span.calls)
    return tuple(sums.values())


def _document(deploys: list[Deploy]) -> str:
    lines = []
    for deploy in deploys:
        lines += [f"{deploy.title} to {deploy.where}: {deploy.seconds:.2f} s, {deploy.calls} calls"]
        lines += [f"  {sentence(list(dict.fromkeys(deploy.not_quiet)))}"]
        for where in (HOST, DEVICE):
            of_it = [s for s in deploy.spans if s.where == where]
            lines.append(f"  {where:<52}{sum(s.seconds for s in of_it):8.2f} s")
            lines += [_line(s, deploy.seconds) for s in of_it if s.seconds >= _SHORT_S]
            short = [s for s in of_it if s.seconds < _SHORT_S]
            if short:
                together = Span(
                    where,
                    f"{len(short)} others, each below {_SHORT_S * 1000:.0f} ms",
                    sum(s.seconds for s in short),
                    sum(s.calls for s in short),
                )
                lines.append(_line(together, deploy.seconds))
        lines.append("")
    return "\n".join(lines)


def _line(span: Span, total: float) -> str:
    calls = f"   {span.calls} calls" if span.calls else ""
    return f"    {span.what:<50}{span.seconds:8.2f} s  {span.seconds / total:6.1%}{calls}"


if __name__ == "__main__":
    main()
