"""Which keys are offered to one server, and in which order. Knows nothing of what the server answers.

OpenSSH's order: certificates, then keys of the agent (those that the configuration names before others), then key files.
A key that the user named comes before all: a server closes the door after six wrong ones (MaxAuthTries).
"""

import base64
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.pkey import PublicBlob, UnknownKeyType

from .bounded_file import bounded
from .known_hosts import OfferedKey
from .ssh_certificate import Certificate, NoCertificate, read_certificate, take_string
from .ssh_hop import Hop
from .ssh_memory import Memory

_CERTIFIED = "-cert-v01@openssh.com"
_OPENSSH_FORMAT = "-----BEGIN OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"


@dataclass(frozen=True)
class Key:
    """A key to offer: at hand in the agent, or to be loaded from a file when its turn comes. `load` raises Unusable."""

    words: str
    load: Callable[[], paramiko.PKey]


class Unusable(Exception):
    """A key that cannot be offered; its words say why."""


@dataclass(frozen=True)
class _File:
    path: Path
    public: bytes | None


def keys_to_offer(hop: Hop, held: Sequence[paramiko.AgentKey], memory: Memory) -> Iterator[Key]:
    """Each key once. `held` are the agent's."""
    offered: set[str] = set()
    for key in _in_order(hop, held, memory):
        if key.words not in offered:
            offered.add(key.words)
            yield key


def _in_order(hop: Hop, held: Sequence[paramiko.AgentKey], memory: Memory) -> Iterator[Key]:
    files = [_File(path, public_half(path)) for path in hop.identities]
    named = {file.public for file in files}
    in_agent = {key.asbytes(): key for key in held if not _is_certified(key)}
    first = files[:1] if hop.explicit else []
    certified = list(_certified(hop, files, in_agent, memory))
    for file in first:
        yield from (key for public, key in certified if public == file.public)
        yield (
            _agent_key(in_agent[file.public], file.path)
            if file.public in in_agent
            else _file_key(file, memory)
        )
    yield from (key for _, key in certified)
    yield from (_held_certificate(key) for key in held if _is_certified(key) and not hop.identities_only)
    for file in files:
        if file.public in in_agent:
            yield _agent_key(in_agent[file.public], file.path)
    if not hop.identities_only:
        yield from (_agent_key(key) for public, key in in_agent.items() if public not in named)
    for file in files[len(first) :]:
        if file.public not in in_agent and not (hop.is_default(file.path) and not file.path.is_file()):
            yield _file_key(file, memory)


def _certified(
    hop: Hop, files: Sequence[_File], in_agent: dict[bytes, paramiko.AgentKey], memory: Memory
) -> Iterator[tuple[bytes | None, Key]]:
    """CertificateFile, and <identity>-cert.pub where it is there; each with the public key that it certifies."""
    implied = (Path(f"{_private(file.path)}-cert.pub") for file in files)
    for path in dict.fromkeys((*hop.certificates, *(p for p in implied if p.is_file()))):
        try:
            certificate = read_certificate(path)
        except NoCertificate as why:
            yield None, _unusable(f"certificate {path}", str(why))
            continue
        yield certificate.public, _certified_key(certificate, hop.user, files, in_agent, memory)


def _certified_key(
    certificate: Certificate,
    user: str,
    files: Sequence[_File],
    in_agent: dict[bytes, paramiko.AgentKey],
    memory: Memory,
) -> Key:
    words = f"certificate {certificate.path}"
    if concern := certificate.concern(user):
        words = f"{words} ({concern})"
    agent_key = in_agent.get(certificate.public)
    if agent_key is not None:
        return Key(f"{words} with the agent's key", lambda: _with(certificate, _fresh(agent_key)))
    file = next((file for file in files if file.public == certificate.public), None)
    if file is None:
        return _unusable(words, "its private key is neither in the agent nor among the identity files")
    private = _private(file.path)
    return Key(f"{words} with key {private}", lambda: _with(certificate, _load(private, memory)))


def _with(certificate: Certificate, key: paramiko.PKey) -> paramiko.PKey:
    try:
        key.load_certificate(certificate.text)
    except (ValueError, paramiko.SSHException) as error:
        raise Unusable(f"the certificate does not fit the key ({error})") from error
    return key


def _unusable(words: str, why: str) -> Key:
    def refuse() -> paramiko.PKey:
        raise Unusable(why)

    return Key(words, refuse)


def _is_certified(key: paramiko.AgentKey) -> bool:
    return key.name.endswith(_CERTIFIED)


def _fresh(key: paramiko.AgentKey) -> paramiko.AgentKey:
    """A certificate stays on the object that it was loaded into."""
    return paramiko.AgentKey(key.agent, key.blob, key.comment)


def _held_certificate(key: paramiko.AgentKey) -> Key:
    """paramiko would send the name of the certificate with the plain key."""
    named: paramiko.PKey = _fresh(key)
    named.public_blob = PublicBlob(key.name, key.blob)
    return Key(f"agent certificate {key.comment} {OfferedKey(key.name, key.blob)}", lambda: named)


def _agent_key(key: paramiko.AgentKey, path: Path | None = None) -> Key:
    return Key(
        f"agent key {path or key.comment or ''} {OfferedKey(key.get_name(), key.asbytes())}", lambda: key
    )


def _file_key(file: _File, memory: Memory) -> Key:
    if file.path.suffix == ".pub":
        return _unusable(f"key {file.path}", "the agent does not hold it")
    return Key(f"key {file.path}", lambda: _load(file.path, memory))


def _private(path: Path) -> Path:
    return path.with_suffix("") if path.suffix == ".pub" else path


def _load(path: Path, memory: Memory) -> paramiko.PKey:
    """Raises Unusable with the reason."""
    beside = Path(f"{path}-cert.pub")  # paramiko reads it as well
    try:
        bounded(path)
        if beside.exists():
            bounded(beside)
        return _plain(paramiko.PKey.from_path(str(path)))
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from error
    except TypeError:
        pass  # encrypted: cryptography's word for "a password is needed"
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise Unusable(f"not a private key that can be read ({error})") from error
    prompt = f"passphrase of {path}: "
    for answer in memory.answers(prompt):
        try:
            key = paramiko.PKey.from_path(str(path), answer.encode())  # type: ignore[arg-type]  # bytes, whatever its annotation says
        except (ValueError, TypeError, paramiko.SSHException):
            continue
        memory.keep(prompt, answer)
        return _plain(key)
    raise Unusable(
        "wrong passphrase"
        if memory.ask
        else f"needs a passphrase, and there is no terminal to ask on: ssh-add {path}"
    )


def _plain(key: paramiko.PKey) -> paramiko.PKey:
    """Without the certificate that paramiko takes from the file with -cert.pub: it is offered as a key of its own."""
    key.public_blob = None
    return key


def public_half(path: Path) -> bytes | None:
    """What <path>.pub or the key file itself says without a passphrase, to find the key in the agent or its certificate."""
    public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    try:
        return base64.b64decode(bounded(public).split()[1], validate=True)
    except (OSError, ValueError, IndexError):
        return _public_part(path)


def _public_part(path: Path) -> bytes | None:
    """OpenSSH's own format keeps the public key unencrypted: magic, cipher, kdf, its options, count, public key."""
    try:
        text = bounded(path).decode()
        body = base64.b64decode("".join(text.partition(_OPENSSH_FORMAT)[2].partition("-----")[0].split()))
        rest = body.removeprefix(_MAGIC)
        for _ in range(3):
            _, rest = take_string(rest)
        return take_string(rest[4:])[0]
    except (OSError, ValueError, IndexError, struct.error):
        return None
