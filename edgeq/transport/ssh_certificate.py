"""User certificates: public keys that an authority signed. Read from a file, to find the private key they belong to.

The layout is OpenSSH's PROTOCOL.certkeys: type, nonce, the fields of the public key, serial (uint64), kind (uint32),
key id, principals, valid after and valid before (uint64, seconds of the Unix epoch), and more that is the server's to judge.
"""

import base64
import binascii
import struct
import time
from dataclasses import dataclass
from pathlib import Path

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
_USER = 1
_FOR_EVER = (1 << 64) - 1


class NoCertificate(ValueError):
    """Why a file is no certificate that can be used."""


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
            return f"not valid before {_day(self.valid_after)}"
        if self.valid_before != _FOR_EVER and now >= self.valid_before:
            return f"expired on {_day(self.valid_before)}"
        return f"for {', '.join(self.principals)}" if self.principals and user not in self.principals else ""


def read_certificate(path: Path) -> Certificate:
    """Raises NoCertificate with the reason."""
    try:
        text = path.read_text("utf-8")
        kind, encoded = text.split()[:2]
        blob = base64.b64decode(encoded, validate=True)
    except OSError as error:
        raise NoCertificate(error.strerror or str(error)) from error
    except (ValueError, binascii.Error) as error:
        raise NoCertificate("not a certificate that can be read") from error
    plain = kind.removesuffix(_SUFFIX)
    if plain == kind or plain not in _FIELDS:
        raise NoCertificate(f"{kind} is no type of certificate that edgeq knows")
    try:
        return _parsed(path, text, blob, plain)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise NoCertificate("the certificate is cut short") from error


def _parsed(path: Path, text: str, blob: bytes, plain: str) -> Certificate:
    _, rest = take_string(blob)
    _, rest = take_string(rest)  # the nonce
    public = _packed((plain if not plain.startswith("sk-") else f"{plain}@openssh.com").encode())
    for _ in range(_FIELDS[plain]):
        part, rest = take_string(rest)
        public += _packed(part)
    (_, kind), rest = struct.unpack(">QI", rest[:12]), rest[12:]
    if kind != _USER:
        raise NoCertificate("a certificate for hosts, not for users")
    _, rest = take_string(rest)  # the key id
    packed, rest = take_string(rest)
    after, before = struct.unpack(">QQ", rest[:16])
    principals = []
    while packed:
        name, packed = take_string(packed)
        principals.append(name.decode("utf-8", "replace"))
    return Certificate(path, text, public, tuple(principals), after, before)


def take_string(data: bytes) -> tuple[bytes, bytes]:
    """The first part that its length precedes, and what follows. Raises struct.error or IndexError at a cut."""
    (length,) = struct.unpack(">I", data[:4])
    if len(data) < 4 + length:
        raise IndexError
    return data[4 : 4 + length], data[4 + length :]


def _packed(part: bytes) -> bytes:
    return struct.pack(">I", len(part)) + part


def _day(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(min(seconds, 253402300799)))
