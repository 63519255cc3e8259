"""Decides what has to be done on a device so that the service is there, or gone. Nothing is done here.

What is there already makes no step: a second installation is an empty plan.
"""

from collections.abc import Iterator

from edgeq.deliver.agent_archive import AgentArchive
from edgeq.deliver.service.look import Found
from edgeq.deliver.service.unit_files import (
    LINGER_MARK,
    STARTED,
    SYSUSERS,
    TMPFILES,
    UNITS,
    ServiceSpec,
    files_of,
    folders_of,
    parents_of,
)
from edgeq.errors import DeviceUnfit, NoSpace
from edgeq.nouns.service import RemoveFile, RunCommand, SendFile, ServiceStep, WriteFile

# $1 the old root, $2 the new one. Wheels and samples first: an app is there when all that it needs is.
_COPY = """\
cd "$1" || exit 1
for item in wheels/* samples/* apps/*; do
  [ ! -e "$item" ] || [ -e "$2/$item" ] && continue
  beside=$2/${item%/*}/.edgeq-copy.${item##*/}.tmp
  rm -rf "$beside" && cp -a "$item" "$beside" && mv -T "$beside" "$2/$item" || exit 1
done
sync
"""
_LINK = 'ln -sfn "$2" "$1/.edgeq-copy.current.tmp" && mv -T "$1/.edgeq-copy.current.tmp" "$1/current"'
_LINGER = 'loginctl enable-linger 2>/dev/null || sudo -n loginctl enable-linger "$1"'
_UNLINGER = 'loginctl disable-linger 2>/dev/null || sudo -n loginctl disable-linger "$1"'
# Innermost first; files of others stay.
_RMDIR = 'for f; do [ ! -d "$f" ] || rmdir --ignore-fail-on-non-empty "$f"; done'
# What edgeq keeps in its root; a root that somebody else keeps files in loses none of them.
_OURS = ("agent", "apps", "incoming", "jobs", "lock", "lock.json", "results", "samples", "wheels")
# $1 Python, $2 the root: its own agent knows what of it edgeq made. Where there is none, an empty folder is all that goes.
_EMPTY = (
    'if [ -e "$2/agent/current" ]; then echo "{\\"everything\\": true}" | '
    '"$1" -I "$(readlink -f "$2/agent/current")" --root "$2" remove; else rmdir --ignore-fail-on-non-empty "$2"; fi'
)
# Services see no home; nor would another user get through it.
_HIDDEN = ("/home/", "/root/", "/run/user/")


def install_steps(
    found: Found, spec: ServiceSpec, archive: AgentArchive, label: str
) -> tuple[ServiceStep, ...]:
    """Raises DeviceUnfit where the device, its login or its folders do not allow it, NoSpace for the copy."""
    _require_possible(found, spec, label)
    wanted = files_of(spec)
    steps = [
        *_account(found, spec, wanted),
        *_agent(spec, archive, found),
        *_copy_of_own_root(found, spec, label),
        *_units(found, spec, wanted),
        *_running(found, spec, wanted),
    ]
    _require_rights(found, steps, label)
    return tuple(steps)


def copies_own_root(found: Found, spec: ServiceSpec) -> bool:
    """Apps that the login deployed before there was a service are copied, once."""
    return (
        spec.scope == "system"
        and bool(found.own_apps)
        and not found.apps
        and not found.installed
        and found.own != spec.root
    )


def uninstall_steps(
    found: Found, *, everything: bool, label: str, python: str = "python3"
) -> tuple[ServiceStep, ...]:
    """`everything`: what edgeq made in the root goes too, by the agent there, which `python` runs. Without it a root in which a
    model lives stays, and becomes all the login's.
    """
    root = found.installed_root
    steps = [
        *_without_units(found),
        *_root_without_service(found, root, python, everything=everything),
        *_without_account(found),
    ]
    _require_rights(found, steps, label)
    return tuple(steps)


def _account(found: Found, spec: ServiceSpec, wanted: dict[str, str]) -> Iterator[ServiceStep]:
    """The service's user, and the folders that it shares with the login."""
    if spec.scope != "system":
        return
    sudo = found.as_root
    users = _write(SYSUSERS, found, spec, wanted)
    if users or not found.service_user or spec.login not in (*found.members, "root"):
        yield from users
        new = (*sudo, "sh", "-c", "userdel edgeq; ! getent group edgeq >/dev/null || groupdel edgeq")
        undo = () if found.service_user else new
        yield RunCommand("create the service's user", (*sudo, "systemd-sysusers", SYSUSERS), undo)
    folders = _write(TMPFILES, found, spec, wanted)
    absent = [f for f in folders_of(spec) if found.folders.get(f.path) != str(f)]
    if folders or absent:
        yield from folders
        undo = (*sudo, "rm", "-rf", spec.root) if found.owner == "" else ()
        yield RunCommand("create its folders", (*sudo, "systemd-tmpfiles", "--create", TMPFILES), undo)


