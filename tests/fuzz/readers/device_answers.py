"""What a device answers to each command of the agent, and what is then done with it: decided by, computed with, shown."""

import io
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from edgeq import catalog
from edgeq.agent.conditions import read_conditions
from edgeq.agent.facts import read_facts
from edgeq.deliver import preflight, wheel_locks
from edgeq.deliver.device_answer import agent_answer
from edgeq.deliver.session import with_detected_cpu
from edgeq.errors import NoSpace
from edgeq.example_code import LANGUAGES, NoExample, Place, contract_of
from edgeq.nouns.answers import LiveContract
from edgeq.nouns.device import Facts
from edgeq.nouns.job import UNREADABLE, Entrant, Job
from edgeq.nouns.measurement import Attempt, Block, Energy, Measurement, MemoryUse, Outputs, Run
from edgeq.nouns.release import App, DeviceStatus, Release, ServiceState
from edgeq.nouns.results import DeviceReport
from edgeq.report.formats.text import show, show_result
from edgeq.report.race import compare_runs
from edgeq.transport.base import Completed
from tests.fuzz.mutations import changed_bytes, changed_json, nested

_SHA = "5" * 64
_WHEN = "2025-01-31T12:00:00Z"


def examples(folder: Path) -> list[bytes]:
    """The command, a newline, the exit code, a newline, the answer."""
    facts = read_facts(str(folder))
    release = Release(_SHA, _WHEN, 12345, "ort-int8", _WHEN)
    app = App("net", f"{folder}/apps/net/current", _SHA, "ort-int8", _WHEN, None, (release,))
    service = ServiceState("system", "active", "/var/lib/edgeq")
    status = DeviceStatus((app,), "a" * 16, str(folder), 10**9, 10**6, "ann", service, ("job-1",))
    measurement = race(facts)
    nothing = Job("job-2", UNREADABLE, "", (), "")
    answers: dict[str, Any] = {
        "facts": facts.to_dict(),
        "probe": read_conditions().to_dict(),
        "status": status.to_dict(),
        "activate": app.to_dict(),
        "install": release.to_dict(),
        "remembered": measurement.job.to_dict(),
        "work": measurement.to_dict(),
        "result": replace(measurement, job=nothing, state="failed", runs=(), error="no job").to_dict(),
        "inventory": {"have": [_SHA], "wheels": ["numpy-2.0-" + "1" * 8]},
        "lock": {"token": "abcdef"},
        "samples": {"path": f"samples/{_SHA}"},
        "results": {"results": ["job-1", "job-2"]},
        "remove": {"removed": ["apps", "agent"], "bytes": 12345},
        "withdraw": {"withdrawn": True},
        "unlock": {},
        "contract": {"path": app.path, "contract": contract(), "files": ["contract.json", "model.onnx"]},
    }
    full = NoSpace("the disk is full", "make room", details=["/: 0 bytes"], live="net = 5555555")
    failed = b"install\n1\n" + json.dumps({"error": full.to_dict()}).encode()
    return [f"{name}\n0\n{json.dumps(answer)}".encode() for name, answer in answers.items()] + [failed]


def mutated(example: bytes, rng: random.Random) -> bytes:
    command, code, answer = example.split(b"\n", 2)
    kind = rng.random()
    if kind < 0.05:
        answer = nested(rng, *rng.choice((("[", "]"), ('{"a":', "}")))).encode()
    elif kind < 0.2:
        answer = changed_bytes(answer, rng)
    else:
        answer = changed_json(answer, rng)
    return b"\n".join((command, code if rng.random() < 0.95 else b"70", answer))


def read(content: bytes, folder: Path) -> object:
    command, code, answer = content.split(b"\n", 2)
    noun = agent_answer(Completed(int(code), answer, b"words"), command.decode(), "pi@board")
    _USES.get(type(noun), lambda noun: None)(noun)
    return noun


def _decide(facts: Facts) -> None:
    show(facts, _console())
    target = catalog.target("rpi4")
    with_detected_cpu(catalog.target("local"), facts)
    preflight.require_target(facts, target, "pi@board")
    preflight.require_writable(facts, "pi@board")
    preflight.require_room(facts, "pi@board", to_send=1000, wheels=1000, live=None)
    preflight.require_memory(facts, "pi@board", predicted_peak=1000, live=None)
    wheel_locks.choose_lock("onnxruntime", facts, target)


def contract() -> dict[str, Any]:
    end = {"name": "x", "source_name": "x", "dtype": "int8", "shape": [1, 3, None, 4]}
    end["affine"] = {"scale": 0.5, "zero_point": -3}
    image = {"size": [2, 4], "resize": "stretch", "short_side": None, "layout": "NCHW", "channels": "RGB"}
    return {
        "app": "net",
        "candidate": "litert-float",
        "model": "model.tflite",
        "runtime": "litert",
        "threads": 2,
        "inputs": [end],
        "outputs": [end],
        "preprocessing": {**image, "scale": 0.1, "mean": [0.5], "std": [0.2]},
    }


def _write_programs(answer: LiveContract) -> None:
    for program in LANGUAGES.values():
        try:
            program(contract_of(answer.contract), Place(f"{answer.path}/model", live=answer.path))
        except NoExample:
            continue


def _show_status(status: DeviceStatus) -> None:
    show_result(DeviceReport(read_facts("/"), status), _console())


def _compare(measurement: Measurement) -> None:
    report = compare_runs(measurement)
    show_result(report, _console())
    json.dumps(report.to_dict(), allow_nan=False)


def _console() -> Console:
    return Console(file=io.StringIO(), width=100)


_USES: dict[type, Callable[[Any], None]] = {
    Facts: _decide,
    DeviceStatus: _show_status,
    LiveContract: _write_programs,
    Measurement: _compare,
    App: lambda app: show_result(app, _console()),
}


def race(facts: Facts) -> Measurement:
    """Four rounds of two models and the A/A control of the first."""
    now = read_conditions()
    ids = ("ort-float", "ort-int8")
    entrants = tuple(
        Entrant(id, "onnxruntime", f"apps/net/releases/{_SHA}/{id}.onnx", _SHA, ("x",), ("y",)) for id in ids
    )
    job = Job("job-1", "race", "net", entrants, f"samples/{_SHA}", requested_by="ann@host", created_utc=_WHEN)
    draw = random.Random(1)
    runs = tuple(
        Run(
            entrant=id,
            state="ok",
            runtime_version="1.20.0",
            file_bytes=10**6,
            load_ns=10**7,
            first_ns=10**6,
            blocks=tuple(
                Block(round, order, 10**7, 10**6, tuple(draw.randrange(900, 1100) for _ in range(8)), 10**4)
                for round in range(4)
            ),
            memory=MemoryUse(10**7, 4 * 10**7, 5 * 10**7, 6 * 10**7),
            energy=Energy(0.01, "estimated", "watts of the target"),
            outputs=Outputs((f"results/job-1/{id}/0.npy",), 2, 2),
        )
        for order, id in enumerate((ids[0], ids[0] + "#twin", ids[1]))
    )
    return Measurement(
        job,
        "done",
        "a" * 16,
        _WHEN,
        "2025-01-31T12:00:09.5Z",
        facts,
        now,
        now,
        runs,
        quiet=True,
        stopped_by="x",
        attempts=(Attempt(0, 4, stopped_by="x"),),
    )
