"""The files of known host keys: the user's own, and what others wrote into the system's."""

import base64
import random
from pathlib import Path

from edgeq.transport.known_hosts import OfferedKey, check_host_key, read_known_hosts, remember
from tests.fuzz.mutations import changed_bytes, changed_text

_BLOB = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00 " + bytes(range(32))
_OFFERED = OfferedKey("ssh-ed25519", _BLOB)
_KEY = base64.b64encode(_BLOB).decode()


def examples(folder: Path) -> list[bytes]:
    remember(folder / "hashed", "board.local", _OFFERED, hashed=True)
    return [
        f"board.local,10.0.0.* ssh-ed25519 {_KEY} a comment\n[board.local]:2222 ssh-ed25519 {_KEY}\n".encode(),
        f"# a comment\n\n@revoked *.local ssh-rsa {_KEY}\n@cert-authority * ssh-rsa {_KEY}\n".encode(),
        f"!board.local,*.local,b??rd.* ecdsa-sha2-nistp256 {_KEY}\n".encode(),
        (folder / "hashed").read_bytes(),
    ]


def mutated(example: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return changed_bytes(example, rng)
    text = changed_text(example.decode(errors="replace"), rng)
    if rng.random() < 0.1:
        text = "*" * rng.choice((10, 1000, 100_000)) + "?a" * rng.choice((1, 5000)) + text
    return text.encode(errors="surrogatepass")


def read(content: bytes, folder: Path) -> object:
    (folder / "known_hosts").write_bytes(content)
    known = read_known_hosts([folder / "known_hosts", folder, folder / "missing"])
    return [
        check_host_key(name, name, _OFFERED, known)
        for name in ("board.local", "[board.local]:2222", "10.0.0.5", "modell-straße", "::1")
    ]
