"""The program that runs on the device: what it may use there, and what it does when its sender goes."""

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgeq.transport import receive_on_device
from edgeq.transport.receive_on_device import MARK

PROGRAM = Path(receive_on_device.__file__).read_text()


def started(path: Path, data: bytes, idle_s: float = 20) -> "subprocess.Popen[bytes]":
    """The program as sshd starts it, for a file of these bytes."""
    digest = hashlib.sha256(data).hexdigest()
    order = {"path": str(path), "size": len(data), "sha256": digest, "block": 4, "idle_s": idle_s}
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, json.dumps(order)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def replies(output: bytes) -> list[dict[str, object]]:
    lines = output.decode().splitlines()
    return [r for line in lines if line.startswith(MARK) if "at" not in (r := json.loads(line[len(MARK) :]))]


def test_it_parses_on_python_3_9_and_imports_the_standard_library_only() -> None:
    tree = ast.parse(PROGRAM, feature_version=(3, 9))
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    } | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert {name.split(".")[0] for name in imported if name} <= sys.stdlib_module_names


def test_the_command_line_is_short_enough_for_any_kernel() -> None:
    """Linux allows 128 KiB for one argument; the whole line is one for the login shell."""
    assert len(PROGRAM) < 16_000


def test_a_whole_conversation(tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(b"0123XX")
    with started(tmp_path / "f", b"0123456789") as child:
        out, _ = child.communicate(b"4\n456789", timeout=20)

    survey, last = replies(out)
    assert survey["blocks"] == [hashlib.sha256(b).hexdigest() for b in (b"0123", b"XX")]
    assert survey["have"] == 6
    assert last["sealed"] is True
    assert (tmp_path / "f").read_bytes() == b"0123456789"


def test_a_sender_that_goes_leaves_the_part(tmp_path: Path) -> None:
    with started(tmp_path / "f", b"0123456789") as child:
        out, _ = child.communicate(b"0\n01234", timeout=20)

    assert (child.returncode, len(replies(out))) == (0, 1)
    assert (tmp_path / "f.part").read_bytes() == b"01234"


def test_a_sender_that_falls_silent_is_not_waited_for(tmp_path: Path) -> None:
    """Its stdin stays open, as sshd keeps it while it believes in a frozen link."""
    with started(tmp_path / "f", b"0123456789", idle_s=0.3) as child:
        assert child.stdin is not None
        child.stdin.write(b"0\n0123")
        child.stdin.flush()

        assert child.wait(20) == 0

    assert (tmp_path / "f.part").read_bytes() == b"0123"


@pytest.mark.parametrize("module", ["paramiko", "cryptography"])
def test_this_machine_needs_no_ssh_library(module: str) -> None:
    """`edgeq deploy --target local` starts without it."""
    code = (
        f"import sys, edgeq.transport.open as o; o.open_transport(None); sys.exit({module!r} in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


ORDER = {"path": "/tmp/x", "size": 4, "sha256": "0" * 64, "block": 4, "idle_s": 1}


@pytest.mark.parametrize(
    "order",
    [
        "",
        "[" * 100_000,
        "null",
        "[]",
        "{}",
        json.dumps({**ORDER, "path": "relative"}),
        json.dumps({**ORDER, "path": "/a\0b"}),
        json.dumps({**ORDER, "path": "/a\ud800"}),
        json.dumps({**ORDER, "path": "/"}),
        json.dumps({**ORDER, "size": -1}),
        json.dumps({**ORDER, "size": "4"}),
        json.dumps({**ORDER, "block": 0}),
        json.dumps({**ORDER, "idle_s": float("inf")}),
    ],
)
def test_what_is_no_order_is_answered_and_stores_nothing(order: str) -> None:
    with pytest.raises(OSError, match="no order"):
        receive_on_device.order_in(order)


def test_the_answer_to_no_order_is_a_word_of_the_receiver(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, json.dumps({**ORDER, "size": None})]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=True)
    (last,) = replies(done.stdout)
    assert last["error"]["errno"] == "EINVAL" and not done.stderr  # type: ignore[index]


@pytest.mark.parametrize("start", [b"99\n", b"-1\n", b"x\n", b"\n", b"9" * 50, "²\n".encode()])
def test_a_start_that_is_none_leaves_the_part(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "f.part").write_bytes(b"0123")
    with started(tmp_path / "f", b"0123456789") as child:
        out, _ = child.communicate(start, timeout=20)
    assert len(replies(out)) == 1 and (tmp_path / "f.part").read_bytes() == b"0123"


def test_a_part_is_nobody_elses_before_it_is_whole(tmp_path: Path) -> None:
    with started(tmp_path / "f", b"0123") as child:
        child.communicate(b"0\n01", timeout=20)
    assert (tmp_path / "f.part").stat().st_mode & 0o777 == 0o600
    with started(tmp_path / "f", b"0123") as child:
        child.communicate(b"0\n0123", timeout=20)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o644


def test_a_part_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "f.part").symlink_to(tmp_path / "precious")
    with started(tmp_path / "f", b"0123") as child:
        out, _ = child.communicate(b"0\n0123", timeout=20)
    assert replies(out)[-1]["error"]["errno"] == "ELOOP"  # type: ignore[index]
    assert (tmp_path / "precious").read_text() == "mine"


def test_who_keeps_a_part_locked_is_named(tmp_path: Path) -> None:
    (tmp_path / "f.part").touch()
    other = subprocess.Popen(
        ["flock", "--close", tmp_path / "f.part", "sh", "-c", "echo; cat"], stdin=-1, stdout=-1
    )
    assert other.stdout is not None
    other.stdout.readline()
    with started(tmp_path / "f", b"0123", idle_s=0.1) as child:
        out, _ = child.communicate(b"", timeout=20)
    other.communicate(b"")
    assert replies(out)[-1]["error"]["holder"] == f"process {other.pid} (flock)"  # type: ignore[index]
