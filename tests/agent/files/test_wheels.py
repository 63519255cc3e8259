"""Wheels: unpacked when every byte is what RECORD says, refused otherwise."""

import io
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest

from edgeq.agent import wheels
from edgeq.errors import ArtifactCorrupt, EdgeqError
from tests.agent.files.device import Device, sha, wheel, zipped

RECORD = "tiny-1.0.dist-info/RECORD"


def unpack(device: Device, token: str, data: bytes, name: str = "tiny") -> Path:
    device.upload(data)
    path = device.call("unpack", token=token, sha256=sha(data), name=f"{name}-1.0-{sha(data)[:8]}")["path"]
    return device.root / path


def test_the_folder_goes_on_sys_path_as_it_is(device: Device, token: str) -> None:
    folder = unpack(device, token, wheel())
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); import tiny; print(tiny.answer, tiny.__cached__)"
    )
    said = subprocess.run(
        [device.python, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert said.startswith("42 ") and Path(said.split()[1]).is_file(), "compiled when it was unpacked"
    assert (folder / "tiny/__init__.py").stat().st_mode & 0o777 == 0o444
    assert device.call("inventory", wheels=[folder.name, "other-1.0-00000000"])["wheels"] == [folder.name]
    assert not device.leftovers()


def test_data_folders_are_merged_and_scripts_left_out(device: Device, token: str) -> None:
    data = "tiny-1.0.data"
    folder = unpack(
        device,
        token,
        wheel(
            {
                "tiny/__init__.py": b"",
                f"{data}/purelib/pure.py": b"1\n",
                f"{data}/platlib/tiny/native.so": b"elf",
                f"{data}/scripts/tool": b"#!python\n",
            }
        ),
    )
    assert (folder / "pure.py").is_file() and (folder / "tiny/native.so").is_file()
    assert not list(folder.rglob("tool"))


def test_twice_is_once(device: Device, token: str) -> None:
    first = unpack(device, token, wheel())
    assert (
        device.call("unpack", token=token, sha256=sha(wheel()), name=first.name)["path"]
        == f"wheels/{first.name}"
    )


@pytest.mark.parametrize("damage", ["truncated", "removed", "no RECORD", "a link"])
def test_a_wheel_that_was_damaged_is_unpacked_again(device: Device, token: str, damage: str) -> None:
    data = wheel({"tiny/__init__.py": b"answer = 42\n", "tiny-1.0.data/purelib/pure.py": b"1\n"})
    folder = unpack(device, token, data)
    hurt = folder / (RECORD if damage == "no RECORD" else "pure.py")
    hurt.unlink()
    if damage == "truncated":
        hurt.write_bytes(b"")
    if damage == "a link":
        hurt.symlink_to("tiny/__init__.py")

    assert device.call("inventory", wheels=[folder.name])["wheels"] == [], "so that the host sends it"
    unpack(device, token, data)
    assert (folder / "pure.py").read_bytes() == b"1\n" and not (folder / "pure.py").is_symlink()
    assert device.call("inventory", wheels=[folder.name])["wheels"] == [folder.name]
    assert not device.leftovers()


def _linked() -> bytes:
    link = zipfile.ZipInfo("tiny/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO(wheel())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    return buffer.getvalue()


def _doubled() -> bytes:
    buffer = io.BytesIO(wheel())
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning):
        archive.writestr("tiny/__init__.py", b"evil")
    return buffer.getvalue()


def _bit_flipped() -> bytes:
    stored = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel())) as source, zipfile.ZipFile(stored, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    return stored.getvalue().replace(b"answer = 42", b"answer = 43")


def _packed(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel())) as source, zipfile.ZipFile(buffer, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name), method)
    return buffer.getvalue()


def _deflate_broken() -> bytes:
    """The compressed bytes of RECORD are overwritten: zlib's own error."""
    data = wheel()
    at = data.index(RECORD.encode()) + len(RECORD)
    return data[:at] + b"\xff" * 40 + data[at + 40 :]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no zip at all", "not a zip file"),
        (wheel()[:-40], "not a zip file"),
        (wheel(**{"tiny/__init__.py": b"evil\n"}), "not what RECORD says"),
        (_bit_flipped(), "CRC"),
        (wheel(**{"tiny/more.py": b""}), "not in RECORD"),
        (
            wheel(
                {"tiny/__init__.py": b""}, **{RECORD: b"tiny/__init__.py,sha256=,0\ntiny/gone.py,sha256=x,1"}
            ),
            "missing",
        ),
        (
            wheel({"tiny/__init__.py": b""}, **{RECORD: b"tiny/__init__.py,,\ntiny-1.0.dist-info/WHEEL,,"}),
            "no sha256",
        ),
        (wheel({"tiny/__init__.py": b""}, **{RECORD: b"tiny/__init__.py,md5=x,\n"}), "no sha256"),
        (zipped({"tiny/__init__.py": b""}), "0 RECORD files"),
        (wheel({"../../evil.py": b""}), "component '..'"),
        (wheel({"/tmp/evil.py": b""}), "absolute"),
        (wheel({"tiny/a\\..\\b.py": b""}), "backslash"),
        (wheel({"tiny": b"", "tiny/a.py": b""}), "a file and a folder"),
        (wheel({"a.py": b"1", "tiny-1.0.data/purelib/a.py": b"2"}), "2 files go to"),
        (wheel({"bomb": b"\0" * 8_000_000}), "bomb"),
        (_linked(), "a link"),
        (_packed(zipfile.ZIP_BZIP2), "packed by method 12"),
        (_packed(zipfile.ZIP_LZMA), "packed by method 14"),
        (zipped({"": b"", RECORD: b""}), "is empty"),
        (wheel({"a\x00.py": b""}), "is in RECORD and missing"),
        (wheel({"tiny/__init__.py": b""}, **{RECORD: b'"' + b"x" * 200_000}), "field larger"),
        (wheel({"tiny/__init__.py": b""}, **{RECORD: b"\xff\xfe"}), "utf-8"),
        (_deflate_broken(), "decompressing"),
        (_doubled(), "occurs 2 times"),
    ],
)
def test_refused_and_nothing_left(device: Device, token: str, data: bytes, words: str) -> None:
    with pytest.raises(ArtifactCorrupt) as error:
        unpack(device, token, data)
    assert words in " ".join(error.value.details)
    device.call("sweep", token=token)
    assert not [p for p in (device.root / "wheels").glob("*")]


def test_a_limit_on_all_files_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wheels, "LARGEST_BYTES", 10)
    path = tmp_path / "w"
    path.write_bytes(wheel())
    with pytest.raises(ArtifactCorrupt, match="the limit is 10"):
        wheels.read_wheel(path)


@pytest.mark.parametrize("name", ["tiny-1.0", "../tiny-00000000", ".tiny-00000000"])
def test_the_folder_is_named_by_the_content(device: Device, token: str, name: str) -> None:
    device.upload(wheel())
    with pytest.raises(EdgeqError, match="is no name"):
        device.call("unpack", token=token, sha256=sha(wheel()), name=name)


def test_a_wheel_that_is_not_there_or_damaged(device: Device, token: str) -> None:
    device.upload(wheel())
    (device.root / "incoming" / sha(wheel())).write_bytes(b"damaged")
    with pytest.raises(ArtifactCorrupt, match="missing or damaged"):
        device.call("unpack", token=token, sha256=sha(wheel()), name=f"tiny-1.0-{sha(wheel())[:8]}")