def _without_account(found: Found) -> Iterator[ServiceStep]:
    if found.scope == "system" and found.service_user:
        yield RunCommand("delete the service's user", (*found.as_root, "userdel", "edgeq"))
    if found.scope == "system" and (found.service_user or found.members):
        words = (*found.as_root, "sh", "-c", "! getent group edgeq >/dev/null || groupdel edgeq")
        yield RunCommand("delete its group", words)


def _agent(spec: ServiceSpec, archive: AgentArchive, found: Found) -> Iterator[ServiceStep]:
    """The archive that `agent/current` leads to is the one that the service runs."""
    if found.current == archive.name:
        return
    folder = f"{spec.root}/agent"
    undo = _shell(_LINK, folder, found.current) if found.current else ("rm", "-f", f"{folder}/current")
    yield SendFile(str(archive.path), f"{folder}/{archive.name}", archive.sha256)
    yield RunCommand("choose the agent that the service runs", _shell(_LINK, folder, archive.name), undo)


def _copy_of_own_root(found: Found, spec: ServiceSpec, label: str) -> Iterator[ServiceStep]:
    if not copies_own_root(found, spec):
        return
    if found.own_bytes > found.free_bytes:
        raise NoSpace(
            f"{label} has {found.free_bytes / 1e6:.0f} MB free on {spec.root}; what is deployed in {found.own} takes "
            f"{found.own_bytes / 1e6:.0f} MB and would be copied there",
            f"free space there, or remove {found.own} by `edgeq uninstall --everything --root {found.own}`. "
            "Nothing was changed.",
        )
    why = f"{', '.join(found.own_apps)}: copied from {found.own}, which stays as it is"
    yield RunCommand(why, _shell(_COPY, found.own, spec.root))


def _units(found: Found, spec: ServiceSpec, wanted: dict[str, str]) -> Iterator[ServiceStep]:
    reload = (*found.systemctl, "daemon-reload")
    ours = [path for path in wanted if path not in (SYSUSERS, TMPFILES)]
    steps: list[ServiceStep] = [step for path in ours for step in _write(path, found, spec, wanted)]
    for path, text in found.files.items():
        if path not in wanted:
            steps.append(RemoveFile(path, text, found.as_root, parents_of(path, spec.scope, spec.home)))
    if steps:
        yield RunCommand("if a later step fails", undo=reload)
    yield from steps
    if steps or any(found.units[unit].stale for unit in UNITS):
        yield RunCommand("systemd reads the units", reload)


def _without_units(found: Found) -> Iterator[ServiceStep]:
    """Stopped, deleted, and forgotten by systemd."""
    sudo, ctl = found.as_root, found.systemctl
    if found.installed:
        words = (*ctl, "disable", "--now", *STARTED)
        yield RunCommand("neither a job nor the timer starts it any more", words, forgive=True)
        yield RunCommand("stop a job that is running", (*ctl, "stop", *UNITS), forgive=True)
    if found.files:
        parents = [p for path in found.files for p in parents_of(path, found.scope, found.home)]
        yield RunCommand("delete the unit files", (*sudo, "rm", "-f", *sorted(found.files)))
        words = (*sudo, *_shell(_RMDIR, *dict.fromkeys(parents)))
        yield RunCommand("delete their folders that are empty now", words)
        yield RunCommand("systemd forgets the units", (*ctl, "daemon-reload"))
        yield RunCommand("clear the state of failed units", (*ctl, "reset-failed", *UNITS), forgive=True)
        words = (*sudo, "rm", "-f", _stamp(found))
        yield RunCommand("delete the time at which the timer ran last", words)
    if f"{found.unit_folder}/{LINGER_MARK}" in found.files:
        words = _shell(_UNLINGER, found.login)
        yield RunCommand("switch off the lingering that was switched on for it", words, forgive=True)


