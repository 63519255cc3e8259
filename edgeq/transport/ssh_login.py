"""Proves to one server who we are: keys of the agent, keys of files, keyboard-interactive, password, in this order.

Several methods in a row (AuthenticationMethods publickey,password) work too: what the server still wants decides.
"""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from edgeq.errors import AuthRefused

from .known_hosts import OfferedKey
from .ssh_errors import connecting
from .ssh_route import Hop

Ask = Callable[[str], str]
_TRIES = 3  # for a password or passphrase that a person types


class Memory:
    """Answers that worked once are not asked for again when a link has to be made anew. Never written anywhere."""

    def __init__(self, ask: Ask | None) -> None:
        self.ask = ask
        self._known: dict[str, str] = {}

    def answers(self, prompt: str) -> Iterator[str]:
        """Up to three answers to try; stops when the same one comes twice, for then no person is typing."""
        before = self._known.get(prompt)
        if before is not None:
            yield before
        for _ in range(_TRIES if self.ask else 0):
            assert self.ask is not None
            answer = self.ask(prompt)
            if answer == before:
                return
            before = answer
            yield answer

    def keep(self, prompt: str, answer: str) -> None:
        self._known[prompt] = answer


@dataclass(frozen=True)
class _Key:
    """A key to offer: at hand in the agent, or to be loaded from a file when its turn comes."""

    words: str
    load: Callable[[], paramiko.PKey]


class _Unusable(Exception):
    """A key that cannot be offered; its words say why."""


def log_in(transport: paramiko.Transport, hop: Hop, memory: Memory) -> None:
    """Raises AuthRefused that lists what was tried and what the server allows."""
    where = f"{hop.user}@{hop.host}"
    allowed = _ask_methods(transport, hop.user, where)
    tried: list[str] = []
    untried = dict(_METHODS)
    while not transport.is_authenticated():
        method = next((name for name in untried if name in allowed), None)
        if method is None:
            raise _refused(where, allowed, tried, memory)
        allowed = untried.pop(method)(transport, hop, memory, tried) or allowed


def _ask_methods(transport: paramiko.Transport, user: str, where: str) -> list[str]:
    with connecting(where):
        try:
            transport.auth_none(user)
        except paramiko.BadAuthenticationType as answer:
            return list(answer.allowed_types)
    return []


def _by_key(transport: paramiko.Transport, hop: Hop, memory: Memory, tried: list[str]) -> list[str]:
    agent = paramiko.Agent() if hop.agent == "SSH_AUTH_SOCK" else None
    if agent is None and hop.agent.lower() != "none":
        tried.append(f"IdentityAgent {hop.agent}: not asked; edgeq knows only the agent at $SSH_AUTH_SOCK")
    try:
        for key in _keys(hop, agent, memory):
            try:
                loaded = key.load()
            except _Unusable as why:
                tried.append(f"{key.words}: {why}")
                continue
            tried.append(key.words)
            try:
                return list(transport.auth_publickey(hop.user, loaded))
            except paramiko.AuthenticationException:
                _still_open(transport, hop, tried)
            except (
                paramiko.SSHException
            ) as error:  # the agent would not sign, or no signature algorithm in common
                tried[-1] += f": {error}"
                _still_open(transport, hop, tried)
    finally:
        if agent is not None:
            agent.close()
    return []


def _keys(hop: Hop, agent: paramiko.Agent | None, memory: Memory) -> Iterator[_Key]:
    """Keys that the user named come first: a server closes the door after six wrong ones (MaxAuthTries)."""
    files = [(path, _public_half(path)) for path in hop.identities]
    offered = {key.asbytes(): key for key in agent.get_keys()} if agent is not None else {}
    named = files if hop.explicit or hop.identities_only else []
    for path, public in named[:1] if hop.explicit else ():
        yield _agent_key(offered.pop(public)) if public in offered else _file_key(path, memory)
    for path, public in files:
        if public in offered:
            yield _agent_key(offered.pop(public), path)
    if not hop.identities_only:
        yield from (_agent_key(key) for key in offered.values())
    for path, _ in files[1:] if hop.explicit else files:
        if path.is_file() and path.suffix != ".pub":
            yield _file_key(path, memory)


