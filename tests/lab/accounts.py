"""The accounts of a lab file system and its sshd: user pi, login by key only, nothing of the machine that built it."""

import shutil
from pathlib import Path

_PI = 1000
_SSHD_CONFIG = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
UseDNS no
"""


def create(tree: Path, *, pam: bool) -> None:
    """Accounts are not locked ("*", not "!"): sshd without `pam` refuses locked ones."""
    etc = tree / "etc"
    for name in ("passwd", "group"):
        if not (etc / name).exists():
            shutil.copy(tree / f"usr/share/base-passwd/{name}.master", etc / name)
    if not (etc / "nsswitch.conf").exists():
        (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")
    _add(etc / "passwd", "sshd:x:104:65534::/run/sshd:/usr/sbin/nologin")
    _add(etc / "passwd", f"pi:x:{_PI}:{_PI}::/home/pi:/bin/bash")
    _add(etc / "group", f"pi:x:{_PI}:")
    for name in ("root", "sshd", "pi"):
        _add(etc / "shadow", f"{name}:*:19000:0:99999:7:::")
    (etc / "shadow").chmod(0o640)
    _join(etc / "group", ("adm", "sudo", "systemd-journal"))
    home = tree / "home/pi"
    home.mkdir(parents=True, exist_ok=True)
    shutil.chown(home, _PI, _PI)
    _configure_sshd(tree, pam)
    _allow_sudo(etc)


def authorize(files: Path, public_key: str) -> None:
    """Lay the login key of user pi into `files`, a folder that is copied over a device's root."""
    folder = files / "home/pi/.ssh"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "authorized_keys").write_text(public_key)
    (folder / "authorized_keys").chmod(0o600)
    for path in (files / "home/pi", folder, folder / "authorized_keys"):
        shutil.chown(path, _PI, _PI)


def _configure_sshd(tree: Path, pam: bool) -> None:
    ssh = tree / "etc/ssh"
    (ssh / "sshd_config.d").mkdir(parents=True, exist_ok=True)
    if not (ssh / "sshd_config").exists():
        shutil.copy(tree / "usr/share/openssh/sshd_config", ssh / "sshd_config")
    (ssh / "sshd_config.d/lab.conf").write_text(_SSHD_CONFIG + f"UsePAM {'yes' if pam else 'no'}\n")
    for key in ssh.glob("ssh_host_*"):
        key.unlink()


def _allow_sudo(etc: Path) -> None:
    if (etc / "sudoers.d").is_dir():
        (etc / "sudoers.d/pi").write_text("pi ALL=(ALL) NOPASSWD:ALL\n")
        (etc / "sudoers.d/pi").chmod(0o440)


def _add(file: Path, line: str) -> None:
    """Append the entry unless there is one of that name."""
    name = line.split(":")[0]
    lines = file.read_text().splitlines() if file.exists() else []
    if not any(entry.startswith(f"{name}:") for entry in lines):
        file.write_text("\n".join([*lines, line]) + "\n")


def _join(group: Path, names: tuple[str, ...]) -> None:
    """Make pi a member, in a file of name:password:gid:members."""
    lines = []
    for line in group.read_text().splitlines():
        if line.split(":")[0] in names:
            line += ("" if line.endswith(":") else ",") + "pi"
        lines.append(line)
    group.write_text("\n".join(lines) + "\n")