def _running(found: Found, spec: ServiceSpec, wanted: dict[str, str]) -> Iterator[ServiceStep]:
    """Try the agent once before anything starts it by itself; then let job and timer do so."""
    ctl, folder = found.systemctl, found.unit_folder
    changed = {path for path, text in wanted.items() if found.files.get(path) != text}
    if spec.scope == "user" and not found.linger and f"{folder}/{LINGER_MARK}" not in found.files:
        words = _shell(_LINGER, found.login)
        yield RunCommand("run also while nobody is logged in, where that is allowed", words, forgive=True)
    runs = changed - {f"{folder}/{unit}" for unit in STARTED}
    if runs and not found.waiting:
        log = (*ctl, "status", "--no-pager", "--lines=8", "edgeq-agent.service")
        yield RunCommand("a trial run", (*ctl, "start", "edgeq-agent.service"), look=log)
    on = ("enabled", "active")
    off = [unit for unit in STARTED if (found.units[unit].enabled, found.units[unit].active) != on]
    if off:
        undo = (*ctl, "disable", "--now", *off)
        yield RunCommand("start now and at each boot", (*ctl, "enable", "--now", *off), undo)
    again = [unit for unit in STARTED if unit not in off and f"{folder}/{unit}" in changed]
    if again:
        yield RunCommand("restart what changed", (*ctl, "restart", *again))


def _write(path: str, found: Found, spec: ServiceSpec, wanted: dict[str, str]) -> list[ServiceStep]:
    before = found.files.get(path)
    if before == wanted[path]:
        return []
    parents = parents_of(path, spec.scope, spec.home)
    return [WriteFile(path, wanted[path], before, found.as_root, parents)]


def _root_without_service(found: Found, root: str, python: str, *, everything: bool) -> Iterator[ServiceStep]:
    sudo = found.as_root
    if found.owner == "":
        return
    there = found.installed or found.service_user
    if everything or (found.scope == "system" and there and not found.apps):
        yield RunCommand("delete what edgeq made in its folder", (*sudo, *_shell(_EMPTY, python, root)))
    elif found.scope == "system" and found.installed:
        owner = f"{found.owner}:{found.group}" if found.owner == found.login else found.owner
        why = f"{', '.join(found.apps)} stays; the folder is all {found.owner}'s"
        yield RunCommand(why, (*sudo, "chown", "-hR", owner, root))
        yield RunCommand("the folder is no longer shared", (*sudo, "chmod", "-R", "g-s", root))


def _shell(script: str, *words: str) -> tuple[str, ...]:
    return ("sh", "-c", script, "sh", *words)


def _stamp(found: Found) -> str:
    base = "/var/lib/systemd" if found.scope == "system" else f"{found.home}/.local/share/systemd"
    return f"{base}/timers/stamp-edgeq-measure.timer"


def _require_possible(found: Found, spec: ServiceSpec, label: str) -> None:
    if spec.scope == "user":
        if not found.user_manager:
            raise DeviceUnfit(
                f"{spec.login} on {label} has no service manager of its own",
                f"as root there: `loginctl enable-linger {spec.login}` (and install dbus-user-session and "
                "libpam-systemd), or use --scope system",
            )
        return
    for what, path in (("edgeq's folder", spec.root), ("Python", spec.python)):
        if f"{path}/".startswith(_HIDDEN):
            raise DeviceUnfit(
                f"{what} is {path} on {label}, inside a home, which a system service does not see",
                "use --scope user, or a folder (and a Python) outside of homes",
            )
    strange = sorted(set(found.names) - set(_OURS))
    if strange:
        raise DeviceUnfit(
            f"{spec.root} on {label} holds what is not edgeq's: {', '.join(strange[:5])}",
            "choose a --root that is a folder of its own; its owner and mode are changed",
        )
    if found.owner not in ("", spec.login):
        raise DeviceUnfit(
            f"{spec.root} on {label} belongs to {found.owner}, not to {spec.login}",
            f"log in as {found.owner}: one login deploys to a device, and its service reads what it deployed",
        )


def _require_rights(found: Found, steps: list[ServiceStep], label: str) -> None:
    """Raises DeviceUnfit when a step needs sudo that would ask for a password, or is not there."""
    if found.sudo in ("root", "yes") or not any(
        "sudo" in word for step in steps for word in _first_words(step)
    ):
        return
    problem = "there is no sudo" if found.sudo == "missing" else "sudo asks for a password"
    raise DeviceUnfit(
        f"a system service needs root, and for {found.login} on {label} {problem}",
        "log in as root, or allow it (as root: `echo '"
        f"{found.login} ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/{found.login}`), or use --scope user. Nothing was changed.",
    )


def _first_words(step: ServiceStep) -> tuple[str, ...]:
    if isinstance(step, RunCommand):
        return step.words[:1]
    return () if isinstance(step, SendFile) else step.prefix[:1]
