"""Jobs through the service: done as user edgeq in the sandbox, whoever asks, and whatever they do to the agent."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgeq.deliver.lock import locked
from edgeq.deliver.measure import measure
from edgeq.deliver.service.measure import fetch_new, submit_and_wait
from edgeq.nouns.progress import Note
from edgeq.request.tell import silence
from edgeq.workflow.service import install_service, service_log, service_status
from tests.deliver.service.board import Board, another, deploy_relu, states

pytestmark = pytest.mark.lab
ROOT = "/var/lib/edgeq"


def test_models_are_measured_by_user_edgeq_in_the_sandbox(board: Board, tmp_path: Path) -> None:
    install_service(**board.call)
    with board.session() as device:
        assert device.link.root == ROOT  # what is deployed from now on goes where the service looks
        job = deploy_relu(device, tmp_path)
        with locked(device.link, "test") as token:
            asked = submit_and_wait(device.link, token, another(job), 120, silence)
        assert asked is not None
        assert states(asked) == {"onnxruntime": "ok", "litert": "ok"}
        assert asked.facts.user == "edgeq"
        assert asked.runs[0].outputs is not None
        assert board.run(f"stat -c %U {ROOT}/results/{asked.job.id}/measurement.json") == "edgeq"

        # The timer's work, without waiting for the hour: what is live is measured, and the host fetches it later.
        board.run("sudo systemctl start edgeq-measure.service")
        board.wait_for_result(ROOT, "periodic-relu-")
        fetched = fetch_new(device.link, asked.job.id)
        assert [m.job.requested_by for m in fetched] == ["edgeq timer"]
        assert states(fetched[0]) == {"onnxruntime": "ok"}
        assert fetch_new(device.link, None, known={asked.job.id, fetched[0].job.id}) == []

        # The login cleans up after both: it is in the service's group.
        with locked(device.link, "test") as token:
            device.link.call("remove", {"token": token, "everything": True})
        assert board.run(f"ls -A {ROOT}") == ""

    assert int(board.run("id -u edgeq")) in {e.uid for e in service_log(**board.call).entries}
    # The sandbox hides no reading that the agent needs.
    assert asked.before.load1 is not None
    assert asked.before.total_ticks is not None
    assert asked.before.memory_available


@pytest.mark.slow
def test_what_is_no_job_neither_spins_nor_stops_the_service(board: Board) -> None:
    install_service(**board.call)
    for i in range(20):  # more than systemd's own limit of starts
        board.run(f"echo garbage {i} > {ROOT}/jobs/poison-{i}.json")
    board.run(
        f"touch {ROOT}/jobs/empty.json; ln -s /etc/passwd {ROOT}/jobs/link.json; mkfifo {ROOT}/jobs/pipe.json"
    )
    failed = board.wait_for_result(ROOT, count=23)
    assert {m["state"] for m in failed} == {"failed"}
    board.wait_until("edgeq-agent.service", "inactive")
    assert board.state("edgeq-agent.path") == "active"
    there = board.run(f"ls {ROOT}/jobs {ROOT}/jobs/running").split()
    assert sum(name.endswith(".json.refused") for name in there) == 23
    assert [name for name in there if not name.endswith(".json.refused")] == [
        f"{ROOT}/jobs:", "running", f"{ROOT}/jobs/running:",
    ]  # fmt: skip
    assert service_status(**board.call).ready


def test_job_waits_while_the_agent_is_broken(board: Board, tmp_path: Path) -> None:
    install_service(**board.call)
    with board.session() as device:
        job = deploy_relu(device, tmp_path, with_runtimes=False)
        good = board.run(f"readlink {ROOT}/agent/current")
        board.run(f"echo broken > {ROOT}/agent/bad.pyz; ln -sfn bad.pyz {ROOT}/agent/current")
        device.link.call("submit", {"job": job.to_dict()})
        board.wait_until("edgeq-agent.service", "deactivating")
        assert board.run(f"ls {ROOT}/jobs/*.json") == f"{ROOT}/jobs/{job.id}.json"
        assert board.state("edgeq-agent.path") == "active"
        board.run(f"ln -sfn {good} {ROOT}/agent/current; sudo pkill -x sleep")  # cuts the pause short
        [measurement] = board.wait_for_result(ROOT, job.id)
        # Without its runtime the model cannot be loaded, which is a result and not the end of the agent.
        assert {run["state"] for run in measurement["runs"]} == {"load_failed"}


def test_job_whose_agent_was_killed_is_written_down_as_failed(board: Board, tmp_path: Path) -> None:
    install_service(**board.call)
    with board.session() as device:
        job = deploy_relu(device, tmp_path)
        limits = replace(job.limits, seconds=600, min_rounds=10_000, max_rounds=10_000, block_ms=1000)
        device.link.call("submit", {"job": replace(job, limits=limits).to_dict()})
        board.wait_until("edgeq-agent.service", "activating")
        board.run(f"until [ -e {ROOT}/jobs/running/{job.id}.json ]; do :; done")
        board.run("sudo systemctl kill --signal=KILL edgeq-agent.service")
        board.run("until pgrep -x sleep; do :; done; sudo pkill -x sleep")
        [measurement] = board.wait_for_result(ROOT, job.id)
    assert measurement["state"] == "failed"
    assert "stopped during this job" in measurement["error"]
    board.wait_until("edgeq-agent.path", "active")


def test_job_waits_for_the_host_that_holds_the_device(board: Board, tmp_path: Path) -> None:
    install_service(**board.call)
    with board.session() as device:
        job = deploy_relu(device, tmp_path, with_runtimes=False)
        with locked(device.link, "a deployment"):
            device.link.call("submit", {"job": job.to_dict()})
            board.wait_until("edgeq-agent.service", "activating")
            assert board.results(ROOT) == []
        board.wait_for_result(ROOT, job.id)


def test_a_host_that_holds_the_device_has_its_job_done_before_any_other(board: Board, tmp_path: Path) -> None:
    install_service(**board.call)
    with board.session() as device:
        job = deploy_relu(device, tmp_path, with_runtimes=False)
        waits = another(job)
        with locked(device.link, "a race") as token:
            device.link.call("submit", {"job": waits.to_dict()})
            board.wait_until("edgeq-agent.service", "activating")  # its drain waits for us
            done = submit_and_wait(device.link, token, job, 120, silence)
            assert done is not None and done.facts.user == "edgeq"
            assert board.results(ROOT) == [job.id]
        board.wait_for_result(ROOT, waits.id)


def test_a_service_that_does_not_begin_is_not_waited_for(board: Board, tmp_path: Path) -> None:
    install_service(**board.call)
    with board.session() as device:
        job = deploy_relu(device, tmp_path, with_runtimes=False)
        folder = "/etc/systemd/system/edgeq-agent.service.d"
        board.run(f"printf '[Service]\\nExecCondition=/bin/false\\n' | sudo tee {folder}/never.conf")
        board.run("sudo systemctl daemon-reload")
        with locked(device.link, "a race") as token:
            assert submit_and_wait(device.link, token, job, 120, silence, begins_s=1) is None
        assert board.run(f"ls {ROOT}/jobs") == "running"

        board.run(
            "sudo systemctl stop edgeq-agent.path; sudo systemctl reset-failed edgeq-agent.path || true"
        )
        told: list[object] = []
        with locked(device.link, "a race") as token:
            assert measure(device, token, job, told.append).facts.user == "pi"
        assert Note("measured over SSH, because the service is system, inactive, in /var/lib/edgeq") in told


def test_ctrl_c_leaves_no_job_that_nobody_waits_for(board: Board, tmp_path: Path) -> None:
    install_service(**board.call)
    board.run("sudo systemctl stop edgeq-agent.path")

    def interrupted(noun: object) -> None:
        raise KeyboardInterrupt

    with board.session() as device:
        job = deploy_relu(device, tmp_path, with_runtimes=False)
        with locked(device.link, "a race") as token, pytest.raises(KeyboardInterrupt):
            submit_and_wait(device.link, token, job, 120, interrupted)
        assert board.run(f"ls {ROOT}/jobs") == "running"
        assert device.status().lock is None


def test_jobs_that_lay_there_at_boot_are_done(board: Board, tmp_path: Path) -> None:
    install_service(**board.call)
    board.run("sudo systemctl stop edgeq-agent.path edgeq-measure.timer")
    with board.session() as device:
        job = deploy_relu(device, tmp_path, with_runtimes=False)
        device.link.call("submit", {"job": job.to_dict()})
    board.run("sudo systemctl start paths.target timers.target")  # what a boot starts
    board.wait_for_result(ROOT, job.id)
    assert board.state("edgeq-measure.timer") == "active"
