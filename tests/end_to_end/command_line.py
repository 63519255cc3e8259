"""Types `edgeq` as a user does: a process of its own, in a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

Result = subprocess.CompletedProcess[str]


def edgeq(folder: Path, *words: str, timeout: float = 280) -> Result:
    child = started_edgeq(folder, *words)
    with child:
        try:
            out, err = child.communicate(timeout=timeout)
        except BaseException:
            child.kill()
            raise
    return subprocess.CompletedProcess(list(words), child.returncode, out, err)


def started_edgeq(folder: Path, *words: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "edgeq", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def deployed(folder: Path, *words: str, timeout: float = 280) -> dict[str, Any]:
    """The JSON of a deployment that has to work; 3 is one whose speeds could not be compared on a busy machine."""
    done = edgeq(folder, "deploy", *words, "--json", timeout=timeout)
    assert done.returncode in (0, 3), done.stdout[-3000:] + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document
