"""How to reach a device. Imports nothing heavy."""

from collections.abc import Callable
from dataclasses import dataclass

from edgeq.request.paths import AnyPath


@dataclass(frozen=True)
class Login:
    """How to reach a device; `host` None is this machine. `ask_password` is called with the prompt to show."""

    host: str | None = None
    port: int | None = None
    identity: AnyPath | None = None
    accept_new_host_key: bool = False
    ask_password: Callable[[str], str] | None = None
