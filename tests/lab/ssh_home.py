"""The real OpenSSH client as a user with another home has it. It asks the user database for ~ and does not read $HOME."""

import os
import pwd
from pathlib import Path

_SCRIPT = """#!/bin/sh
case " $* " in
*" -G "*) ;;
*) exec {ssh} -F {home}/ssh_config "$@" ;;
esac
printed=$({ssh} -F {home}/ssh_config "$@") || exit $?
printf '%s\\n' "$printed" | sed 's# ~/# {home}/#g; s# {real}/# {home}/#g'
"""


def ssh_with_home(home: Path) -> Path | None:
    """The folder with that `ssh`, to be put in front of PATH; None where there is none. -F wins as ever."""
    ssh = _client()
    if ssh is None:
        return None
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    (home / "ssh_config").write_text(f"Include {home}/.ssh/config\n")
    real = pwd.getpwuid(os.getuid()).pw_dir.rstrip("/")
    script = folder / "ssh"
    script.write_text(_SCRIPT.format(ssh=ssh, home=home, real=real))
    script.chmod(0o755)
    return folder


def _client() -> Path | None:
    """The client itself, not a script that a test, or a benchmark that it runs, has put in front of it."""
    for folder in os.get_exec_path():
        found = Path(folder) / "ssh"
        if os.access(found, os.X_OK) and found.read_bytes()[:2] != b"#!":
            return found
    return None


def path_with_ssh(home: Path) -> str:
    """PATH with that `ssh`, where there is one."""
    folder = ssh_with_home(home)
    path = os.environ.get("PATH", os.defpath)
    return path if folder is None else f"{folder}{os.pathsep}{path}"
