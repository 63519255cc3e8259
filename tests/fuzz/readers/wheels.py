"""Wheels as they come from an index, unpacked on the device: changed bytes, changed names, types and sizes within the zip."""

import io
import random
import shutil
import zipfile
from pathlib import Path

from edgeq.agent import wheels
from edgeq.errors import ArtifactCorrupt
from tests.agent.files.device import wheel
from tests.fuzz.mutations import NUMBERS, changed_bytes, changed_text

_NAMES = (
    "../evil.py", "/tmp/evil.py", "a/../../b", "a//b", "./a", "a\\b", "a\0b", "C:evil", "x" * 300, "a/" * 200 + "b",
    "tiny/__init__.py", "tiny", "tiny-1.0.dist-info/RECORD", "tiny-1.0.data/purelib/../../x", "tiny-1.0.data/scripts/x",
    "é.py", "a\nb.py", "",
)  # fmt: skip


def examples(folder: Path) -> list[bytes]:
    data = {f"tiny-1.0.data/{kind}/tiny/{kind}.py": b"x = 1\n" for kind in ("purelib", "scripts")}
    return [
        wheel(),
        wheel({"tiny/__init__.py": b"answer = 42\n" * 50, "tiny/data.bin": bytes(range(256)), **data}),
    ]


def mutated(example: bytes, rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.35:
        return changed_bytes(example, rng)
    with zipfile.ZipFile(io.BytesIO(example)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for info, data in members:
            _write_changed(archive, info, data, rng)
        if kind > 0.9:
            archive.writestr(rng.choice(_NAMES) or "x", b"more")
    return out.getvalue() if kind < 0.9 else changed_bytes(out.getvalue(), rng)


def _write_changed(archive: zipfile.ZipFile, info: zipfile.ZipInfo, data: bytes, rng: random.Random) -> None:
    made = zipfile.ZipInfo(info.filename, info.date_time)
    made.external_attr = info.external_attr
    what = rng.randrange(10)
    if what == 0:
        made.filename = rng.choice(_NAMES)
    elif what == 1:
        made.external_attr = rng.choice((0o120777, 0o010644, 0o060644, 0o040755)) << 16
    elif what == 2 and "RECORD" in info.filename:
        data = changed_text(data.decode(), rng).encode(errors="replace")
    elif what == 3:
        data = changed_bytes(data, rng)
    elif what == 4:
        made.compress_type = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    if what == 5 and rng.random() < 0.2:
        data = bytes(20_000_000)
        made.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(made, data)
    if what == 6:
        made.file_size = rng.choice(NUMBERS) % 2**32


def read(content: bytes, folder: Path) -> object:
    path, into = folder / "wheel", folder / "into"
    path.write_bytes(content)
    into.mkdir()
    try:
        members = wheels.read_wheel(path)
        wheels.unpack(path, members, into)
        if rng_like(content) == 0:
            wheels.compile_all(into, into)
        if not wheels.is_whole(into):
            raise ArtifactCorrupt("it is not whole")
        return len(members)
    finally:
        shutil.rmtree(into)
        assert sorted(p.name for p in folder.iterdir()) == ["wheel"], "something was written outside"


def rng_like(content: bytes) -> int:
    """Compiling is slow: one in twenty."""
    return sum(content[:1000]) % 20
