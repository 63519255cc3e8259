"""What ~, ${VARIABLE} and %h stand for in file names and commands of an ssh configuration (man ssh_config, TOKENS)."""

import getpass
import os
import pwd
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TOKEN = re.compile(r"%(.)")


@dataclass(frozen=True)
class Names:
    """`original` is the host as it was typed, `host` what HostName made of it, `alias` HostKeyAlias or the typed host;
    `home` is the folder that ~ stands for.
    """

    original: str
    host: str
    port: int
    user: str
    alias: str
    home: Path

    def in_commands(self) -> dict[str, str]:
        """The tokens of ProxyCommand and ProxyJump."""
        return {"%": "%", "h": self.host, "n": self.original, "p": str(self.port), "r": self.user}

    def in_files(self) -> dict[str, str]:
        """The tokens of file names and of Match exec; not %C, a hash that differs between versions of OpenSSH."""
        here = socket.gethostname()
        return self.in_commands() | {
            "d": str(self.home),
            "i": str(os.getuid()),
            "k": self.alias,
            "L": here.partition(".")[0],
            "l": here,
            "u": local_user(),
        }


def local_user() -> str:
    """As OpenSSH finds it: by number, not by $USER."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container that runs under a number without a name
        return getpass.getuser()


def file_at(text: str, names: Names) -> Path:
    """A variable that is not set and an unknown token stay as written: the missing file then shows its cause."""
    return Path(home_for(replace_tokens(replace_variables(text), names.in_files()), names.home))


def home_for(text: str, home: Path) -> str:
    """~ at the start is `home`, ~name the home of that user."""
    if text == "~" or text.startswith("~/"):
        return f"{home}{text[1:]}"
    return os.path.expanduser(text)  # noqa: PTH111 - a Path would drop what a message has to show as written


def replace_variables(text: str) -> str:
    return _VARIABLE.sub(lambda found: os.environ.get(found[1], found[0]), text)


def replace_tokens(text: str, tokens: Mapping[str, str]) -> str:
    """In one pass, so that %%h stays %h."""
    return _TOKEN.sub(lambda found: tokens.get(found[1], found[0]), text)
