"""Reads OpenSSH's client configuration where no OpenSSH client is installed: its files, read in their order.

The first value of a keyword counts, except that IdentityFile and CertificateFile collect theirs. A `Match final` and
CanonicalizeHostname have the files read once more, with the host name that was found.
"""

import glob
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgeq.errors import Unreachable

from .host_address import Address
from .ssh_canonical import canonical_name, is_canonicalized
from .ssh_client import Settings
from .ssh_config_words import COMMANDS, keyword_and_rest, split_words
from .ssh_match import criteria_of, host_holds, match_holds
from .ssh_tokens import Names, home_for, local_user, replace_tokens, replace_variables

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
_DEEPEST = 16  # OpenSSH's limit on nested Includes
_NUMBERS = ("port", "canonicalizemaxdots")
_DIGITS = 9
_COLLECTED = ("identityfile", "certificatefile")


@dataclass(frozen=True)
class OwnReader:
    """`config` replaces the user's and the system's file, as with `ssh -F`. `home` is what ~ stands for."""

    config: Path | None
    home: Path
    on_note: Callable[[str], None]

    def settings(self, address: Address) -> Settings:
        """Raises Unreachable with file and line where a file cannot be understood; what OpenSSH alone knows is noted."""
        typed = {"user": address.user, "port": address.port}
        reading = _Reading(
            original=address.host,
            host=address.host,
            home=self.home,
            found={key: [str(value)] for key, value in typed.items() if value is not None},
        )
        self._read_all(reading)
        host = replace_tokens(reading.first("hostname") or address.host, {"h": address.host, "%": "%"})
        host = canonical_name(host if ":" in host else host.lower(), reading.found)
        reading.found["hostname"] = [host]
        if reading.wants_final or is_canonicalized(reading.found):
            reading.host, reading.final = host, True
            self._read_all(reading)
        for note in dict.fromkeys(reading.notes):
            self.on_note(note)
        return {keyword: tuple(values) for keyword, values in reading.found.items()}

    def source(self, address: Address) -> str:
        files = str(self.config) if self.config else f"~/.ssh/config and {SYSTEM_CONFIG}"
        return f"{files}, read by edgeq itself: no OpenSSH client is installed"

    def _read_all(self, reading: "_Reading") -> None:
        user = self.home / ".ssh"
        if self.config is not None:
            reading.file(self.config, user, active=True, depth=0)
            return
        reading.file(user / "config", user, active=True, depth=0)
        reading.file(SYSTEM_CONFIG, SYSTEM_CONFIG.parent, active=True, depth=0)


@dataclass
class _Reading:
    """`host` is what Host lines are compared with: the typed name, in the final pass the one that was found."""

    original: str
    host: str
    home: Path
    found: dict[str, list[str]]
    final: bool = False
    wants_final: bool = False
    notes: list[str] = field(default_factory=list)

    def first(self, keyword: str) -> str | None:
        return self.found[keyword][0] if keyword in self.found else None

    def file(self, file: Path, folder: Path, *, active: bool, depth: int) -> None:
        """`folder` is where relative Includes are looked for; an inactive file can only say what is wrong with it."""
        if depth > _DEEPEST:
            raise Unreachable(
                f"{file}: Include is nested more than {_DEEPEST} deep",
                "look for files that include each other",
            )
        possible = active
        for number, line in _lines(file):
            try:
                keyword, rest = keyword_and_rest(line)
                words = [rest] if keyword in COMMANDS else split_words(rest)
                if not words:
                    raise ValueError(f"{keyword} has no value")
                if keyword == "host":
                    active = possible and host_holds(words, self.host)
                elif keyword == "match":
                    active = self._match(words, f"{file}:{number}", possible)
                elif keyword == "include":
                    for included in _included(words, folder, self.home):
                        self.file(included, folder, active=active, depth=depth + 1)
                elif active:
                    self._keep(keyword, words)
            except ValueError as error:
                raise Unreachable(f"{file}:{number}: {error}", "see `man ssh_config`") from None

    def _match(self, words: list[str], where: str, possible: bool) -> bool:
        criteria = criteria_of(words)
        self.wants_final = self.wants_final or any(c.name == "final" for c in criteria)
        if unknown := [c.name for c in criteria if not c.known]:
            self.notes.append(
                f"{where}: the lines below this Match are left out: only an OpenSSH client, which is not installed "
                f"here, can decide `{unknown[0]}`"
            )
        return possible and match_holds(criteria, self._names(), self.final)

    def _names(self) -> Names:
        host = self.first("hostname")
        return Names(
            original=self.original,
            host=replace_tokens(host, {"h": self.host, "%": "%"}) if host else self.host,
            port=int(self.first("port") or "22"),
            user=self.first("user") or local_user(),
            alias=self.first("hostkeyalias") or self.original,
            home=self.home,
        )

    def _keep(self, keyword: str, words: list[str]) -> None:
        if keyword in _COLLECTED:
            values = self.found.setdefault(keyword, [])
            values += [] if words[0] in values else [words[0]]
        elif keyword == "proxyjump":
            if "proxycommand" not in self.found:
                self.found.setdefault(keyword, ["".join(words)])
        elif keyword == "proxycommand":
            if (self.first("proxyjump") or "none").lower() == "none":
                self.found.setdefault(keyword, [words[0]])
        elif keyword in _NUMBERS and not (words[0].isdecimal() and len(words[0]) <= _DIGITS):
            raise ValueError(f"{keyword} {words[0]!r} is not a number")
        elif (keyword, words) != (
            "connecttimeout",
            ["none"],
        ):  # which OpenSSH takes for one that was never set
            self.found.setdefault(keyword, [" ".join(words)])


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """A file that is not there is empty."""
    try:
        text = file.read_text("utf-8", "replace") if file.is_file() else ""
    except OSError as error:
        raise Unreachable(f"{file} cannot be read: {error.strerror}", "check its permissions") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.strip().startswith("#"):
            yield number, line


def _included(patterns: list[str], folder: Path, home: Path) -> Iterator[Path]:
    for pattern in patterns:
        found = glob.glob(str(folder / home_for(replace_variables(pattern), home)))  # noqa: PTH207 - ** means * to OpenSSH
        yield from (Path(path) for path in sorted(found) if Path(path).is_file())
