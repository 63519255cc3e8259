"""One deploy() with a clock at every step that edgeq tells of and every call to the device; prints them as JSON.

    python -m benchmarks.timed_deploy < BEGAN_AND_SPEC

Started by benchmarks/deploy_time.py, in a process of its own so that imports count. It reads the JSON of the monotonic time
at which it was started and of deploy()'s arguments: a program's own arguments would make it another program each time. The clock is read when a step ends: what lies between two
readings belongs to the later one. Calls from other threads (the lock's keeper) are counted, their time is not.
"""

import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

HOST, DEVICE = "host", "device"


@dataclass(frozen=True)
class Span:
    """`where` is host or device (the call's whole time, link included)."""

    where: str
    what: str
    seconds: float
    calls: int = 0


@dataclass
class Timeline:
    at: float
    spans: list[Span] = field(default_factory=list)
    opening: bool = False

    def ended(self, what: str, where: str = HOST, calls: int = 0) -> None:
        """Everything since the last reading was `what`."""
        now = time.monotonic()
        self.spans.append(Span(where, what, now - self.at, calls))
        self.at = now

    def aside(self, what: str) -> None:
        """A call beside the main line."""
        self.spans.append(Span(DEVICE, what, 0.0, 1))

    def hear(self, noun: Any) -> None:
        """What deploy() tells. Bars of uploads and of the race are inside a call."""
        kind = type(noun).__name__
        if kind == "Progress" and noun.step == "open":
            self.ended("hash the inputs, look for a bundle made before")
            self.opening = True
        elif kind == "Model" and not self.opening:
            self.ended("hash the inputs, read the bundle made before")
        elif kind == "Progress" and noun.step != "measure" and noun.unit != "B" and noun.total is not None:
            self.ended(noun.step.replace(": ", ": to "))
        elif kind == "Fidelity":
            self.ended(f"{noun.candidate}: write, judge, audit")
        elif kind in _ENDED_BY:
            self.ended(_ENDED_BY[kind])


_ENDED_BY = {
    "Model": "open and export the model",
    "Plan": "read samples, plan",
    "WheelPlan": "write and read the bundle, look for wheels",
    "RaceReport": "judge the race",
}
_BEFORE = {
    "hello": "connect, build the agent's archive",
    "lock": "unpack the bundle",
    "status": "host's answers to the check samples, write the bundle",
}


class Watched:
    """A Transport whose every call is a span, named by what it does."""

    def __init__(self, inner: Any, line: Timeline) -> None:
        self._inner, self._line = inner, line
        self._main = threading.current_thread()
        self._working = False
        self.label, self.route = inner.label, inner.route

    def run(self, command: Sequence[str], **rest: Any) -> Any:
        what = "hello (bootstrap.sh)" if command[0] == "sh" else command[-1]
        return self._timed(what, lambda: self._inner.run(command, **rest))

    def put(self, source: Path, destination: str, **rest: Any) -> Any:
        what = "put agent" if "/agent/" in destination else "put wheel" if source.suffix == ".whl" else "put"
        return self._timed(what, lambda: self._inner.put(source, destination, **rest))

    def get(self, source: str, destination: Path, **rest: Any) -> None:
        self._timed("get outputs", lambda: self._inner.get(source, destination, **rest))

    def exists(self, path: str) -> Any:
        return self._timed("exists", lambda: self._inner.exists(path))

    def close(self) -> None:
        self._timed("close", self._inner.close)

    def _timed(self, what: str, call: Any) -> Any:
        if threading.current_thread() is not self._main and what != "work":
            self._line.aside(what)
            return call()
        self._line.ended(_BEFORE.get(what.split()[0], "between the calls"))
        try:
            return call()
        finally:
            self._line.ended(what, DEVICE, 0 if what == "close" else 1)


def main() -> None:
    began, spec = json.load(sys.stdin)
    line = Timeline(at=began)
    from edgeq.deliver import session
    from edgeq.nouns.job import Limits
    from edgeq.transport.open import open_transport
    from edgeq.workflow.deploy import deploy

    line.ended("start Python, import edgeq")
    login = session.Login(spec["host"], identity=Path(spec["identity"]) if spec["identity"] else None)
    opened = open_transport

    def open_watched(*words: Any, **rest: Any) -> Watched:
        return Watched(opened(*words, **rest), line)

    with mock.patch.object(session, "open_transport", open_watched):
        done = deploy(
            spec["model"],
            target=spec["target"],
            login=login,
            data=spec["data"],
            weights=spec.get("weights"),
            threads=1,
            limits=Limits(seconds=spec["seconds"]),
            tell=line.hear,
        )
    line.ended("between the calls")
    quiet = done.measurement.not_quiet if done.measurement else ()
    print(
        json.dumps(
            {"spans": [asdict(s) for s in line.spans], "changed": done.changed, "not_quiet": list(quiet)}
        )
    )


if __name__ == "__main__":
    main()
