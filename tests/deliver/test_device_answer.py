"""What a device says is taken for what it claims to be only when it is: everything else is an error of ours, and soon."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.agent.commands import facts as facts_command
from edgeq.agent.layout import Root
from edgeq.deliver.agent_link import AgentLink
from edgeq.deliver.device_answer import ANSWERS, agent_answer, json_lines, key_values
from edgeq.deliver.fetched_array import read_array
from edgeq.deliver.jobs import work
from edgeq.deliver.results import fetch_result
from edgeq.errors import DataRefused, EdgeqError, NoSpace, RemoteFailed
from edgeq.nouns.device import Facts
from edgeq.nouns.job import Job
from edgeq.report.race import compare_runs
from edgeq.transport.base import Completed
from edgeq.transport.local import LocalTransport
from tests.fuzz.readers.device_answers import race

SHA = "5" * 64
RELEASE = {"digest": SHA, "installed_utc": "2025-01-31T12:00:00Z", "bytes": 7}
APP = {
    "name": "net",
    "path": "/var/lib/edgeq/apps/net/current",
    "live": SHA,
    "candidate": "ort",
    "since_utc": "2025-01-31T12:00:00Z",
    "previous": None,
    "releases": [RELEASE],
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Those of this machine, as the agent says them."""
    root = Root(tmp_path_factory.mktemp("root"))
    return facts_command.answer(facts_command.Request(), root).to_dict()


def said(value: Any, command: str, code: int = 0) -> Any:
    return agent_answer(Completed(code, json.dumps(value).encode(), b""), command, "pi@board")


def test_an_answer_becomes_the_noun_of_its_command(facts: dict[str, Any]) -> None:
    assert said(facts, "facts") == Facts.from_dict(facts)
    assert said(APP, "activate").releases[0].digest == SHA
    assert said({"token": "abc"}, "lock").token == "abc"


def test_every_command_of_the_agent_that_a_host_calls_has_its_noun() -> None:
    commands = Path(sys.modules["edgeq.agent.commands"].__file__ or "").parent
    there = {path.stem for path in commands.glob("[!_]*.py")}
    assert there - set(ANSWERS) == {"drain", "periodic", "seal"}  # the service's, and an upload's by hand
    assert set(ANSWERS) <= there


NOT_FACTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda f: [f],
    "a number": lambda f: 3,
    "a key too few": lambda f: {k: v for k, v in f.items() if k != "arch"},
    "a key too many": lambda f: {**f, "shell": "reboot"},
    "words for a number": lambda f: {**f, "cores": "4"},
    "a number for words": lambda f: {**f, "board": 4},
    "null": lambda f: {**f, "isa": None},
    "no core": lambda f: {**f, "cores": 0},
    "10^30 bytes": lambda f: {**f, "memory_total": 10**30},
    "2^63 bytes": lambda f: {**f, "memory_total": 2**63},
    "less than nothing": lambda f: {**f, "root_free": -1},
    "infinite memory": lambda f: {**f, "memory_total": float("inf")},
    "a relative root": lambda f: {**f, "root": "../../etc"},
    "a root of two lines": lambda f: {**f, "root": "/a\n/b"},
    "a NUL in the root": lambda f: {**f, "root": "/a\0b"},
    "a version in words": lambda f: {**f, "python": "three"},
    "a board of a megabyte": lambda f: {**f, "board": "x" * 1_000_000},
    "a key of a megabyte": lambda f: {**f, "has_modules": {"x" * 1_000_000: "1"}},
}


@pytest.mark.parametrize("change", NOT_FACTS.values(), ids=NOT_FACTS)
def test_what_are_no_facts_are_not_taken(
    facts: dict[str, Any], change: Callable[[dict[str, Any]], Any]
) -> None:
    with pytest.raises(RemoteFailed, match="pi@board answered to `facts`") as refused:
        said(change(facts), "facts")
    assert refused.value.remedy and refused.value.details
    assert all(len(line) <= 600 for line in refused.value.details)


