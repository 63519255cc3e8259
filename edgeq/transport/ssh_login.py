"""Proves to one server who we are: keys, keyboard-interactive, password, in this order and as far as the route allows.

Several methods in a row (AuthenticationMethods publickey,password) work too: what the server still wants decides.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import paramiko

from edgeq.errors import AuthRefused

from .ssh_agent import NoAgent, agent_keys
from .ssh_errors import connecting, silent
from .ssh_hop import Hop
from .ssh_keys import Unusable, keys_to_offer
from .ssh_memory import Memory

_TYPING_S = 130.0  # of a person, within the login itself; sshd ends that after 120 s (LoginGraceTime)


@dataclass
class _Tried:
    """`lines` for people; `offers` counts what reached the server."""

    lines: list[str] = field(default_factory=list)
    offers: int = 0

    def offer(self, words: str) -> None:
        self.lines.append(words)
        self.offers += 1


def log_in(transport: paramiko.Transport, hop: Hop, memory: Memory) -> None:
    """Raises AuthRefused that lists what was tried and what the server allows."""
    where = f"{hop.user}@{hop.host}"
    allowed = _ask_methods(transport, hop, where)
    tried = _Tried()
    memory = Memory(None) if hop.batch else memory
    untried = {name: _METHODS[name] for name in hop.methods}
    while not transport.is_authenticated():
        method = next((name for name in untried if name in allowed), None)
        if method is None:
            raise _refused(hop, allowed, tried, memory)
        allowed = untried.pop(method)(transport, hop, memory, tried) or allowed


@contextmanager
def _answering(transport: paramiko.Transport, hop: Hop) -> Iterator[None]:
    """A server that says nothing has not refused a key: the next one would wait as long again. Raises Unreachable."""
    began = time.monotonic()
    try:
        yield
    except paramiko.AuthenticationException as error:
        within_s = transport.auth_timeout
        if type(error) is paramiko.AuthenticationException and time.monotonic() - began >= within_s:
            raise silent(hop.shown, hop.for_ssh, "does not answer the login", within_s) from error
        raise


def _ask_methods(transport: paramiko.Transport, hop: Hop, where: str) -> list[str]:
    with connecting(where):
        try:
            with _answering(transport, hop):
                transport.auth_none(hop.user)
        except paramiko.BadAuthenticationType as answer:
            return list(answer.allowed_types)
    return []


def _by_key(transport: paramiko.Transport, hop: Hop, memory: Memory, tried: _Tried) -> list[str]:
    try:
        with agent_keys(hop.agent) as held:
            return _offer(transport, hop, held, memory, tried)
    except NoAgent as why:
        tried.lines.append(str(why))
    return _offer(transport, hop, (), memory, tried)


def _offer(
    transport: paramiko.Transport,
    hop: Hop,
    held: tuple[paramiko.AgentKey, ...],
    memory: Memory,
    tried: _Tried,
) -> list[str]:
    for key in keys_to_offer(hop, held, memory):
        try:
            loaded = key.load()
        except Unusable as why:
            tried.lines.append(f"{key.words}: {why}")
            continue
        tried.offer(key.words)
        try:
            with _answering(transport, hop):
                return list(transport.auth_publickey(hop.user, loaded))
        except paramiko.AuthenticationException:
            _still_open(transport, hop, tried)
        except (
            paramiko.SSHException
        ) as error:  # the agent would not sign, or no signature algorithm in common
            tried.lines[-1] += f": {error}"
            _still_open(transport, hop, tried)
    return []


def _by_prompts(transport: paramiko.Transport, hop: Hop, memory: Memory, tried: _Tried) -> list[str]:
    """keyboard-interactive: the server asks its own questions, often just for the password."""
    if memory.ask is None:
        return []
    answered: list[tuple[str, str]] = []

    def answer(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        given = [(p, next(memory.answers(f"{hop.user}@{hop.host}: {p}"), "")) for p, _ in prompts]
        answered.extend(given)
        return [text for _, text in given]

    tried.offer("keyboard-interactive")
    within_s, transport.auth_timeout = transport.auth_timeout, max(transport.auth_timeout, _TYPING_S)
    try:
        with _answering(transport, hop):
            further = list(transport.auth_interactive(hop.user, answer))
    except paramiko.SSHException:
        _still_open(transport, hop, tried)
        return []
    finally:
        transport.auth_timeout = within_s
    if len(answered) == 1:  # a one-time code must not be repeated, a lone password may
        memory.keep(f"{hop.user}@{hop.host}: {answered[0][0]}", answered[0][1])
    return further


def _by_password(transport: paramiko.Transport, hop: Hop, memory: Memory, tried: _Tried) -> list[str]:
    prompt = f"password of {hop.user}@{hop.host}: "
    for answer in memory.answers(prompt):
        tried.offer("password")
        try:
            with _answering(transport, hop):
                further = list(transport.auth_password(hop.user, answer, fallback=False))
        except paramiko.AuthenticationException:
            _still_open(transport, hop, tried)
            continue
        memory.keep(prompt, answer)
        return further
    return []


_METHODS = {"publickey": _by_key, "keyboard-interactive": _by_prompts, "password": _by_password}


def _still_open(transport: paramiko.Transport, hop: Hop, tried: _Tried) -> None:
    if not transport.is_active():
        raise AuthRefused(
            f"{hop.user}@{hop.host} closed the connection after {tried.offers} attempts to log in",
            "name the right key with --identity (its server allows only so many: MaxAuthTries), "
            "or set IdentitiesOnly for this host in ~/.ssh/config",
            details=[f"tried: {words}" for words in tried.lines],
        )


def _refused(hop: Hop, allowed: list[str], tried: _Tried, memory: Memory) -> AuthRefused:
    where = f"{hop.user}@{hop.host}"
    details = [
        *(f"tried: {words}" for words in tried.lines),
        f"the server allows: {', '.join(allowed) or 'nothing'}",
    ]
    if {"password", "keyboard-interactive"} & set(tried.lines):
        return AuthRefused(
            f"{where} refused the password",
            f"check user and password; or set up a key: ssh-copy-id {hop.for_ssh}",
            details=details,
        )
    passwords = {"password", "keyboard-interactive"} & set(allowed)
    if passwords - set(hop.methods) and not passwords & set(hop.methods):
        remedy = (
            "the server would take a password, but the ssh configuration forbids that here "
            "(PasswordAuthentication, PreferredAuthentications or BatchMode); or give a key with --identity"
        )
    elif passwords and memory.ask is None:
        remedy = "the server would take a password, but there is no terminal to ask on: run in a terminal, or give a key"
    else:
        remedy = (
            f"check the user name, give its key with --identity, load one with ssh-add, or put yours there: "
            f"ssh-copy-id {hop.for_ssh}"
        )
    return AuthRefused(
        f"{where} accepted none of the keys offered"
        if tried.offers
        else f"there is no key to offer to {where}",
        remedy,
        details=details,
    )
