"""The words that start another Python. Nothing of the current folder and of PYTHONPATH is imported there: a `pip.py` or
`numpy.py` next to a model would run as the user.

Every child Python of the host is started with these words (tests/test_child_python.py looks).
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# What -I leaves out and the child needs all the same (packages of the user's own, edgeq itself) goes behind what the child
# has by itself, so that it hides nothing.
_START = (
    "import json, runpy, sys\n"
    "kind, name, more = sys.argv[1:4]\n"
    "sys.path += [place for place in json.loads(more) if place not in sys.path]\n"
    "sys.argv[:4] = [name]\n"
    "run = {'script': runpy.run_path, 'module': runpy.run_module}[kind]\n"
    "run(name, run_name='__main__', **({'alter_sys': True} if kind == 'module' else {}))\n"
)
_OF_THE_CALLER = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT")


def script(file: str | Path, *arguments: str | Path) -> list[str]:
    """Edgeq's own Python runs `file`, which finds the packages that edgeq finds."""
    return _started("script", str(file), arguments)


def module(name: str, *arguments: str | Path) -> list[str]:
    """`python -m name` with edgeq's own Python and packages."""
    return _started("module", name, arguments)


def isolated(python: Sequence[str | Path], *words: str | Path) -> list[str]:
    """Another Python, started by the words `python`: with what is installed there and nothing else."""
    return [*map(str, python), "-I", *map(str, words)]


def run(command: Sequence[str], timeout_s: float) -> "subprocess.CompletedProcess[str]":
    """One of the commands above, with what it prints as text. Raises OSError and subprocess.TimeoutExpired."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
        env=environment(),
    )


def environment() -> dict[str, str]:
    """Ours, without what would reach a Python that the child starts itself."""
    own = {name: value for name, value in os.environ.items() if name not in _OF_THE_CALLER}
    return {**own, "PYTHONSAFEPATH": "1"}


def _started(kind: str, name: str, arguments: Sequence[str | Path]) -> list[str]:
    return isolated((sys.executable,), "-c", _START, kind, name, json.dumps(_places()), *arguments)


def _places() -> list[str]:
    """The absolute folders and archives of our own path, without the current folder, and where edgeq lies."""
    here = Path.cwd()
    found = [place for place in sys.path if Path(place).is_absolute() and not _is(here, place)]
    return [*found, str(Path(__file__).parents[1])]


def _is(here: Path, place: str) -> bool:
    try:
        return here.samefile(place)
    except OSError:
        return False