NO_ANSWERS = {
    "an app that leaves its folder": ("activate", {**APP, "name": "../../x"}),
    "a digest that is a path": ("activate", {**APP, "live": "../" + SHA[3:]}),
    "a release without a digest": ("install", {**RELEASE, "digest": ""}),
    "a folder of kept files that is no path": ("rollback", {**APP, "kept": "x"}),
    "a candidate that is a path": ("rollback", {**APP, "candidate": "a/b"}),
    "results that are paths": ("results", {"results": ["ok", "../../etc/passwd"]}),
    "a result that begins with a dash": ("results", {"results": ["-rf"]}),
    "results without end": ("results", {"results": ["r"] * 5000}),
    "samples elsewhere": ("samples", {"path": "/etc"}),
    "samples above": ("samples", {"path": "samples/../../x"}),
    "wheels that are links up": ("inventory", {"have": [], "wheels": ["../x"]}),
    "a hash that is none": ("inventory", {"have": ["x" * 64], "wheels": []}),
    "a token of two lines": ("lock", {"token": "a\nb"}),
    "no token": ("lock", {"token": ""}),
    "a truth in words": ("withdraw", {"withdrawn": "yes"}),
}


@pytest.mark.parametrize(("command", "value"), NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_names_and_paths_are_checked(command: str, value: Any) -> None:
    with pytest.raises(RemoteFailed, match=f"answered to `{command}`"):
        said(value, command)


NO_ATTEMPTS: dict[str, list[dict[str, Any]]] = {
    "rounds of none": [],
    "a round too few": [{"first_round": 0, "rounds": 3}],
    "a gap": [{"first_round": 0, "rounds": 2}, {"first_round": 3, "rounds": 1}],
    "one before the first": [{"first_round": -1, "rounds": 5}],
    "waited for less than nothing": [{"first_round": 0, "rounds": 4, "waited_ns": -1}],
}


@pytest.mark.parametrize("attempts", NO_ATTEMPTS.values(), ids=NO_ATTEMPTS)
def test_every_round_of_a_measurement_belongs_to_one_of_its_attempts(attempts: list[dict[str, Any]]) -> None:
    """The measurement has rounds 0 to 3."""
    old = json.loads((Path(__file__).parents[1] / "nouns/measurement_1.json").read_text())
    assert len(said(old, "result").attempts) == 1
    two = [{"first_round": 0, "rounds": 1}, {"first_round": 1, "rounds": 3, "waited_ns": 5}]
    assert len(said({**old, "schema": 2, "attempts": two}, "result").attempts) == 2
    with pytest.raises(RemoteFailed):
        said({**old, "schema": 2, "attempts": attempts}, "result")


def test_half_a_character_does_not_get_further(facts: dict[str, Any]) -> None:
    board = said({**facts, "board": "Pi\udcff"}, "facts").board
    assert board == "Pi\ufffd" and board.encode()


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\n\n", "\x0b", "\x85", "\u2028"])
def test_a_device_begins_no_line_of_its_own(
    facts: dict[str, Any], measured: dict[str, Any], line_break: str
) -> None:
    forged = f"Pi{line_break}OK    all is well"
    told = {**facts, "board": forged, "os": forged, "cpu_model": forged, "has_modules": {forged: forged}}

    taken = said(told, "facts")
    before = {"uptime_ns": 1, "governor": {"0": forged}}
    result = said({**measured, "facts": told, "before": before, "stopped_by": forged}, "result")
    app = said({**APP, "since_utc": forged}, "activate")
    failure = {"kind": "NoSpace", "what": forged, "remedy": forged, "details": [forged]}
    with pytest.raises(NoSpace) as failed:
        said({"error": failure}, "install", code=1)

    one = "Pi OK    all is well"
    assert (taken.board, taken.os, taken.cpu_model, taken.has_modules) == (one, one, one, {one: one})
    assert (result.facts.board, result.before.governor, result.stopped_by) == (one, {"0": one}, one)
    assert app.since_utc == one
    assert (failed.value.what, failed.value.remedy) == (f"pi@board: {one}", one)
    assert failed.value.details == (one,)


def test_a_login_script_that_prints_is_named_as_a_cause(facts: dict[str, Any]) -> None:
    noisy = Completed(0, b"Welcome\n" + json.dumps(facts).encode(), b"")

    with pytest.raises(RemoteFailed) as refused:
        agent_answer(noisy, "facts", "pi@board")

    assert "a login script prints" in str(refused.value.remedy)


def test_a_path_with_a_line_break_is_refused_not_mended(facts: dict[str, Any]) -> None:
    with pytest.raises(RemoteFailed, match="is not what the agent answers"):
        said({**facts, "root": "/opt/edge\nq"}, "facts")


def test_a_failure_keeps_its_kind_and_gets_the_devices_name() -> None:
    with pytest.raises(NoSpace, match="pi@board: full") as full:
        said({"error": NoSpace("full", "make room", live="net = 5555555").to_dict()}, "install", 1)
    assert (full.value.remedy, full.value.live) == ("make room", "net = 5555555")
    with pytest.raises(DataRefused):
        said({"error": DataRefused("no").to_dict()}, "samples", 1)


@pytest.mark.parametrize(
    "error",
    [
        None,
        [],
        "no",
        {},
        {"what": "no"},
        {"kind": "NoSpace", "what": ["a"]},
        {"kind": 3, "what": "x"},
        {"kind": "NoSpace", "what": "x", "details": "words"},
        {"kind": "NoSpace", "what": "x", "details": [{}]},
        {"kind": "NoSpace", "what": "x", "remedy": 4},
    ],
)
def test_a_failure_that_is_none_is_said_to_be_so(error: Any) -> None:
    for value in ({"error": error}, error):
        with pytest.raises(RemoteFailed, match="answered to `work`"):
            said(value, "work", 1)


def test_a_failure_is_as_long_as_a_screen_takes() -> None:
    told = {"kind": "Nonsense", "what": "x" * 10**6, "details": ["y" * 10**6] * 500}
    with pytest.raises(RemoteFailed) as error:
        said({"error": told}, "work", 1)
    assert len(error.value.what) <= 600 and len(error.value.details) <= 40


@pytest.mark.parametrize("kind", ["LinkLost", "Unreachable", "HostKeyRefused", "AuthRefused"])
def test_a_device_cannot_speak_for_the_way_to_it(kind: str) -> None:
    """An answer that says "link lost" would be asked for again, without end; a host key is not a device's to judge."""
    with pytest.raises(EdgeqError) as error:
        said({"error": {"kind": kind, "what": "x"}}, "facts", 1)
    assert type(error.value) is RemoteFailed


def test_an_agent_that_broke_is_told_with_its_last_words() -> None:
    with pytest.raises(RemoteFailed, match="broke in `facts`") as broke:
        agent_answer(Completed(70, b"", b"Traceback\nKeyError: 'x'\n"), "facts", "pi@board")
    assert broke.value.details == ("Traceback", "KeyError: 'x'")


ENDLESS = {
    "stdout": "yes",
    "stderr": "yes >&2",
    "one line": "cat /dev/zero",
    "both": "yes >&2 & yes",
    "deep": "printf %0100000000d 0 | tr 0 '['",
}


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
def test_a_device_that_does_not_stop_is_stopped(script: str, tmp_path: Path) -> None:
    program = tmp_path / "python3"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    link = AgentLink(LocalTransport(), str(program), "/agent.pyz", "/root")
    start = time.monotonic()
    with pytest.raises(RemoteFailed, match="gave more than"):
        link.call("facts")
    assert time.monotonic() - start < 10


def test_lines_of_keys_and_of_json() -> None:
    assert key_values(b"Last login: x\nroot=/a=b\n\xff=\xfe\nroot=/c\n") == {"root": "/c", "\ufffd": "\ufffd"}
    assert list(json_lines(b'{"a": 1}\n\n{"b": 2}', "the journal")) == [{"a": 1}, {"b": 2}]
    for text in (b"[]", b"{", b"NaN", b"\xff", b"[" * 5000):
        with pytest.raises(RemoteFailed, match="the journal cannot be read"):
            list(json_lines(text, "the journal"))


def array(tmp_path: Path, value: Any, **how: Any) -> Path:
    np.save(tmp_path / "0.npy", value, **how)
    return tmp_path / "0.npy"


def test_outputs_are_read_as_they_were_written(tmp_path: Path) -> None:
    for value in (
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.zeros((2, 0), np.int8),
        np.array([True, False]),
    ):
        assert np.array_equal(read_array(array(tmp_path, value), 2, "0.npy"), value)


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-8])
    return path


