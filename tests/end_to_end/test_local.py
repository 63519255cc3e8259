"""The product on this machine, as a user types it: real processes, real runtimes, the demo's model."""

import json
import os
from pathlib import Path

import pytest

from edgeq.demo import demo_files
from tests.end_to_end.command_line import Result, edgeq


@pytest.fixture
def folder(tmp_path: Path, own_home: Path) -> Path:
    """An empty directory with the demo's model and data in it, as a user's would be."""
    model, data = demo_files()
    (tmp_path / "digits.onnx").write_bytes(model.read_bytes())
    (tmp_path / "digits.npz").write_bytes(data.read_bytes())
    return tmp_path


def deployed(folder: Path, *words: str) -> Result:
    """A deployment that has to work; 3 is one that works though the machine was too busy to compare speeds."""
    done = edgeq(folder, "deploy", "digits.onnx", "--data", "digits.npz", "--seconds", "2", *words)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    return done


def test_the_words_of_the_readme(folder: Path) -> None:
    """`edgeq init` once, then `edgeq deploy --target local` is all that is typed."""
    done = edgeq(folder, "init", "--target", "local")
    assert done.returncode == 0
    assert "edgeq deploy --target local" in done.stdout
    done = edgeq(folder, "deploy", "--target", "local", "--seconds", "2")
    assert done.returncode in (0, 3), done.stderr
    for word in ("target", "data", "gate", "> onnxruntime", "speed", "live", "top-1"):
        assert word in done.stdout
    assert "working   measure, at most " in done.stderr
    live = Path(os.environ["HOME"]) / ".local/share/edgeq/apps/digits/current"
    assert (live / "model.onnx").is_file()
    assert json.loads((live / "contract.json").read_text())["runtime"] == "onnxruntime"


def test_init_does_not_overwrite(folder: Path) -> None:
    assert edgeq(folder, "init").returncode == 0
    before = (folder / "edgeq.toml").read_text()
    again = edgeq(folder, "init", "--target", "rpi4")
    assert again.returncode == 12
    assert (folder / "edgeq.toml").read_text() == before


def test_verbose_says_what_else_is_known(folder: Path) -> None:
    said = deployed(folder, "-v").stdout
    for word in ("combinations are unavailable", "p99", "governor", "throughput", "live"):
        assert word in said


def test_the_same_again_sends_and_changes_nothing(folder: Path) -> None:
    first = deployed(folder)
    root = Path(os.environ["HOME"]) / ".local/share/edgeq"
    before = {p: p.lstat().st_mtime_ns for p in root.rglob("*")}
    again = deployed(folder)
    assert again.returncode == first.returncode  # a script is told the same of the same state
    assert "nothing was sent" in again.stdout
    assert {p: p.lstat().st_mtime_ns for p in root.rglob("*")} == before


def test_json_is_one_document_with_all_facts(folder: Path) -> None:
    document = json.loads(deployed(folder, "--json").stdout)
    assert document["changed"] is True
    assert document["app"]["live"] == document["conversion"]["digest"]
    rows = {row["id"]: row for row in document["race"]["rows"]}
    assert {"onnxruntime-float", "onnxruntime-int8_static"} <= set(rows)
    assert all(row["latency"]["samples"] > 0 for row in rows.values())
    assert all(check["passed"] for check in document["checks"])


def test_a_dry_run_changes_nothing(folder: Path) -> None:
    done = deployed(folder, "--dry-run")
    assert done.returncode == 0
    assert not (Path(os.environ["HOME"]) / ".local/share/edgeq").exists()


def test_rollback_brings_back_what_was_live(folder: Path) -> None:
    deployed(folder)
    first = json.loads(edgeq(folder, "status", "--json").stdout)["status"]["apps"][0]["live"]
    deployed(folder, "--recipe", "float")
    second = json.loads(edgeq(folder, "status", "--json").stdout)["status"]["apps"][0]
    assert second["live"] != first
    assert second["previous"] == first
    would = edgeq(folder, "rollback", "digits", "--dry-run")
    assert f"digits = {first[:7]} would go live instead of {second['live'][:7]}" in would.stdout
    assert json.loads(edgeq(folder, "status", "--json").stdout)["status"]["apps"][0] == second
    done = edgeq(folder, "rollback", "digits")
    assert done.returncode == 0, done.stderr
    assert json.loads(edgeq(folder, "status", "--json").stdout)["status"]["apps"][0]["live"] == first
    assert edgeq(folder, "rollback", "nothing").returncode == 12


