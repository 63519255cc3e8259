"""Jobs and results as files: what the service does with them, also with those that are none."""

import json
import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgeq.errors import DeviceBusy, RemoteFailed
from edgeq.nouns.job import Entrant, Job
from edgeq.nouns.measurement import Measurement
from tests.agent.files.device import Bundle, Device, bundle, job, sha


def relu() -> bytes:
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
    opset = helper.make_opsetid("", 17)
    return bytes(helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString())


MODEL = relu()
RELU = bundle(files={"candidates/ort/model.onnx": MODEL})


@pytest.fixture
def deployed(device: Device, token: str, tmp_path: Path) -> Job:
    """A live model, its check samples, and the job that smokes it; the lock is free."""
    np.save(tmp_path / "x.npy", np.ones((2, 1, 4), np.float32))
    samples = (tmp_path / "x.npy").read_bytes()
    device.upload(samples)
    folder = device.call("samples", token=token, files=[sha(samples)])["path"]
    known = job(samples=folder)
    device.deploy(token, RELU, job=replace(known, kind="race").to_dict())
    device.call("unlock", token=token)
    return known


def test_work_runs_the_job_and_keeps_its_result(device: Device, deployed: Job) -> None:
    token = device.lock()
    measurement = Measurement.from_dict(device.call("work", token=token, job=deployed.to_dict()))

    assert measurement.state == "done", measurement.error
    assert device.call("results")["results"] == [deployed.id]
    assert device.call("result", id=deployed.id) == measurement.to_dict()
    outputs = measurement.runs[0].outputs
    assert outputs is not None
    assert np.load(device.root / outputs.files[0]).shape == (2, 1, 4)


def test_a_job_that_has_a_result_is_not_run_again(device: Device, deployed: Job) -> None:
    first = device.call("work", job=deployed.to_dict())
    assert device.call("work", job=deployed.to_dict()) == first


def test_work_without_a_token_takes_the_device_itself(device: Device, deployed: Job) -> None:
    token = device.lock()
    with pytest.raises(DeviceBusy, match="ann@host"):
        device.call("work", job=deployed.to_dict())
    device.call("unlock", token=token)
    device.call("work", job=deployed.to_dict())
    assert device.call("status")["lock"] is None


def test_submitted_jobs_are_drained_oldest_first(device: Device, deployed: Job) -> None:
    for n, id in enumerate(("second", "first")):
        device.call("submit", job=replace(deployed, id=id).to_dict())
        os.utime(device.root / f"jobs/{id}.json", (2000 - n, 2000 - n))

    assert device.call("drain")["done"] == ["first", "second"]
    assert device.call("results")["results"] == ["first", "second"]
    assert device.call("results", after="first")["results"] == ["second"]
    assert device.call("status")["last_results"] == ["first", "second"]
    assert _waiting(device) == []


def test_a_clock_that_was_set_back_does_not_reorder_results(device: Device, deployed: Job) -> None:
    device.call("work", job=replace(deployed, id="before").to_dict())
    future = 4_000_000_000
    os.utime(device.root / "results/before/measurement.json", (future, future))
    device.call("work", job=replace(deployed, id="after").to_dict())
    assert device.call("results", after="before")["results"] == ["after"]


def test_a_job_whose_model_is_gone_is_a_result(device: Device, deployed: Job) -> None:
    entrant = replace(deployed.entrants[0], model="apps/net/current/gone.onnx")
    device.call("submit", job=replace(deployed, id="gone", entrants=(entrant,)).to_dict())
    assert device.call("drain")["done"] == ["gone"]
    assert device.call("result", id="gone")["runs"][0]["state"] == "load_failed"


def test_a_job_that_killed_the_agent_does_not_come_back(device: Device, deployed: Job) -> None:
    device.call("submit", job=replace(deployed, id="killer").to_dict())
    (device.root / "jobs/killer.json").rename(device.root / "jobs/running/killer.json")

    assert device.call("drain")["done"] == ["killer"]
    result = device.call("result", id="killer")
    assert result["state"] == "failed" and "stopped during this job" in result["error"]
    assert device.call("drain")["done"] == []


def test_a_job_that_ended_just_before_the_power_went_keeps_its_result(device: Device, deployed: Job) -> None:
    device.call("work", job=deployed.to_dict())
    (device.root / "jobs/running").mkdir(parents=True, exist_ok=True)
    (device.root / "jobs/running/job-1.json").write_text(json.dumps(deployed.to_dict()))

    device.call("drain")
    assert device.call("result", id=deployed.id)["state"] == "done"


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _changed(path: Path, part: str, **values: object) -> str:
    known = job(path.stem).to_dict()
    return json.dumps({**known, part: {**known[part], **values}})