NO_ARRAYS: dict[str, Callable[[Path], Path]] = {
    "objects": lambda p: array(p, np.array([{}, []], dtype=object), allow_pickle=True),
    "words": lambda p: array(p, np.array(["a", "b"])),
    "dates": lambda p: array(p, np.array(["2020", "2021"], "M8[Y]")),
    "complex": lambda p: array(p, np.zeros(2, complex)),
    "records": lambda p: array(p, np.zeros(2, [("a", "f4")])),
    "one number": lambda p: array(p, np.float32(1)),
    "other rows": lambda p: array(p, np.zeros((3, 2))),
    "cut": lambda p: _cut(array(p, np.zeros((2, 3)))),
    "no header": lambda p: (p / "0.npy").write_bytes(b"\x93NUMPY\x01\x00\xff\xff{") and p / "0.npy",
    "empty": lambda p: (p / "0.npy").write_bytes(b"") or p / "0.npy",
    "a zip": lambda p: (p / "0.npy").write_bytes(b"PK\x03\x04" + b"0" * 50) and p / "0.npy",
}


@pytest.mark.parametrize("make", NO_ARRAYS.values(), ids=NO_ARRAYS)
def test_what_is_no_array_of_numbers_is_refused(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(RemoteFailed, match="results/0.npy is not the array"):
        read_array(make(tmp_path), 2, "results/0.npy")


def test_a_header_that_promises_terabytes_takes_no_memory(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1000000000000), }"
    header += b" " * (117 - len(header)) + b"\n"
    (tmp_path / "0.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(RemoteFailed):
        read_array(tmp_path / "0.npy", 2, "0.npy")


NO_MEASUREMENTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a job without models": lambda m: m["job"].update(entrants=[]),
    "a model that is not in the job": lambda m: m["runs"][2].update(entrant="another"),
    "a model twice": lambda m: m["runs"][2].update(entrant=m["runs"][0]["entrant"]),
    "a model too few": lambda m: m.update(runs=m["runs"][:1]),
    "outputs elsewhere": lambda m: m["runs"][0]["outputs"].update(files=["/etc/passwd"]),
    "outputs of another job": lambda m: m["runs"][0]["outputs"].update(files=["results/other/ort/0.npy"]),
    "outputs above": lambda m: m["runs"][0]["outputs"].update(files=["results/job-1/../../x.npy"]),
    "an output too many": lambda m: m["runs"][0]["outputs"].update(files=["results/job-1/a"] * 2),
    "more outputs than samples": lambda m: m["runs"][0]["outputs"].update(count=3),
    "outputs of nothing": lambda m: m["runs"][0]["outputs"].update(count=0),
    "a latency below nothing": lambda m: m["runs"][0]["blocks"][0].update(latency_ns=[5, -1]),
    "no latency at all": lambda m: [b.update(latency_ns=[0]) for b in m["runs"][0]["blocks"]],
    "a latency of a thousand years": lambda m: m["runs"][0]["blocks"][0].update(latency_ns=[2**63]),
    "a time in words": lambda m: m.update(started_utc="yesterday"),
    "a time without a zone": lambda m: m.update(finished_utc="2025-01-31T12:00:00"),
    "a state of its own": lambda m: m["runs"][0].update(state="splendid"),
    "energy that was guessed": lambda m: m["runs"][0]["energy"].update(kind="guessed"),
    "memory below nothing": lambda m: m["runs"][0]["memory"].update(rss_peak=-1),
    "a job that leaves the root": lambda m: m["job"].update(samples="../x"),
    "an id that is a path": lambda m: m["job"].update(id="../x"),
}


