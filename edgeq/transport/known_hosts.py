"""Which host keys are known: OpenSSH's known_hosts files, read and appended to. Knows keys as bytes, not as objects.

Plain and hashed names, patterns with * ? !, [host]:port, @revoked, @cert-authority (ssh_host_certificate.py).
"""

import base64
import hashlib
import hmac
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeq.errors import HostKeyRefused

_MARKERS = ("@revoked", "@cert-authority")
_LARGEST = 16 << 20  # bytes; the lists of whole sites have some megabytes


@dataclass(frozen=True)
class KnownKey:
    """One line of a known_hosts file; `names` is its first field, `kind` the key's type, `blob` the public key. `authority`:
    the key is none of a host, but signs the keys of hosts.
    """

    file: Path
    line: int
    names: str
    kind: str
    blob: bytes
    revoked: bool
    authority: bool = False


@dataclass(frozen=True)
class OfferedKey:
    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it: SHA256:base64 without padding."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def __str__(self) -> str:
        words = {"ssh-ed25519": "ED25519", "ssh-rsa": "RSA"}
        return f"{words.get(self.kind, 'ECDSA')} {self.fingerprint}"


def name_of(host: str, port: int) -> str:
    """The name under which a host's key is kept."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


def read_known_hosts(files: Iterable[Path]) -> tuple[KnownKey, ...]:
    """Every usable line of the files that exist; a line that cannot be read is no key, as for OpenSSH. Raises HostKeyRefused for
    a file that cannot be read or is larger than any list of hosts: the key in it may be the one that was revoked.
    """
    return tuple(key for file in files if file.is_file() for key in _keys_of(file))


def keys_for(name: str, known: Iterable[KnownKey]) -> tuple[KnownKey, ...]:
    return tuple(key for key in known if _matches(key.names, name))


def refuse_marked(names: Iterable[str], shown: str, offered: OfferedKey, known: Iterable[KnownKey]) -> None:
    """Raises HostKeyRefused where a line for one of `names` says that this key, of a host or an authority, is revoked."""
    for key in (key for name in names for key in keys_for(name, known)):
        if key.revoked and key.blob == offered.blob:
            raise HostKeyRefused(
                f"the host key of {shown} is revoked ({offered}): {key.file}:{key.line}",
                "do not connect; ask whoever revoked it, and give the device a new host key",
            )


def check_host_key(name: str, shown: str, offered: OfferedKey, known: Sequence[KnownKey]) -> bool:
    """True: known and the same; False: nothing is known of this host. `shown` is how people call it.

    Raises HostKeyRefused when the key is revoked, or when keys are known for this host and this is none of them.
    """
    refuse_marked((name,), shown, offered, known)
    live = [key for key in keys_for(name, known) if not key.revoked and not key.authority]
    if any(key.blob == offered.blob for key in live):
        return True
    if not live:
        return False
    same_type = [key for key in live if key.kind == offered.kind]
    before = (same_type or live)[0]
    known_one = f"{before.file}:{before.line} has {OfferedKey(before.kind, before.blob)}"
    replaced = (
        "if the device was set up anew, compare the fingerprint on the device, remove the old key with "
        f"`ssh-keygen -f {before.file} -R '{name}'`, and run again with --accept-new-host-key"
    )
    raise HostKeyRefused(
        f"the host key of {shown} has changed: it offers {offered}, {known_one}"
        if same_type
        else f"the host key of {shown} is of another type than the known one: it offers {offered}, {known_one}",
        replaced
        if same_type
        else f"see that HostKeyAlgorithms in the ssh configuration does not leave out {before.kind}; {replaced}",
        details=(
            "somebody may be answering in the device's place; --accept-new-host-key does not override this",
        ),
    )


def unknown_host_key(shown: str, offered: OfferedKey) -> HostKeyRefused:
    kind = str(offered).split()[0].lower()
    return HostKeyRefused(
        f"the host key of {shown} is not known ({offered})",
        f"compare it with `ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub` on the device, "
        "then run again with --accept-new-host-key",
    )


def remember(file: Path, name: str, offered: OfferedKey, *, hashed: bool = False) -> None:
    """Append one line. One write in append mode: two processes that accept at once leave two whole lines. Raises
    HostKeyRefused where the file cannot be written.
    """
    try:
        _append(file, name, offered, hashed=hashed)
    except OSError as error:
        raise HostKeyRefused(
            f"the accepted host key cannot be kept in {file}: {error.strerror}",
            "make the file writable, or move it away",
        ) from None


def _append(file: Path, name: str, offered: OfferedKey, *, hashed: bool) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    first = _hashed(name, os.urandom(20)) if hashed else name
    line = f"{first} {offered.kind} {base64.b64encode(offered.blob).decode()}\n".encode()
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            line = b"\n" + line
        os.write(handle, line)
        if stat.S_ISREG(os.fstat(handle).st_mode):  # some people's known_hosts is /dev/null
            os.fsync(handle)
    finally:
        os.close(handle)


def _keys_of(file: Path) -> Iterable[KnownKey]:
    for number, text in enumerate(_text_of(file).split("\n"), 1):
        fields = text.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or marker not in ("", *_MARKERS):
            continue
        try:
            blob = base64.b64decode(fields[2], validate=True)
        except ValueError:
            continue
        yield KnownKey(file, number, fields[0], fields[1], blob, *(marker == known for known in _MARKERS))


def _text_of(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
    except OSError as error:
        raise HostKeyRefused(
            f"the known host keys in {file} cannot be read: {error.strerror}", "make the file readable"
        ) from None
    if len(data) > _LARGEST:
        raise HostKeyRefused(
            f"{file} is larger than {_LARGEST >> 20} MB and is not read",
            "a file of known host keys has a line per host: see what it holds",
        )
    return data.decode("utf-8", "replace")


def _matches(names: str, name: str) -> bool:
    """OpenSSH's rule: any pattern matches, and none that is negated."""
    found = False
    for pattern in names.split(","):
        if pattern.startswith("|1|"):
            found = found or _hash_matches(pattern, name)
        elif pattern.startswith("!") and glob_matches(name, pattern[1:]):
            return False
        else:
            found = found or glob_matches(name, pattern)
    return found


def glob_matches(name: str, pattern: str) -> bool:
    """* and ? only: brackets are part of names such as [host]:2222. In time that grows with the product of the lengths, for
    anybody may have written the pattern.
    """
    pattern = pattern.lower()
    at = in_pattern = 0
    star, matched = -1, 0  # the last *, and how far the name went when it took nothing
    while at < len(name):
        if in_pattern < len(pattern) and pattern[in_pattern] == "*":
            star, matched = in_pattern, at
            in_pattern += 1
        elif in_pattern < len(pattern) and pattern[in_pattern] in ("?", name[at]):
            at, in_pattern = at + 1, in_pattern + 1
        elif star >= 0:
            matched += 1
            at, in_pattern = matched, star + 1
        else:
            return False
    return not pattern[in_pattern:].strip("*")


def _hash_matches(pattern: str, name: str) -> bool:
    try:
        salt = base64.b64decode(pattern.split("|")[2])
    except (ValueError, IndexError):
        return False
    return hmac.compare_digest(_hashed(name, salt).encode(), pattern.encode())


def _hashed(name: str, salt: bytes) -> str:
    """|1|salt|HMAC-SHA1(salt, name): OpenSSH's format, which hides names from a glance and is no protection."""
    mac = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(mac).decode()}"