STRANGE = {
    "garbage": lambda p: p.write_bytes(b"\xff\x00{"),
    "empty": lambda p: p.write_bytes(b""),
    "nested": lambda p: p.write_text("[" * 200_000),
    "huge": lambda p: p.write_bytes(b" " * (2 << 20)),
    "schema": lambda p: p.write_text(json.dumps(replace(job(p.stem), schema=2).to_dict())),
    "unknown-key": lambda p: p.write_text(json.dumps({**job(p.stem).to_dict(), "shell": "reboot"})),
    "other-id": lambda p: p.write_text(json.dumps(job("another").to_dict())),
    "outside": lambda p: p.write_text(json.dumps(job(p.stem, model="../../etc/passwd").to_dict())),
    "endless": lambda p: p.write_text(json.dumps(job(p.stem).to_dict()).replace("0.2", "1e12")),
    "infinite": lambda p: p.write_text(json.dumps(job(p.stem).to_dict()).replace("0.2", "1e400")),
    "no-number": lambda p: p.write_text(json.dumps(job(p.stem).to_dict()).replace("0.2", "NaN")),
    "precision": lambda p: p.write_text(json.dumps(job(p.stem).to_dict()).replace("0.01", "Infinity")),
    "rounds": lambda p: p.write_text(_changed(p, "limits", max_rounds=10**30)),
    "threads": lambda p: p.write_text(_changed(p, "limits", warmup_runs=-(2**62))),
    "types": lambda p: p.write_text(json.dumps({**job(p.stem).to_dict(), "entrants": {"a": 1}})),
    "surrogate": lambda p: p.write_text(json.dumps({**job(p.stem).to_dict(), "app": "a\udcff"})),
    "no-object": lambda p: p.write_text("[[], 3]"),
    "sparse": lambda p: p.touch() or os.truncate(p, 10 << 30),
    "socket": lambda p: socket.socket(socket.AF_UNIX).bind(str(p)),
    "unreadable": lambda p: p.write_text("{}") and p.chmod(0),
    "link": _link,
    "folder": lambda p: (p / "inside").mkdir(parents=True),
    "pipe": os.mkfifo,
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_job_is_refused_with_a_result_and_goes(device: Device, kind: str) -> None:
    """systemd starts the agent for as long as a *.json lies in jobs/: whatever it is, it has to go."""
    (device.root / "jobs").mkdir(parents=True)
    STRANGE[kind](device.root / f"jobs/{kind}.json")

    assert device.call("drain")["done"] == [kind]
    result = Measurement.from_dict(device.call("result", id=kind))
    assert result.state == "failed" and "not a job" in (result.error or "")
    assert _waiting(device) == []


def _folder_of_files(path: Path) -> None:
    (path / "full/deep").mkdir(parents=True)
    (path / "full/deep/user.txt").write_text("mine")


LOST = {
    "a folder": (_folder_of_files, "full/deep/user.txt"),
    "a file": (lambda p: p.write_text("mine"), "."),
    "JSON of another kind": (lambda p: p.write_text('["mine"]'), "."),
}


@pytest.mark.parametrize("place", ["jobs", "jobs/running"])
@pytest.mark.parametrize("kind", LOST)
def test_what_is_no_job_is_put_aside_and_not_lost(device: Device, place: str, kind: str) -> None:
    make, inside = LOST[kind]
    for name in ("jobs/o.json.refused", "jobs/o.json.refused-2"):
        (device.root / place).mkdir(parents=True, exist_ok=True)
        make(device.root / place / "o.json")
        assert device.call("drain")["done"] == ["o"]
        assert "mine" in (device.root / name / inside).read_text()
        assert _waiting(device) == []
    assert "jobs/o.json.refused now" in device.call("result", id="o")["error"]
    device.call("remove", everything=True)
    assert "mine" in (device.root / "jobs/o.json.refused" / inside).read_text()


@pytest.mark.parametrize("name", ["x" * 250 + ".json", "ä" * 120 + ".json"])
def test_a_long_name_does_not_keep_what_is_no_job_where_it_starts_the_service(
    device: Device, name: str
) -> None:
    _folder_of_files(device.root / "jobs" / name)
    device.call("drain")
    assert _waiting(device) == []
    assert [p.read_text() for p in (device.root / "jobs").rglob("user.txt")] == ["mine"]


def test_no_bad_job_stops_the_queue(device: Device, deployed: Job) -> None:
    (device.root / "jobs/running").mkdir(parents=True)
    for n, (kind, make) in enumerate(STRANGE.items()):
        make(device.root / f"jobs/{kind}.json")
        os.utime(device.root / f"jobs/{kind}.json", (n, n), follow_symlinks=False)
    (device.root / "results").mkdir(exist_ok=True)
    (device.root / "results/blocked").write_text("a file where the result belongs")
    (device.root / "jobs/blocked.json").write_text(json.dumps(replace(deployed, id="blocked").to_dict()))
    (device.root / "jobs/running/cut.json").write_bytes(b"\xff")
    device.call("submit", job=replace(deployed, id="good").to_dict())

    said = device.call("drain")
    assert set(said["done"]) == {*STRANGE, "cut", "good"} and said["stuck"] == []
    assert device.call("result", id="good")["state"] == "done"
    assert _waiting(device) == []
    assert (device.root / "results/blocked").read_text() == "a file where the result belongs"


def test_a_strange_file_name_gets_a_result_too(device: Device) -> None:
    (device.root / "jobs").mkdir(parents=True)
    (device.root / "jobs/ä \n.json").write_text("{}")
    (done,) = device.call("drain")["done"]
    assert done.startswith("refused-") and device.call("results")["results"] == [done]


def test_a_job_waits_until_the_host_is_done(device: Device, deployed: Job) -> None:
    token = device.lock()
    device.call("submit", job=replace(deployed, id="patient").to_dict())
    words = [device.python, "-I", str(device.archive), "--root", str(device.root), "drain"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as drain:
        device.call("unlock", token=token)
        said = json.loads(drain.communicate()[0])
    assert said["done"] == ["patient"] and device.call("result", id="patient")["state"] == "done"


def test_a_job_that_waited_too_long_says_who_held_the_device(device: Device, deployed: Job) -> None:
    device.lock()
    device.call("submit", job=replace(deployed, id="patient").to_dict())
    assert device.call("drain", wait_s=0)["done"] == ["patient"]
    assert "ann@host" in device.call("result", id="patient")["error"]
    assert _waiting(device) == []


def test_a_job_that_the_holder_lends_the_device_to_comes_first(device: Device, deployed: Job) -> None:
    device.call("submit", job=replace(deployed, id="older").to_dict())
    token = device.lock()
    device.call("submit", job=replace(deployed, id="lent").to_dict(), token=token)

    assert device.call("drain", wait_s=0)["done"] == ["lent", "older"]
    assert device.call("result", id="lent")["state"] == "done"
    assert "ann@host" in device.call("result", id="older")["error"]  # it was not lent anything
    assert device.call("lock", token=token)["token"] == token  # and the device is still its holder's


def test_a_job_that_already_waits_makes_way_for_one_that_the_device_is_lent_to(
    device: Device, deployed: Job
) -> None:
    token = device.lock()
    device.call("submit", job=replace(deployed, id="older").to_dict())
    words = [device.python, "-I", str(device.archive), "--root", str(device.root), "drain"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as drain:
        device.call("submit", job=replace(deployed, id="lent").to_dict(), token=token)
        while "lent" not in device.call("results")["results"]:
            pass
        device.call("unlock", token=token)
        assert json.loads(drain.communicate()[0])["done"] == ["lent", "older"]


def test_only_its_holder_can_lend_the_device(device: Device, deployed: Job) -> None:
    device.lock()
    with pytest.raises(DeviceBusy):
        device.call("submit", job=deployed.to_dict(), token="0" * 32)
    assert _waiting(device) == []


def test_a_job_that_nobody_began_can_be_taken_back(device: Device, deployed: Job) -> None:
    device.call("submit", job=deployed.to_dict())
    assert device.call("withdraw", id=deployed.id) == {"withdrawn": True}
    assert device.call("withdraw", id=deployed.id) == {"withdrawn": False}
    assert device.call("drain")["done"] == []
    with pytest.raises(RemoteFailed, match="cannot be the id"):
        device.call("withdraw", id="../history")


def test_two_drains_at_once_do_each_job_once(device: Device, deployed: Job) -> None:
    for i in range(3):
        device.call("submit", job=replace(deployed, id=f"job-{i}").to_dict())
    words = [device.python, "-I", str(device.archive), "--root", str(device.root), "drain"]
    drains = [subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for _ in range(2)]
    done = [id for d in drains for id in json.loads(d.communicate()[0])["done"]]
    assert sorted(done) == ["job-0", "job-1", "job-2"]


def test_periodic_measures_what_is_live_and_says_what_it_cannot(device: Device, deployed: Job) -> None:
    plain: Bundle = bundle("plain")
    token = device.lock()
    device.deploy(token, plain)
    device.call("unlock", token=token)

    said = device.call("periodic")
    assert len(said["submitted"]) == 1 and said["submitted"][0].startswith("periodic-net-")
    assert "no measurement job" in said["skipped"]["plain"]
    assert "still queued" in device.call("periodic")["skipped"]["net"]
    device.call("drain")
    result = Measurement.from_dict(device.call("result", id=said["submitted"][0]))
    assert result.state == "done" and result.job.kind == "measure" and result.runs[0].blocks


def test_remembered_is_narrowed_to_what_is_live(device: Device, token: str) -> None:
    other = Entrant("lite", "litert", "m", "0" * 64, ("x",), ("y",))
    device.deploy(token, bundle(), job=job(entrants=(other, *job().entrants)).to_dict())
    assert [e["id"] for e in device.call("remembered", app="net")["entrants"]] == ["ort"]


def test_there_is_no_such_result(device: Device) -> None:
    for id in ("nope", "../../etc"):
        with pytest.raises(RemoteFailed, match="no result"):
            device.call("result", id=id)


def test_a_job_that_leaves_the_root_is_refused_at_once(device: Device) -> None:
    with pytest.raises(RemoteFailed) as error:
        device.call("submit", job=job(samples="../samples").to_dict())
    assert "samples '../samples': the path has the component '..'" in error.value.details


def _waiting(device: Device) -> list[str]:
    return [p.name for p in (device.root / "jobs").rglob("*.json")]