def test_a_bundle_made_without_a_device_is_deployed_later(folder: Path) -> None:
    done = edgeq(folder, "convert", "digits.onnx", "--data", "digits.npz", "-o", "d.edgeq")
    assert done.returncode == 0, done.stderr
    done = edgeq(folder, "deploy", "d.edgeq", "--seconds", "2")
    assert done.returncode in (0, 3), done.stderr
    assert "live" in edgeq(folder, "status").stdout


def test_converting_twice_makes_the_same_bytes(folder: Path) -> None:
    digests = set()
    for name in ("a.edgeq", "b.edgeq"):
        done = edgeq(folder, "convert", "digits.onnx", "--data", "digits.npz", "-o", name, "--json")
        digests.add(json.loads(done.stdout)["digest"])
    assert len(digests) == 1


def test_bench_and_report(folder: Path) -> None:
    deployed(folder)
    done = edgeq(folder, "bench", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    (job,) = json.loads(done.stdout)["measurements"]
    (figures,) = json.loads(edgeq(folder, "status", "--json").stdout)["figures"]
    assert (figures["job"], figures["peak_memory_bytes"] > 0) == (job, True)
    assert (figures["raced"] != job, figures["against"]) == (True, "onnxruntime float")
    rows = json.loads(edgeq(folder, "report", "--json").stdout)["rows"]
    assert job in {row["job"] for row in rows}
    assert edgeq(folder, "report", job).returncode == 0


def test_uninstall_leaves_nothing(folder: Path) -> None:
    deployed(folder)
    root = Path(os.environ["HOME"]) / ".local/share/edgeq"
    assert edgeq(folder, "uninstall", "--everything", "--dry-run").returncode == 0
    assert root.exists()
    last = edgeq(folder, "uninstall", "digits", "--yes")
    assert "runtimes and the agent stay for the next model" in last.stdout
    done = edgeq(folder, "uninstall", "--everything", "--yes")
    assert done.returncode == 0, done.stderr
    assert not root.exists()


def test_doctor_finds_this_machine_fit(folder: Path) -> None:
    done = edgeq(folder, "doctor")
    assert done.returncode == 0, done.stdout
    assert "onnxruntime" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["deploy", "nowhere.onnx"], 10, "nowhere.onnx"),
        (["deploy", "digits.onnx"], 11, "--data"),
        (["deploy", "digits.onnx", "--data", "nowhere.npz"], 11, "nowhere.npz"),
        (["deploy", "digits.onnx", "--target", "rpi9"], 12, "rpi4"),
        (["deploy", "digits.onnx", "--target", "rpi4"], 12, "--host"),
        (["deploy"], 12, "edgeq init"),
        (["convert", "digits.onnx", "--data", "digits.npz", "--min-sqnr", "90"], 20, "SQNR"),
        (["convert", "digits.onnx", "--data", "digits.npz", "-o", "/dev/null"], 22, "device"),
        (["convert", "digits.onnx", "--weights", "w.pt"], 10, "weights"),
        (["deploy", "digits.npz.edgeq"], 22, "digits.npz.edgeq"),
        (["report", "--compare", "a"], 12, "two"),
        (["report", "--store", "nowhere.db"], 50, "nowhere.db"),
        (["report", "1"], 50, "none is stored yet"),
    ],
)
def test_a_users_mistake_gets_words_and_its_own_exit_code(
    folder: Path, words: list[str], code: int, said: str
) -> None:
    done = edgeq(folder, *words)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert "\nerror: " in f"\n{done.stderr}"
    assert said in done.stderr
    assert not (folder / "nowhere.db").exists()  # nobody makes what was only asked for
