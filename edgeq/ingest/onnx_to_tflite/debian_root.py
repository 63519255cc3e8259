"""The Python of a Debian root file system, run on this machine as it is: without chroot, root rights or containers.

It finds its standard library by its own path, and its C library because the file system's own loader starts it.
"""

import shlex
from pathlib import Path

from edgeq.errors import ExtraMissing

_NAME = "python3-outside"


def launcher(root: Path) -> Path:
    """A script below `root` that starts its python3, so that an environment made with it starts it as well.

    Raises ExtraMissing when there is no Debian of this kind, or nothing can be written there.
    """
    root = root.resolve()
    python = (root / "usr/bin/python3").resolve()
    loaders = sorted((*root.glob("usr/lib*/ld-linux*.so.*"), *root.glob("lib*/ld-linux*.so.*")))
    libraries = sorted(root.glob("usr/lib/*-linux-gnu*"))
    if not python.is_file() or not loaders or not libraries:
        raise ExtraMissing(
            f"{root} is no root file system of Debian with python3",
            f"mmdebstrap --variant=extract --include=python3,libstdc++6 trixie {root}",
        )
    call = [loaders[0], "--library-path", libraries[0], "--argv0"]
    words = " ".join(shlex.quote(str(word)) for word in call)
    script = python.with_name(_NAME)
    content = f'#!/bin/sh\nexec {words} "$0" {shlex.quote(str(python))} "$@"\n'
    try:
        if not script.is_file() or script.read_text() != content:
            script.write_text(content)
            script.chmod(0o755)
    except OSError as error:
        raise ExtraMissing(f"cannot write {script}: {error.strerror}", "give a copy that you own") from None
    return script
