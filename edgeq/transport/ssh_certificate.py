"""Certificates: public keys that an authority signed. A user's is read from a file, to find the private key it belongs to.

The layout is OpenSSH's PROTOCOL.certkeys: type, nonce, the fields of the public key, serial (uint64), kind (uint32),
key id, principals, valid after and valid before (uint64, seconds of the Unix epoch), critical options, extensions, a
reserved part, the authority's public key, its signature of all that. What a user's may do is the server's to judge.
"""

import base64
import binascii
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .bounded_file import bounded

_SUFFIX = "-cert-v01@openssh.com"
# How many fields the public key has between nonce and serial.
_FIELDS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519": 2,
    "sk-ecdsa-sha2-nistp256": 3,
}
_USER, HOST = 1, 2
_FOR_EVER = (1 << 64) - 1


class NoCertificate(ValueError):
    """Why a file is no certificate that can be used."""


@dataclass(frozen=True)
class Fields:
    """What a certificate says. `public` is the plain public key, `signed` what `signature` is of; times in seconds of the
    Unix epoch.
    """

    kind: str
    public: bytes
    type: int
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical: bytes
    authority: bytes
    signature: bytes
    signed: bytes


@dataclass(frozen=True)
class Certificate:
    """`public` is the plain public key that was signed, `text` the file's content; times in seconds of the Unix epoch."""

    path: Path
    text: str
    public: bytes
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int

    def concern(self, user: str) -> str:
        """What a server that is asked to let `user` in will not like, or nothing. It may map names of its own."""
        now = time.time()
        if now < self.valid_after:
            return f"not valid before {day(self.valid_after)}"
        if self.valid_before != _FOR_EVER and now >= self.valid_before:
            return f"expired on {day(self.valid_before)}"
        return f"for {', '.join(self.principals)}" if self.principals and user not in self.principals else ""


def read_certificate(path: Path) -> Certificate:
    """Raises NoCertificate with the reason."""
    try:
        text = bounded(path).decode("utf-8")
        kind, encoded = text.split()[:2]
        blob = base64.b64decode(encoded, validate=True)
    except OSError as error:
        raise NoCertificate(error.strerror or str(error)) from error
    except (ValueError, binascii.Error) as error:
        raise NoCertificate("not a certificate that can be read") from error
    plain = kind.removesuffix(_SUFFIX)
    if plain == kind or plain not in _FIELDS:
        raise NoCertificate(f"{kind} is no type of certificate that edgeq knows")
    fields = read_fields(blob)
    if fields.type != _USER:
        raise NoCertificate("a certificate for hosts, not for users")
    return Certificate(path, text, fields.public, fields.principals, fields.valid_after, fields.valid_before)


def read_fields(blob: bytes) -> Fields:
    """Raises NoCertificate where `blob` is none from its first to its last byte."""
    try:
        return _fields(blob)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise NoCertificate("the certificate is cut short") from error


def _fields(blob: bytes) -> Fields:
    name, rest = take_string(blob)
    kind = name.decode("ascii")
    plain = kind.removesuffix(_SUFFIX)
    if plain == kind or plain not in _FIELDS:
        raise NoCertificate(f"{kind[:80]!r} is no type of certificate that edgeq knows")
    _, rest = take_string(rest)  # the nonce
    public = _packed((plain if not plain.startswith("sk-") else f"{plain}@openssh.com").encode())
    for _ in range(_FIELDS[plain]):
        part, rest = take_string(rest)
        public += _packed(part)
    (_, type_), rest = struct.unpack(">QI", rest[:12]), rest[12:]
    _, rest = take_string(rest)  # the key id
    packed, rest = take_string(rest)
    (after, before), rest = struct.unpack(">QQ", rest[:16]), rest[16:]
    critical, rest = take_string(rest)
    _, rest = take_string(rest)  # extensions
    _, rest = take_string(rest)  # reserved
    authority, rest = take_string(rest)
    signed = blob[: len(blob) - len(rest)]
    signature, rest = take_string(rest)
    if rest:
        raise NoCertificate("something follows the certificate")
    return Fields(
        kind, public, type_, tuple(_names(packed)), after, before, critical, authority, signature, signed
    )


def _names(packed: bytes) -> Iterator[str]:
    while packed:
        name, packed = take_string(packed)
        yield name.decode("utf-8", "replace")


def take_string(data: bytes) -> tuple[bytes, bytes]:
    """The first part that its length precedes, and what follows. Raises struct.error or IndexError at a cut."""
    (length,) = struct.unpack(">I", data[:4])
    if len(data) < 4 + length:
        raise IndexError
    return data[4 : 4 + length], data[4 + length :]


def _packed(part: bytes) -> bytes:
    return struct.pack(">I", len(part)) + part


def day(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(min(seconds, 253402300799)))
