"""The process that executes cases: `python -m tests.fuzz.worker READER SEED FIRST END`, one line of JSON per case.

A case is made from the seed and its own number alone, so that case 4711 can be repeated without the 4710 before it.
"""

import json
import os
import random
import resource
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from edgeq.errors import EdgeqError
from tests.fuzz.cpu_time import cpu_seconds

MEMORY = 1 << 30  # resident bytes that reading a small file may take


def main(reader: str, seed: str, first: str, end: str) -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints
    module = import_module(f"tests.fuzz.readers.{reader}")
    with tempfile.TemporaryDirectory(prefix="edgeq-fuzz-") as name:
        folder = Path(name)
        examples = module.examples(folder)
        for number in range(int(first), int(end)):
            _tell(out, {"case": number, "state": "begun"})
            _tell(out, {"case": number, **execute(module, examples, seed, number, folder)})


def execute(
    module: ModuleType, examples: "list[bytes]", seed: str, number: int, folder: Path
) -> "dict[str, Any]":
    """{"state": taken, refused or find, "words", "seconds" of CPU, "resident" bytes}."""
    content = case(module, examples, seed, number)
    start = cpu_seconds(os.getpid())
    try:
        module.read(content, folder)
        state, words = "taken", ""
    except getattr(module, "OWN_ERRORS", (EdgeqError,)) as error:
        state, words = "refused", f"{type(error).__name__}: {error}"[:200]
    except BaseException as error:  # a foreign one is what is looked for
        state, words = "find", _words(error)
    resident = max(_own_peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
    if state != "find" and resident > getattr(module, "MEMORY", MEMORY):
        state, words = "find", f"{resident / 1e6:.0f} MB resident"
    return {"state": state, "words": words, "seconds": cpu_seconds(os.getpid()) - start, "resident": resident}


def _own_peak() -> int:
    """Bytes. ru_maxrss would also hold what the parent had before this program began."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024


def _words(error: BaseException) -> str:
    """ "RecursionError: maximum ... at catalog.py:83 read_toml": the last frame of edgeq's own."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/edgeq/" in f.filename]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else ""
    return f"{type(error).__name__}: {str(error)[:200]!r}{place}"


def case(module: ModuleType, examples: "list[bytes]", seed: str, number: int) -> bytes:
    """The bytes of case `number`."""
    rng = random.Random(f"{seed}/{number}")
    content: bytes = module.mutated(rng.choice(examples), rng)
    return content


def _tell(out: Any, line: "dict[str, Any]") -> None:
    out.write(json.dumps(line) + "\n")
    out.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