@pytest.fixture
def measured(facts: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(race(Facts.from_dict(facts)).to_dict()))


def test_a_measurement_is_taken(measured: dict[str, Any]) -> None:
    assert said(measured, "work").runs[2].outputs.count == 2


@pytest.mark.parametrize("change", NO_MEASUREMENTS.values(), ids=NO_MEASUREMENTS)
def test_what_is_no_measurement_of_a_job_is_not_taken(
    measured: dict[str, Any], change: Callable[[dict[str, Any]], Any]
) -> None:
    change(measured)
    with pytest.raises(RemoteFailed, match="answered to `work`"):
        said(measured, "work")


class Answering(LocalTransport):
    """A device whose agent gives this answer to whatever it is asked."""

    def __init__(self, answer: Any) -> None:
        self._answer = json.dumps(answer).encode()

    def run(self, *words: Any, **options: Any) -> Completed:
        return Completed(0, self._answer, b"")


def test_the_result_of_another_job_is_not_taken_for_this_one(measured: dict[str, Any]) -> None:
    link = AgentLink(Answering(measured), "python3", "/agent.pyz", "/root")
    job = Job.from_dict(measured["job"])
    assert fetch_result(link, job.id).job == job
    assert work(link, None, job, lambda progress: None).job == job
    with pytest.raises(RemoteFailed, match="another job than job-2"):
        fetch_result(link, "job-2")
    with pytest.raises(RemoteFailed, match="another job than job-1"):
        work(link, None, replace(job, entrants=job.entrants[:1]), lambda progress: None)


def test_a_result_that_names_no_model_says_so_when_it_is_shown(measured: dict[str, Any]) -> None:
    measured["job"].update(kind="unreadable", entrants=[], samples="", app="")
    measured.update(state="failed", runs=[], error="not a job: it is empty")
    with pytest.raises(EdgeqError, match="job-1 measured nothing: not a job: it is empty"):
        compare_runs(said(measured, "result"))
