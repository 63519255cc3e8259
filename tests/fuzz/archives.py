"""Zip archives and .npy headers whose insides are changed while their checksums stay right."""

import io
import random
import struct
import zipfile
from collections.abc import Callable

from tests.fuzz.mutations import NUMBERS, changed_bytes, changed_text, deflated

Change = Callable[[str, bytes, random.Random], bytes]


def changed_zip(content: bytes, rng: random.Random, change: Change) -> bytes:
    """One or two members through `change`, renamed, doubled or left out; sometimes the archive's own bytes instead."""
    if rng.random() < 0.15:
        return changed_bytes(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(entry.filename, archive.read(entry), entry.compress_type) for entry in archive.infolist()]
    for _ in range(rng.choice((1, 1, 1, 2))):
        if not members:
            break
        at = rng.randrange(len(members))
        name, was, packed = members[at]
        kind = rng.random()
        if kind < 0.75:
            members[at] = (name, change(name, was, rng), packed)
        elif kind < 0.85:
            members[at] = (changed_text(name, rng).replace("\x00", ""), was, packed)
        elif kind < 0.9:
            members.insert(at, members[at])
        elif kind < 0.95:
            del members[at]
        else:
            members[at] = (
                name,
                was,
                rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)),
            )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, was, packed in members:
            entry = zipfile.ZipInfo(name.encode(errors="replace").decode()[:60000] or "x")
            entry.compress_type = packed
            entry.external_attr = (
                rng.choice((0o100644, 0o100644, 0o100644, 0o120777, 0o40755)) << 16
                if rng.random() < 0.1
                else 0
            )
            archive.writestr(entry, was)
    return _lying(out.getvalue(), rng) if rng.random() < 0.1 else out.getvalue()


def bomb(name: str, header: bytes, size: int) -> bytes:
    """An archive with one member that unpacks to `header` and `size` zeros (its checksum is wrong)."""
    packed, raw_name = deflated(header, size), name.encode()
    fields = (20, 0, 8, 0, 0, 0, len(packed), len(header) + size, len(raw_name))
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, *fields, 0) + raw_name + packed
    central = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, *fields, 0, 0, 0, 0, 0, 0) + raw_name
    return local + central + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central), len(local), 0)


def changed_npy(content: bytes, rng: random.Random) -> bytes:
    """Mostly the header's own text, with its length kept true."""
    if rng.random() < 0.25 or content[:6] != b"\x93NUMPY":
        return changed_bytes(content, rng)
    length = struct.unpack("<H", content[8:10])[0]
    text, values = content[10 : 10 + length].decode("latin1"), content[10 + length :]
    text = rng.choice(_HEADER_CHANGES)(text, rng)
    raw = text.encode("utf-8", errors="replace")[:65535]
    return content[:8] + struct.pack("<H", len(raw)) + raw + values


def _lying(archive: bytes, rng: random.Random) -> bytes:
    """Sizes and offsets in the central directory overwritten."""
    data, at = bytearray(archive), archive.rfind(b"PK\x01\x02")
    if at >= 0:
        offset = at + rng.choice((8, 10, 16, 20, 24, 28, 30, 42))
        data[offset : offset + 4] = struct.pack("<I", rng.choice(NUMBERS) % (1 << 32))
    return bytes(data)


def _shape(text: str, rng: random.Random) -> str:
    head, _, tail = text.partition("'shape': (")
    dims = ", ".join(
        str(rng.choice((*NUMBERS, 3, 4, "True", "'x'", "1.5", "None")))
        for _ in range(rng.choice((0, 1, 2, 3, 40, 200)))
    )
    return f"{head}'shape': ({dims},{tail.partition(')')[2].join((')', ''))}" if tail else text


def _type(text: str, rng: random.Random) -> str:
    types = (
        "|O",
        "O",
        "<f8",
        ">f4",
        "<f16",
        "|b1",
        "<i8",
        "|V999999999",
        "<U100000000",
        "S0",
        "<M8[ns]",
        "M8",
        "",
        "f4,f4",
        "<c16",
        "é",
    )
    return text.replace("<f4", rng.choice(types)).replace("<i8", rng.choice(types))


def _brackets(text: str, rng: random.Random) -> str:
    return (
        rng.choice(
            ("(" * 3000, "[" * 300 + "]" * 300, "{" * 90, "-" * 5000 + "1", "9" * 6000, "1+" * 2000 + "1")
        )
        if rng.random() < 0.5
        else text.replace("(", "(" * rng.choice((2, 200)))
    )


_HEADER_CHANGES = (_shape, _shape, _type, _type, _brackets, changed_text)
