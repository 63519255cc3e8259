"""The options by which a device is reached and measured, and those of every command."""

from collections.abc import Callable
from dataclasses import dataclass

from edgeq.nouns.job import Limits
from edgeq.nouns.target import Target
from edgeq.request.login import Login
from edgeq.request.option import NOT_IN_RESULT, option
from edgeq.request.paths import AnyPath
from edgeq.request.tell import Tell, silence


@dataclass(frozen=True, eq=False, kw_only=True)
class EveryCommand:
    project: AnyPath | None = option(
        "Project file; default: ./edgeq.toml where there is one.",
        metavar="PATH",
        in_python="Project file, whose values replace keywords that are not given; default: none.",
        **NOT_IN_RESULT,
    )
    tell: Tell = option(
        "Called with each event as it happens (edgeq/nouns); default: nothing is printed.",
        silence,
        only_python=True,
        **NOT_IN_RESULT,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class ForTarget:
    target: AnyPath | Target = option(
        "The kind of device, or a .toml of your own.",
        "local",
        metavar="NAME",
        shows_default=True,
        **NOT_IN_RESULT,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Device:
    target: AnyPath | None = option(
        "The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle, else local, "
        "this machine.",
        metavar="NAME",
    )
    host: str | None = option(
        "The device: user@address[:port], or an alias of ~/.ssh/config.", metavar="USER@HOST"
    )
    port: int | None = option("SSH port.", least=1, most=65535)
    identity: AnyPath | None = option("SSH private key.", metavar="PATH")
    accept_new_host_key: bool = option("Trust an unknown host key once and remember it.", False)
    root: AnyPath | None = option(
        "edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else ~/.local/share/edgeq.",
        metavar="DIR",
    )
    ask_password: Callable[[str], str] | None = option(
        "Called with the prompt where a password or passphrase is needed; default: the login is refused.",
        only_python=True,
    )
    login: Login | None = option(
        "Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.",
        only_python=True,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class OnDevice(EveryCommand, _Device):
    """Which device, and how to reach it."""

    @property
    def kind(self) -> AnyPath:
        """The target's name or file."""
        return self.target or "local"


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    seconds: float = option(
        "Measuring time; a race takes up to three times as long.",
        Limits.seconds,
        least=0.5,
        shows_default=True,
    )
    limits: Limits | None = option(
        "Limits(seconds, precision, ...): all limits that end a race.", only_python=True
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class WithStore:
    store: AnyPath | None = option(
        "Where measurements are stored; default: SQLite in your state folder.", metavar="URL"
    )
