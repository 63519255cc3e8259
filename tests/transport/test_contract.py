"""What a Transport promises, held against both of them: this machine, and a real sshd."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from edgeq.errors import ArtifactCorrupt, DeviceBusy, EdgeqError, LinkLost, NoSpace, ReadOnly, RemoteFailed
from edgeq.transport import receive_on_device
from edgeq.transport.base import KEPT_STDERR, Transport

MIB = 1 << 20


def file_of(folder: Path, size: int, name: str = "model.bin") -> Path:
    source = folder / name
    source.write_bytes(os.urandom(min(size, MIB)) * (size // MIB) + os.urandom(size % MIB))
    return source


@pytest.mark.parametrize(
    "words",
    [
        ["a b", " ", ""],
        ["it's", '"quoted"', "`date`", "$HOME", "$(id)", "a\\b", "\\", "!!"],
        ["two\nlines", "tab\there", "*", "~", "-n", "#", ";", "&&", "|"],
        ["Grüße", "模型", "🙂"],
    ],
)
def test_words_stay_words(transport: Transport, words: list[str]) -> None:
    done = transport.run(["python3", "-c", "import sys; print(ascii(sys.argv[1:]))", *words])

    assert (done.code, done.stdout.decode().strip()) == (0, ascii(words))


def test_exit_code_and_both_streams_come_back(transport: Transport) -> None:
    done = transport.run(["sh", "-c", "cat; echo oops >&2; exit 7"], stdin=b"in")

    assert (done.code, done.stdout, done.stderr) == (7, b"in", b"oops\n")


def test_a_command_that_is_not_there_is_127(transport: Transport) -> None:
    assert transport.run(["no-such-program"]).code == 127


def test_a_command_ended_by_a_signal_has_a_negative_code(transport: Transport) -> None:
    assert transport.run(["sh", "-c", "kill -9 $$"]).code < 0


def test_megabytes_in_and_out_at_once(transport: Transport) -> None:
    data = os.urandom(MIB) * 6

    assert transport.run(["cat"], stdin=data).stdout == data


def test_input_that_nobody_reads_does_no_harm(transport: Transport) -> None:
    assert transport.run(["true"], stdin=bytes(8 * MIB)).code == 0


def test_megabytes_on_stderr(transport: Transport) -> None:
    done = transport.run(["sh", "-c", "head -c 5000000 /dev/zero >&2; echo end"])

    assert (done.stdout, len(done.stderr)) == (b"end\n", KEPT_STDERR)


def test_a_command_past_its_time_is_an_error(transport: Transport) -> None:
    with pytest.raises(RemoteFailed, match="sleep did not end"):
        transport.run(["sleep", "5"], timeout_s=0.3)

    assert transport.run(["true"]).code == 0


def test_put_makes_the_folder_and_leaves_nothing_beside(transport: Transport, tmp_path: Path) -> None:
    source = file_of(tmp_path, 3 * MIB + 17)
    destination = tmp_path / "a" / "b" / "model.bin"
    arrived: list[int] = []

    sent = transport.put(source, str(destination), progress=arrived.append)

    assert destination.read_bytes() == source.read_bytes()
    assert [p.name for p in destination.parent.iterdir()] == ["model.bin"]
    assert (sent.bytes_sent, sent.bytes_reused, sent.attempts) == (3 * MIB + 17, 0, 1)
    assert sum(arrived) == 3 * MIB + 17
    assert sent.seal_s > 0


def test_an_empty_file(transport: Transport, tmp_path: Path) -> None:
    transport.put(file_of(tmp_path, 0), str(tmp_path / "there"))

    assert (tmp_path / "there").read_bytes() == b""


def test_a_name_with_spaces_quotes_and_unicode(transport: Transport, tmp_path: Path) -> None:
    destination = tmp_path / 'd\'é "x"' / "mo del$.bin"
    transport.put(file_of(tmp_path, 1000), str(destination))

    assert destination.stat().st_size == 1000
    assert transport.exists(str(destination))
    transport.get(str(destination), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == destination.read_bytes()


def test_the_same_file_again_sends_nothing(transport: Transport, tmp_path: Path) -> None:
    source, destination = file_of(tmp_path, 2 * MIB), str(tmp_path / "there")
    transport.put(source, destination)
    inode = Path(destination).stat().st_ino
    arrived: list[int] = []

    sent = transport.put(source, destination, progress=arrived.append)

    assert (sent.bytes_sent, sent.bytes_reused) == (0, 2 * MIB)
    assert sum(arrived) == 2 * MIB
    assert Path(destination).stat().st_ino == inode


def test_another_file_replaces_it_whole(transport: Transport, tmp_path: Path) -> None:
    old, new = file_of(tmp_path, MIB, "old"), file_of(tmp_path, 2 * MIB, "new")
    destination = tmp_path / "there"
    transport.put(old, str(destination))
    transport.put(new, str(destination))

    assert destination.read_bytes() == new.read_bytes()


def test_an_upload_goes_on_from_what_is_right(transport: Transport, tmp_path: Path) -> None:
    source, destination = file_of(tmp_path, 5 * MIB), tmp_path / "there"
    part = tmp_path / "there.part"
    part.write_bytes(source.read_bytes()[: 3 * MIB + 1000])

    sent = transport.put(source, str(destination))

    assert (sent.bytes_reused, sent.bytes_sent) == (3 * MIB + 1000, 2 * MIB - 1000)
    assert destination.read_bytes() == source.read_bytes()


def test_a_flipped_bit_in_the_part_is_found(transport: Transport, tmp_path: Path) -> None:
    source, destination = file_of(tmp_path, 5 * MIB), tmp_path / "there"
    torn = bytearray(source.read_bytes()[: 4 * MIB])
    torn[2 * MIB + 5] ^= 1
    (tmp_path / "there.part").write_bytes(torn)

    sent = transport.put(source, str(destination))

    assert sent.bytes_reused == 2 * MIB
    assert destination.read_bytes() == source.read_bytes()


def test_a_part_longer_than_the_file(transport: Transport, tmp_path: Path) -> None:
    source, destination = file_of(tmp_path, MIB), tmp_path / "there"
    (tmp_path / "there.part").write_bytes(source.read_bytes() + b"more")

    transport.put(source, str(destination))

    assert destination.read_bytes() == source.read_bytes()


def test_a_hash_that_the_source_does_not_have_is_refused(transport: Transport, tmp_path: Path) -> None:
    source, destination = file_of(tmp_path, MIB), tmp_path / "there"

    with pytest.raises(ArtifactCorrupt, match="changed while it was sent"):
        transport.put(source, str(destination), sha256=hashlib.sha256(b"another").hexdigest())

    assert not destination.exists()
    assert not (tmp_path / "there.part").exists()


def test_a_disk_that_is_too_small_is_said_before_anything_is_sent(
    transport: Transport, tmp_path: Path, small_disk: Path
) -> None:
    with pytest.raises(NoSpace, match=r"4\.2 MB free on .*disk; model.bin needs 8\.4 MB"):
        transport.put(file_of(tmp_path, 8 * MIB), str(small_disk / "model.bin"))

    assert list(small_disk.iterdir()) == []


def test_a_read_only_disk(transport: Transport, tmp_path: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    with pytest.raises(ReadOnly, match="Read-only file system"):
        transport.put(file_of(tmp_path, 10), str(small_disk / "sub" / "model.bin"))


def test_a_destination_that_is_a_folder(transport: Transport, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()

    with pytest.raises(RemoteFailed, match="Is a directory"):
        transport.put(file_of(tmp_path, 10), str(tmp_path / "there"))


def test_two_uploads_of_one_file_do_not_mix(
    transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hasattr(transport, "_silence_s"):
        monkeypatch.setattr(transport, "_silence_s", 1.5)
    with (
        receive_on_device.open_part(str(tmp_path / "there"), 0),
        pytest.raises(DeviceBusy, match="another upload"),
    ):
        transport.put(file_of(tmp_path, 10), str(tmp_path / "there"))


def test_get_of_what_is_not_there(transport: Transport, tmp_path: Path) -> None:
    with pytest.raises(RemoteFailed, match="No such file"):
        transport.get("/no/such/file", tmp_path / "back")

    assert list(tmp_path.glob("*back*")) == []


def test_get_onto_a_full_disk_of_ours(transport: Transport, tmp_path: Path, small_disk: Path) -> None:
    source = file_of(tmp_path, 8 * MIB)

    with pytest.raises(EdgeqError, match="No space left") as refused:
        transport.get(str(source), small_disk / "back")

    assert not isinstance(refused.value, LinkLost)
    assert list(small_disk.iterdir()) == []


def test_exists(transport: Transport, tmp_path: Path) -> None:
    assert transport.exists(str(tmp_path))
    assert not transport.exists(str(tmp_path / "nothing"))
