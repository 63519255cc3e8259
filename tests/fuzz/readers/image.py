"""Images of a folder, with and without preprocessing."""

import io
import random
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from edgeq.ingest.image import preprocess, read_pixels
from edgeq.ingest.preprocess import parse
from tests.fuzz.mutations import NUMBERS, changed_bytes

_CONTRACT = parse("size=8x8,resize=stretch")


def examples(folder: Path) -> list[bytes]:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (12, 10, 3)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    found = []
    for mode, name, more in (
        ("RGB", "PNG", {}),
        ("P", "PNG", {}),
        ("LA", "PNG", {}),
        ("I;16", "PNG", {}),
        ("RGB", "PNG", {"exif": exif}),
        ("RGB", "JPEG", {"exif": exif}),
        ("CMYK", "JPEG", {}),
        ("L", "JPEG", {"progressive": True}),
        ("RGB", "BMP", {}),
        ("P", "BMP", {}),
        ("RGB", "WEBP", {}),
        ("RGBA", "WEBP", {"lossless": True}),
    ):
        out = io.BytesIO()
        (image.convert("I").convert(mode) if mode == "I;16" else image.convert(mode)).save(out, name, **more)
        found.append(out.getvalue())
    return found


def mutated(example: bytes, rng: random.Random) -> bytes:
    if example.startswith(b"\x89PNG") and rng.random() < 0.8:
        return _changed_png(example, rng)
    if rng.random() < 0.2:  # widths and heights, whichever they are
        at = rng.randrange(min(64, len(example)))
        return (
            example[:at]
            + struct.pack(rng.choice("<>") + "I", rng.choice(NUMBERS) % (1 << 32))
            + example[at + 4 :]
        )
    return changed_bytes(example, rng)


def read(content: bytes, folder: Path) -> object:
    path = folder / "image.png"
    path.write_bytes(content)
    return preprocess(read_pixels(path), _CONTRACT, "image.png").shape


def _changed_png(png: bytes, rng: random.Random) -> bytes:
    """One chunk changed, doubled or made of something else, with right checksums."""
    chunks, at = [], 8
    while at + 8 <= len(png):
        size = struct.unpack(">I", png[at : at + 4])[0]
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += 12 + size
    which = rng.randrange(len(chunks))
    kind, content = chunks[which]
    choice = rng.random()
    if kind == b"IHDR" and choice < 0.5:
        content = (
            struct.pack(">II", *(rng.choice((*NUMBERS[:10], 20000, 60000)) % (1 << 32) for _ in "wh"))
            + content[8:]
        )
    elif kind == b"IDAT" and choice < 0.4:
        content = zlib.compress(changed_bytes(zlib.decompress(content), rng) * rng.choice((1, 1, 1000)))
    elif choice < 0.8:
        content = changed_bytes(content, rng)
    elif choice < 0.9:
        kind = rng.choice(
            (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"gAMA", b"PLTE", b"tRNS")
        )
    else:
        chunks.insert(
            which,
            (rng.choice((b"zTXt", b"iCCP")), b"x\0\0" + zlib.compress(bytes(rng.choice((10, 10_000_000))))),
        )
        kind, content = chunks[which + 1] if which + 1 < len(chunks) else (kind, content)
        which = min(which + 1, len(chunks) - 1)
    chunks[which] = (kind, content)
    packed = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    return png[:8] + b"".join(packed)
