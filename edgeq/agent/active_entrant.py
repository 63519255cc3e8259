"""One entrant while it is measured: its child, what it has done so far, and how it failed if it did.

Every failure of a model ends here as a state; nothing is raised for it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from statistics import median
from typing import Optional

from edgeq.nouns.job import Entrant, Job
from edgeq.nouns.measurement import Block, Energy, MemoryUse, Outputs, Run

from .message import Message
from .spawn import Child, ChildFailed

_FEWEST_PER_BLOCK = 3
# More than this would only fill the result: the median of a thousand is sharp, and the rounds are what counts.
_MOST_PER_BLOCK = 1000
# All rounds together: an integer costs 36 bytes here, and the agent is to stay below 25 MB.
_MOST_PER_JOB = 100_000
_SURELY_PER_BLOCK = 100


class Abandoned(Exception):
    """Nobody waits for the result any more."""


@dataclass
class ActiveEntrant:
    """`id` is that of `spec`, or "<id>#twin" for the A/A control. `lasting` children live through all rounds, holding no
    session between. `is_cancelled` is asked before each request and about once a second while one lasts; Abandoned is
    raised when it says yes.
    """

    id: str
    spec: Entrant
    job: Job
    root: Path
    is_cancelled: Callable[[], bool] = lambda: False
    lasting: bool = True
    blocks: "list[Block]" = field(default_factory=list)
    medians_ns: "dict[int, float]" = field(default_factory=dict)  # of the blocks, by round
    failure: Optional[ChildFailed] = None
    outputs: Optional[Outputs] = None
    energy: Optional[Energy] = None
    child: Optional[Child] = None
    _tried: Message = field(default_factory=dict)
    _set_up: Message = field(default_factory=dict)
    _memory: Message = field(default_factory=dict)
    _warmup_ns: "list[int]" = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.failure is None

    @property
    def rss_loaded(self) -> int:
        return int(self._memory.get("rss_loaded") or 0)

    @property
    def block_length(self) -> int:
        """Inferences that fill `limits.block_ms`, judged by the warm-up, within what the agent can hold."""
        filling = math.ceil(self.job.limits.block_ms * 1e6 / self.expected_ns)
        share = _MOST_PER_JOB // (self.job.limits.max_rounds * (len(self.job.entrants) + 1))
        most = max(_SURELY_PER_BLOCK, min(share, _MOST_PER_BLOCK))
        return max(_FEWEST_PER_BLOCK, min(filling, most))

    @property
    def expected_ns(self) -> float:
        return max(1.0, float(median(self._tried["warmup_ns"] or [self._tried["first_ns"]])))

    def smoke_test(self, results: Optional[Path]) -> None:
        """Load, first inference, warm-up; the outputs of the check samples into `results` unless it is None."""
        limits = self.job.limits
        check = {"folder": str(results), "seconds": limits.check_seconds, "bytes": limits.check_bytes}
        request = {"do": "try", **self._session(), "check": check if results else None}
        reply = self._ask(request, limits.load_seconds)
        if reply is None:
            return
        self._tried = reply
        self._warmup_ns += reply["warmup_ns"]
        if results:
            self._take_outputs(reply["outputs"])

    def run_block(self, round_: int, order: int) -> None:
        count = self.block_length
        request = {"do": "block", **self._session(), "count": count}
        timeout_s = self.job.limits.load_seconds + 10 * count * self.expected_ns / 1e9
        reply = self._ask(request, timeout_s)
        if reply is not None:
            self._warmup_ns += reply["warmup_ns"]
            timed = tuple(reply["latency_ns"])
            self.blocks.append(
                Block(round_, order, reply["load_ns"], reply["first_ns"], timed, reply["cpu_ns"])
            )
            self.medians_ns[round_] = float(median(timed))
        if not self.lasting:
            self.release()

    def started_child(self) -> Child:
        """The child; started and set up first where there is none. Raises ChildFailed."""
        if self.child is None:
            self.child = Child()
            self._set_up = self.child.ask(
                self._first_request(), self.job.limits.load_seconds, self._require_not_cancelled
            )
            phases = {k: self._set_up[k] for k in ("rss_start", "rss_runtime")}
            self._memory = {**phases, **self._memory}
        return self.child

    def session_request(self, count: int) -> Message:
        return {"do": "block", **self._session(), "count": count}

    def release(self) -> None:
        """End the child and give its memory back."""
        if self.child is not None:
            self.child.close()
            self.child = None

    def fail(self, failure: ChildFailed) -> None:
        self.failure = failure
        self.release()

    def to_run(self) -> Run:
        state, error = (self.failure.state, self.failure.words) if self.failure else ("ok", None)
        return Run(
            entrant=self.id,
            state=state,
            error=error,
            runtime_version=self._set_up.get("version"),
            file_bytes=_bytes_of(self.root / self.spec.model),
            load_ns=self._tried.get("load_ns"),
            first_ns=self._tried.get("first_ns"),
            warmup_ns=tuple(self._warmup_ns),
            blocks=tuple(self.blocks),
            memory=self._memory_use(),
            energy=self.energy,
            outputs=self.outputs,
            notes=self._notes(),
        )

    def _ask(self, request: Message, silence_s: float) -> "Optional[Message]":
        self._require_not_cancelled()
        try:
            reply = self.started_child().ask(request, silence_s, self._require_not_cancelled)
        except ChildFailed as failure:
            self.fail(failure)
            return None
        self._remember(reply["memory"])
        return reply

    def _require_not_cancelled(self) -> None:
        if self.is_cancelled():
            raise Abandoned

    def _remember(self, memory: Message) -> None:
        """The newest accounts; the peak is the highest that any child of this entrant reached."""
        peaks = [m["rss_peak"] for m in (self._memory, memory) if m.get("rss_peak")]
        self._memory = {**self._memory, **memory, "rss_peak": max(peaks, default=None)}

    def _memory_use(self) -> Optional[MemoryUse]:
        """None when not even the runtime could be imported; else each gap with its reason."""
        if not self._memory:
            return None
        absent = dict(self._memory.get("absent", {}))
        for phase in fields(MemoryUse):
            if phase.name != "absent" and self._memory.get(phase.name) is None:
                absent.setdefault(phase.name, "the model process ended before it reported this")
        return MemoryUse(**{**self._memory, "absent": absent})

    def _first_request(self) -> Message:
        folder = self.root / self.job.samples
        return {
            "runtime": self.spec.runtime,
            "python_path": [str(self.root / p) for p in self.spec.python_path],
            "samples": [str(folder / f"{i}.npy") for i in range(len(self.spec.inputs))],
        }

    def _session(self) -> Message:
        return {
            "model": str(self.root / self.spec.model),
            "threads": self.spec.threads,
            "inputs": list(self.spec.inputs),
            "outputs": list(self.spec.outputs),
            "warmup_runs": self.job.limits.warmup_runs,
            "warmup_ns": int(self.job.limits.block_ms * 1e6),
        }

    def _take_outputs(self, reply: Message) -> None:
        files = tuple(str(Path(f).relative_to(self.root)) for f in reply["files"])
        self.outputs = Outputs(files, reply["count"], reply["offered"], reply["limited_by"])
        if not reply["finite"]:
            self.fail(ChildFailed("wrong", "outputs are not finite though all inputs are"))

    def _notes(self) -> "tuple[str, ...]":
        restarted = ("low memory: its process was restarted for each block",) if not self.lasting else ()
        return (*self._tried.get("notes", ()), *restarted)


def _bytes_of(model: Path) -> int:
    """The file with its external data (`model.onnx`, `model.onnx.data`)."""
    return sum(p.stat().st_size for p in model.parent.glob(f"{model.name}*") if p.is_file())
