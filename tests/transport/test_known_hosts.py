"""known_hosts as text: which lines speak of which host."""

import os
from base64 import b64encode
from pathlib import Path

import pytest

from edgeq.transport.known_hosts import OfferedKey, keys_for, name_of, read_known_hosts, remember

KEY = b64encode(b"a key").decode()


def known(folder: Path, *names: str) -> Path:
    file = folder / "known_hosts"
    file.write_text("".join(f"{name} ssh-ed25519 {KEY} a comment\n" for name in names))
    return file


@pytest.mark.parametrize(
    ("names", "name", "matches"),
    [
        ("pi", "pi", True),
        ("pi,10.0.0.5", "10.0.0.5", True),
        ("pi", "pie", False),
        ("*.local", "pi.local", True),
        ("p?", "pi", True),
        ("*.local,!bad.local", "bad.local", False),
        ("[pi]:2222", "[pi]:2222", True),
        ("[pi]:2222", "pi", False),
        ("[pi]:2222", "[pi]:2223", False),
        ("[*]:2222", "[pi]:2222", True),
        ("PI", "pi", True),
        ("|1|bm90IGEgaGFzaA==|bm8=", "pi", False),
        ("|1|broken", "pi", False),
    ],
)
def test_names(tmp_path: Path, names: str, name: str, matches: bool) -> None:
    assert bool(keys_for(name, read_known_hosts([known(tmp_path, names)]))) is matches


def test_lines_that_are_no_keys_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(
        f"\n# a comment\npi\npi ssh-ed25519 not*base64\n@cert-authority pi ssh-ed25519 {KEY}\npi ssh-ed25519 {KEY}\n"
    )

    (key,) = read_known_hosts([file, tmp_path / "absent"])

    assert (key.line, key.blob, key.revoked) == (6, b"a key", False)


def test_a_port_is_part_of_the_name() -> None:
    assert (name_of("Pi.local", 22), name_of("::1", 2222)) == ("pi.local", "[::1]:2222")


def test_known_hosts_may_be_the_null_device() -> None:
    remember(Path(os.devnull), "pi", OfferedKey("ssh-ed25519", b"blob"))


@pytest.mark.parametrize("hashed", [False, True])
def test_what_is_remembered_is_found(tmp_path: Path, hashed: bool) -> None:
    file = tmp_path / "new" / "known_hosts"
    remember(file, "[pi]:2222", OfferedKey("ssh-ed25519", b"blob"), hashed=hashed)

    assert [k.blob for k in keys_for("[pi]:2222", read_known_hosts([file]))] == [b"blob"]
    assert (b"[pi]" in file.read_bytes()) is not hashed
    assert file.stat().st_mode & 0o777 == 0o600
