"""The service's files for a device: deploy/systemd filled in. Text only; sends nothing."""

import re
from dataclasses import dataclass

from edgeq import catalog
from edgeq.deliver.service.schedule import Schedule
from edgeq.errors import DeviceUnfit

UNITS = ("edgeq-agent.path", "edgeq-agent.service", "edgeq-measure.timer", "edgeq-measure.service")
STARTED = ("edgeq-agent.path", "edgeq-measure.timer")
SERVICES = ("edgeq-agent.service", "edgeq-measure.service")
SYSTEM_ROOT = "/var/lib/edgeq"
USER_ROOT = "~/.local/share/edgeq"
SYSUSERS = "/etc/sysusers.d/edgeq.conf"
TMPFILES = "/etc/tmpfiles.d/edgeq.conf"
# Its presence says that lingering was switched on for this service, so that uninstall may switch it off.
LINGER_MARK = "edgeq-agent.path.d/linger.conf"
_LINGER_TEXT = "# edgeq switched lingering on, so that this unit runs while nobody is logged in; uninstall switches it off.\n"
_PAUSE_S = 15
# Words go into unit files and one shell line as they are: systemd and the shell agree on these characters.
_PLAIN = re.compile(r"/[A-Za-z0-9._/+@=,-]+")
_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class ServiceSpec:
    """`firmware`: the device has the Raspberry Pi's mailbox. `mark_linger`: lingering is ours to switch off again."""

    scope: str
    root: str
    python: str
    login: str
    group: str
    home: str
    schedule: Schedule
    firmware: bool
    mark_linger: bool = False


def files_of(spec: ServiceSpec) -> dict[str, str]:
    """Absolute path -> text. Raises DeviceUnfit when a path or a name cannot stand in a unit file."""
    _require_plain(spec)
    folder = unit_folder(spec.scope, spec.home)
    files = {f"{folder}/{unit}": _filled(unit, spec) for unit in UNITS}
    for service in SERVICES:
        files[f"{folder}/{service}.d/10-sandbox.conf"] = _filled(f"sandbox-{spec.scope}.conf", spec)
    if spec.scope == "system" and spec.firmware:
        files[f"{folder}/edgeq-agent.service.d/20-raspberry-pi.conf"] = _filled("raspberry-pi.conf", spec)
    if spec.scope == "user" and spec.mark_linger:
        files[f"{folder}/{LINGER_MARK}"] = _LINGER_TEXT
    if spec.scope == "system":
        files[SYSUSERS] = _filled("sysusers.conf", spec)
        if spec.login != "root":  # the deploying login reads and removes what the agent wrote
            files[SYSUSERS] += f"m {spec.login} edgeq\n"
        files[TMPFILES] = _filled("tmpfiles.conf", spec)
    return files


def unit_folder(scope: str, home: str) -> str:
    return "/etc/systemd/system" if scope == "system" else f"{home}/.config/systemd/user"


def all_paths(scope: str, home: str) -> tuple[str, ...]:
    """Every file that an installation of this scope may have, whatever the device and the version."""
    folder = unit_folder(scope, home)
    names = [*UNITS, *(f"{s}.d/10-sandbox.conf" for s in SERVICES)]
    if scope == "system":
        names.append("edgeq-agent.service.d/20-raspberry-pi.conf")
        return (*(f"{folder}/{n}" for n in names), SYSUSERS, TMPFILES)
    return tuple(f"{folder}/{n}" for n in (*names, LINGER_MARK))


def parents_of(path: str, scope: str, home: str) -> tuple[str, ...]:
    """The folders, innermost first, that are there for the sake of such a file and may go when they are empty."""
    folder, _, _ = path.rpartition("/")
    drop_ins = (folder,) if folder.endswith(".d") and folder != "/etc/tmpfiles.d" else ()
    return (*drop_ins, *((unit_folder(scope, home), f"{home}/.config/systemd") if scope == "user" else ()))


@dataclass(frozen=True)
class Folder:
    """One line of tmpfiles.d."""

    path: str
    mode: str
    owner: str
    group: str

    def __str__(self) -> str:
        return f"{self.mode.lstrip('0')} {self.owner} {self.group}"


def folders_of(spec: ServiceSpec) -> tuple[Folder, ...]:
    """The folders that the system's tmpfiles.d makes; of a user's service the agent makes its own."""
    if spec.scope != "system":
        return ()
    lines = [line.split() for line in _filled("tmpfiles.conf", spec).splitlines() if line.startswith("d ")]
    return tuple(Folder(*words[1:5]) for words in lines)


def root_in(unit_text: str) -> str | None:
    """The root that an installed service works in."""
    found = re.search(r"--root (\S+) drain", unit_text)
    return found[1] if found else None


def _filled(name: str, spec: ServiceSpec) -> str:
    values = {
        "ROOT": spec.root,
        "PYTHON": spec.python,
        "LOGIN": spec.login,
        "GROUP": spec.group,
        "CALENDAR": spec.schedule.calendar,
        "SPREAD_S": str(spec.schedule.spread_s),
        "PAUSE_S": str(_PAUSE_S),
    }
    text = (catalog.shipped("deploy") / "systemd" / name).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda m: values[m[1]], text)


def _require_plain(spec: ServiceSpec) -> None:
    for what, word, shape in (
        ("edgeq's folder", spec.root, _PLAIN),
        ("Python", spec.python, _PLAIN),
        ("the login", spec.login, _NAME),
        ("its group", spec.group, _NAME),
    ):
        if not shape.fullmatch(word) or "/../" in f"{word}/":
            raise DeviceUnfit(
                f"{what} is {word!r} there, which cannot stand in a unit file",
                "choose a --root (and a Python) whose absolute path has only letters, digits and ._+@=,-",
            )
