"""The real OpenSSH client as a user with another home has it. It asks the user database for ~ and does not read $HOME."""

import os
import pwd
import shutil
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
    ssh = shutil.which("ssh")
    if ssh is None:
        return None
    folder = home / "bin"
    folder.mkdir()
    (home / "ssh_config").write_text(f"Include {home}/.ssh/config\n")
    real = pwd.getpwuid(os.getuid()).pw_dir.rstrip("/")
    script = folder / "ssh"
    script.write_text(_SCRIPT.format(ssh=ssh, home=home, real=real))
    script.chmod(0o755)
    return folder
