"""known_hosts as text: which lines speak of which host."""

import os
from base64 import b64encode
from pathlib import Path

import pytest

from edgeq.errors import HostKeyRefused
from edgeq.transport import known_hosts
from edgeq.transport.known_hosts import (
    OfferedKey,
    check_host_key,
    keys_for,
    name_of,
    read_known_hosts,
    remember,
)

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
        f"\n# a comment\npi\npi ssh-ed25519 not*base64\n@cert-of-tomorrow pi ssh-ed25519 {KEY}\npi ssh-ed25519 {KEY}\n"
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


STRANGE = {
    "a key that is no ASCII": "pi ssh-ed25519 kéy",
    "a key that is no base64": "pi ssh-ed25519 ====",
    "half a key": "pi ssh-ed25519 QQ",
    "a hash that is no ASCII": f"|1|é|é ssh-ed25519 {KEY}",
    "a hash without salt": f"|1 ssh-ed25519 {KEY}",
    "a name of bytes": "\udcff\udcfe ssh-ed25519 QUJD",
    "a marker alone": "@revoked",
    "an unknown marker": f"@whatever pi ssh-ed25519 {KEY}",
    "a NUL": f"p\0i ssh-ed25519 {KEY}",
    "one word": "pi",
}


@pytest.mark.parametrize("line", STRANGE.values(), ids=STRANGE)
def test_a_line_that_cannot_be_read_hides_no_other(tmp_path: Path, line: str) -> None:
    file = tmp_path / "known_hosts"
    text = f"{line}\npi ssh-ed25519 {KEY}\n"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    known = read_known_hosts([file])
    assert check_host_key("pi", "pi", OfferedKey("ssh-ed25519", b"a key"), known)
    assert b"a key" in [key.blob for key in keys_for("pi", known)]


def test_a_key_of_an_unknown_kind_is_a_key(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text(f"pi sk-of-tomorrow@example.com {KEY}\n")
    known = read_known_hosts([tmp_path / "known_hosts"])
    assert check_host_key("pi", "pi", OfferedKey("sk-of-tomorrow@example.com", b"a key"), known)


def test_a_pattern_of_a_hundred_thousand_stars_takes_no_time(tmp_path: Path) -> None:
    file = known(tmp_path, "*" * 100_000 + "x", "*a" * 50_000, "?*" * 50_000)
    assert [key.line for key in keys_for("a" * 200, read_known_hosts([file]))] == []
    assert [key.line for key in keys_for("x", read_known_hosts([file]))] == [1]


def test_a_file_beyond_all_hosts_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_hosts, "_LARGEST", 1 << 20)
    (tmp_path / "known_hosts").touch()
    os.truncate(tmp_path / "known_hosts", 100 << 30)
    with pytest.raises(HostKeyRefused, match="larger than 1 MB"):
        read_known_hosts([tmp_path / "known_hosts"])


def test_a_place_where_nothing_can_be_kept_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostKeyRefused, match="cannot be kept in"):
        remember(tmp_path, "pi", OfferedKey("ssh-ed25519", b"blob"))


def test_folders_pipes_and_missing_files_are_no_files_of_keys(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_known_hosts([tmp_path, tmp_path / "pipe", tmp_path / "gone"]) == ()


def test_an_authority_is_no_key_of_a_host(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text(f"@cert-authority pi ssh-ed25519 {KEY}\n")
    known = read_known_hosts([tmp_path / "known_hosts"])
    assert [(key.authority, key.revoked) for key in known] == [(True, False)]
    assert not check_host_key("pi", "pi", OfferedKey("ssh-ed25519", b"a key"), known)