def _agent_key(key: paramiko.AgentKey, path: Path | None = None) -> _Key:
    return _Key(
        f"agent key {path or key.comment or ''} {OfferedKey(key.get_name(), key.asbytes())}", lambda: key
    )


def _file_key(path: Path, memory: Memory) -> _Key:
    return _Key(f"key {path}", lambda: _load(path, memory))


def _load(path: Path, memory: Memory) -> paramiko.PKey:
    """Raises _Unusable with the reason."""
    try:
        return paramiko.PKey.from_path(str(path))
    except OSError as error:
        raise _Unusable(error.strerror or str(error)) from error
    except TypeError:
        pass  # encrypted: cryptography's word for "a password is needed"
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise _Unusable(f"not a private key that can be read ({error})") from error
    prompt = f"passphrase of {path}: "
    for answer in memory.answers(prompt):
        try:
            key = paramiko.PKey.from_path(str(path), answer.encode())  # type: ignore[arg-type]  # bytes, whatever its annotation says
        except (ValueError, TypeError, paramiko.SSHException):
            continue
        memory.keep(prompt, answer)
        return key
    raise _Unusable("wrong passphrase" if memory.ask else "needs a passphrase, and nobody can be asked")


def _public_half(path: Path) -> bytes | None:
    """What `<path>.pub` says, to find the key in the agent without opening the private one."""
    public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    try:
        return base64.b64decode(public.read_text().split()[1], validate=True)
    except (OSError, ValueError, IndexError):
        return None


def _by_prompts(transport: paramiko.Transport, hop: Hop, memory: Memory, tried: list[str]) -> list[str]:
    """keyboard-interactive: the server asks its own questions, often just for the password."""
    if memory.ask is None:
        return []
    answered: list[tuple[str, str]] = []

    def answer(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        given = [(p, next(memory.answers(f"{hop.user}@{hop.host}: {p}"), "")) for p, _ in prompts]
        answered.extend(given)
        return [text for _, text in given]

    tried.append("keyboard-interactive")
    try:
        further = list(transport.auth_interactive(hop.user, answer))
    except paramiko.SSHException:
        _still_open(transport, hop, tried)
        return []
    if len(answered) == 1:  # a one-time code must not be repeated, a lone password may
        memory.keep(f"{hop.user}@{hop.host}: {answered[0][0]}", answered[0][1])
    return further


def _by_password(transport: paramiko.Transport, hop: Hop, memory: Memory, tried: list[str]) -> list[str]:
    prompt = f"password of {hop.user}@{hop.host}: "
    for answer in memory.answers(prompt):
        tried.append("password")
        try:
            further = list(transport.auth_password(hop.user, answer, fallback=False))
        except paramiko.AuthenticationException:
            _still_open(transport, hop, tried)
            continue
        memory.keep(prompt, answer)
        return further
    return []


_METHODS = {"publickey": _by_key, "keyboard-interactive": _by_prompts, "password": _by_password}


def _still_open(transport: paramiko.Transport, hop: Hop, tried: list[str]) -> None:
    if not transport.is_active():
        raise AuthRefused(
            f"{hop.user}@{hop.host} closed the connection after {len(tried)} attempts to log in",
            "name the right key with --identity (its server allows only so many: MaxAuthTries), "
            "or set IdentitiesOnly for this host in ~/.ssh/config",
            details=[f"tried: {words}" for words in tried],
        )


def _refused(where: str, allowed: list[str], tried: list[str], memory: Memory) -> AuthRefused:
    details = [
        *(f"tried: {words}" for words in tried),
        f"the server allows: {', '.join(allowed) or 'nothing'}",
    ]
    if "password" in tried or "keyboard-interactive" in tried:
        return AuthRefused(
            f"{where} refused the password",
            f"check user and password; or set up a key: ssh-copy-id {where}",
            details=details,
        )
    passwords = {"password", "keyboard-interactive"} & set(allowed)
    if passwords and memory.ask is None:
        remedy = (
            "the server would take a password, but nobody can be asked here: run in a terminal, or give a key"
        )
    else:
        remedy = f"give a key with --identity, load one with ssh-add, or put yours there: ssh-copy-id {where}"
    return AuthRefused(
        f"{where} accepted none of our keys" if tried else f"no key to offer to {where}",
        remedy,
        details=details,
    )
