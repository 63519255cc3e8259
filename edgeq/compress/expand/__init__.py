"""Expands what edgeq/compress/pack.py packed. Ships to the device: standard library and numpy, which is imported when it is
used.

Nothing is allocated before its size was compared with that of the file that shall come out, and whatever is wrong with the
content is one error, ArtifactCorrupt. Takes about the size of the file and `WORKING_BYTES` of memory.
"""

import hashlib
import lzma
import struct
from typing import Optional

from edgeq.errors import ArtifactCorrupt

from .fields import Fields, Malformed
from .fill import filled
from .plan import LARGEST_PLAN, read_plan
from .streams import Streams, unpacked

MAGIC = b"EQW\x01"
HEADER = struct.Struct(
    "<4sQIIQQQ"
)  # magic, size, of the plan: packed and raw, of the rest: packed, raw, stored
# numpy, lzma's dictionary, one slice of symbols; measured.
WORKING_BYTES = 64 << 20


def expand(content: bytes, sha256: str, size: int, base: Optional[bytes] = None) -> bytearray:
    """The file of that hash and size. `base`: the content of the file that it was packed as the difference to.

    Raises ArtifactCorrupt.
    """
    try:
        expanded = _expanded(content, size, base or b"")
    except (Malformed, lzma.LZMAError, struct.error) as error:
        raise _corrupt(str(error)) from None
    if hashlib.sha256(expanded).hexdigest() != sha256:
        raise _corrupt("what it expands to has another sha256")
    return expanded


def _expanded(content: bytes, size: int, base: bytes) -> bytearray:
    magic, own_size, packed, raw, rest, rest_raw, stored = HEADER.unpack(content[: HEADER.size])
    if magic != MAGIC:
        raise Malformed("it does not begin as one")
    if own_size != size:
        raise Malformed(f"it expands to {own_size} bytes, and the file has {size}")
    if raw > LARGEST_PLAN or rest_raw > size or stored > size:
        raise Malformed("its parts are larger than the file, or its plan than any real one")
    at = HEADER.size
    plan = read_plan(Fields(unpacked(content[at : at + packed], raw)), size, len(base))
    streams = Streams.of(memoryview(content)[at + packed :], plan, rest, rest_raw, stored)
    return filled(plan, streams, base)


def _corrupt(why: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(f"a compressed file cannot be expanded: {why}", "deploy again to resend it")
