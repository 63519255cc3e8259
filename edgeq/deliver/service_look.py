"""Looks at a device for what a service there needs and what is there of it already. Changes nothing."""

import base64
from dataclasses import dataclass

from edgeq import catalog
from edgeq.deliver.printable import printable
from edgeq.deliver.service_files import UNITS, all_paths
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
    """`sudo`: root, yes, password or missing. `files`: absolute path -> text of those of ours that are there.
    `folders`: path -> "mode owner group". `names` and `apps` are in the root that was asked for, `own_apps` in the login's own.
    """

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


def look(transport: Transport, scope: str, root: str) -> Found:
    """`root` may begin with "~/". Raises RemoteFailed when the device's shell does not answer."""
    words = ["sh", "-s", "--", scope, root, *UNITS, "--", *all_paths(scope, "~"), "--"]
    words += [f"{root}{name}" for name in _FOLDERS] if scope == "system" else []
    script = (catalog.shipped("deploy") / "systemd" / "look.sh").read_bytes()
    done = transport.run(words, stdin=script)
    lines = done.stdout.decode(errors="replace").splitlines()
    said: dict[str, str] = printable(dict(line.split("=", 1) for line in lines if "=" in line))
    if done.code != 0 or "free_kb" not in said:
        tail = printable(done.stderr.decode(errors="replace").strip().splitlines()[-5:])
        raise RemoteFailed(f"{transport.label} could not be asked about its services", details=tail)
    return _found(said)


_FOLDERS = ("", "/agent", "/wheels", "/incoming", "/samples", "/apps", "/jobs", "/jobs/running", "/results")


def _found(said: dict[str, str]) -> Found:
    home = said["home"]
    return Found(
        login=said["login"],
        uid=int(said["uid"]),
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
            key.removeprefix("file:").replace("~", home, 1): base64.b64decode(text).decode(errors="replace")
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
