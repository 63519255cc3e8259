"""Looks at a device for what a service there needs and what is there of it already. Changes nothing."""

import base64
import re
from dataclasses import dataclass

from edgeq import catalog
from edgeq.deliver.device_answer import key_values, last_lines
from edgeq.deliver.service.unit_files import UNITS, all_paths, root_in, unit_folder
from edgeq.errors import RemoteFailed
from edgeq.transport.base import Transport


@dataclass(frozen=True)
class UnitFound:
    load: str
    active: str
    enabled: str
    stale: bool  # its file changed since systemd read it


@dataclass(frozen=True)
class Found:
    """`scope`: of the service that was looked for, system or user. `sudo`: root, yes, password or missing. `files`: absolute path -> text of those of ours that are there.
    `folders`: path -> "mode owner group". `names` and `apps` are in the root that was asked for, `own_apps` in the login's own.
    """

    scope: str
    login: str
    uid: int
    group: str
    home: str
    sudo: str
    user_manager: bool
    linger: bool
    firmware: bool
    service_user: bool
    members: tuple[str, ...]
    groups: tuple[str, ...]
    root: str
    owner: str
    current: str
    names: tuple[str, ...]
    apps: tuple[str, ...]
    waiting: int
    own: str
    own_apps: tuple[str, ...]
    own_bytes: int
    free_bytes: int
    units: dict[str, UnitFound]
    files: dict[str, str]
    folders: dict[str, str]

    @property
    def installed(self) -> bool:
        return any(path.rsplit("/", 1)[-1] in UNITS for path in self.files)

    @property
    def installed_root(self) -> str:
        """Where the installed service works; where none is installed, the root that was asked for."""
        return root_in(self.files.get(f"{self.unit_folder}/edgeq-agent.service", "")) or self.root

    @property
    def unit_folder(self) -> str:
        return unit_folder(self.scope, self.home)

    @property
    def as_root(self) -> tuple[str, ...]:
        """What goes before a command that needs root's rights."""
        return () if self.scope == "user" or self.sudo == "root" else ("sudo", "-n")

    @property
    def systemctl(self) -> tuple[str, ...]:
        """A login without a session of its own (sshd without PAM) still finds its service manager."""
        if self.scope == "user":
            return ("env", f"XDG_RUNTIME_DIR=/run/user/{self.uid}", "systemctl", "--user")
        return (*self.as_root, "systemctl")


def look(transport: Transport, scope: str, root: str) -> Found:
    """`root` may begin with "~/". Raises RemoteFailed when the device's shell does not answer."""
    words = ["sh", "-s", "--", scope, root, *UNITS, "--", *all_paths(scope, "~"), "--"]
    words += [f"{root}{name}" for name in _FOLDERS] if scope == "system" else []
    script = (catalog.shipped("deploy") / "systemd" / "look.sh").read_bytes()
    done = transport.run(words, stdin=script)
    said = key_values(done.stdout)
    problem = _problem(said)
    if done.code != 0 or problem:
        details = last_lines(done.stderr, 5) or (problem,)
        raise RemoteFailed(f"{transport.label} could not be asked about its services", details=details)
    return _found(said, scope)


_KEYS = (
    *("login", "uid", "group", "home", "sudo", "manager", "linger", "firmware", "user", "members", "groups"),
    *("root", "owner", "current", "names", "apps", "waiting", "own", "own_apps", "own_kb", "free_kb"),
)
_COUNT = re.compile(r"[0-9]{0,17}")
_ACCOUNT = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@+ \\-]{0,255}\$?|")


def _problem(said: dict[str, str]) -> str:
    """Why these are not the lines that look.sh prints; "" where they are. Names of accounts and paths are put into commands."""
    missing = [key for key in _KEYS if key not in said]
    if missing:
        return f"it said nothing of {', '.join(missing)}"
    for key in ("uid", "waiting", "own_kb", "free_kb"):
        if not _COUNT.fullmatch(said[key].strip()):
            return f"{key} is {said[key][:40]!r}"
    for key in ("login", "group", "owner"):
        if not _ACCOUNT.fullmatch(said[key]):
            return f"{key} is {said[key][:40]!r}"
    for key in ("home", "root", "own"):
        if not said[key].startswith("/") or not said[key].isprintable():
            return f"{key} is {said[key][:40]!r}"
    return ""


_FOLDERS = ("", "/agent", "/wheels", "/incoming", "/samples", "/apps", "/jobs", "/jobs/running", "/results")


def _found(said: dict[str, str], scope: str) -> Found:
    home = said["home"]
    return Found(
        scope=scope,
        login=said["login"],
        uid=int(said["uid"] or 0),
        group=said["group"],
        home=home,
        sudo=said["sudo"],
        user_manager=said["manager"] == "yes",
        linger=said["linger"] == "yes",
        firmware=said["firmware"] == "yes",
        service_user=said["user"] == "yes",
        members=tuple(filter(None, said["members"].split(","))),
        groups=tuple(said["groups"].split()),
        root=said["root"],
        owner=said["owner"],
        current=said["current"],
        names=tuple(said["names"].split()),
        apps=tuple(said["apps"].split()),
        waiting=int(said["waiting"] or 0),
        own=said["own"],
        own_apps=tuple(said["own_apps"].split()),
        own_bytes=int(said["own_kb"] or 0) * 1024,
        free_bytes=int(said["free_kb"] or 0) * 1024,
        units={unit: _unit(said, unit) for unit in UNITS},
        files={
            key.removeprefix("file:").replace("~", home, 1): _decoded(text)
            for key, text in said.items()
            if key.startswith("file:")
        },
        folders={k.removeprefix("folder:"): v for k, v in said.items() if k.startswith("folder:") and v},
    )


def _unit(said: dict[str, str], unit: str) -> UnitFound:
    return UnitFound(
        load=said.get(f"unit:{unit}:LoadState", ""),
        active=said.get(f"unit:{unit}:ActiveState", ""),
        enabled=said.get(f"unit:{unit}:UnitFileState", ""),
        stale=said.get(f"unit:{unit}:NeedDaemonReload", "") == "yes",
    )


def _decoded(text: str) -> str:
    """What a file holds; "" for what is no base64, which is no file of ours."""
    try:
        return base64.b64decode(text.encode(errors="replace")).decode(errors="replace")
    except ValueError:
        return ""
