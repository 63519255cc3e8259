"""The child: reads requests from stdin, one line of JSON each, calls the reader under the request's limits, and answers with a
line of JSON and the bytes that it announces. Knows no format.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from edgeq.errors import EdgeqError

# What libraries write by the way (caches, telemetry) is small; the clean copy of a model is not.
_LARGEST_FILE = 64 << 20
_TOO_LARGE_NOW = 512 << 20  # what a reader may leave behind in this process before another takes its place
_UNLIMITED = resource.RLIM_INFINITY


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print is no answer
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write fails instead
    before = _data_bytes()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        said, content = _outcome(request)
        last = _data_bytes() - before > _TOO_LARGE_NOW + request["memory"] // 4
        _answer(answers, {**said, "last": last}, content)
        if last:
            return


def _answer(answers: BinaryIO, said: dict[str, object], content: bytes) -> None:
    answers.write(json.dumps({**said, "bytes": len(content)}).encode() + b"\n" + content)
    answers.flush()


def _outcome(request: dict[str, Any]) -> tuple[dict[str, object], bytes]:
    """{"value"}, {"error"} of edgeq's own, {"limit": "memory"}, or {"foreign"} with a library's words."""
    try:
        function = _loaded(request["function"])
        _limit(request)
        try:
            found = function(request["path"], **request["options"])
        finally:
            _lift()
        value, content = found if isinstance(found, tuple) else (found, b"")
        return {"value": value}, content
    except EdgeqError as error:
        return {"error": error.to_dict()}, b""
    except MemoryError:
        return {"limit": "memory"}, b""
    except RecursionError:
        return {"foreign": "it is nested too deep"}, b""
    except Exception as error:
        if "bad_alloc" in str(error) or "allocate memory" in str(error):
            return {"limit": "memory"}, b""
        words = " ".join(str(error).split())[:300]
        return {"foreign": words or type(error).__name__}, b""


def _loaded(function: str) -> Callable[..., Any]:
    place, _, name = function.partition(":")
    module = import_module(place)
    prepare = getattr(module, "prepare", None)
    if prepare is not None:
        prepare()
    found: Callable[..., Any] = getattr(module, name)
    return found


def _limit(request: dict[str, Any]) -> None:
    """RLIMIT_DATA counts what is really allocated; RLIMIT_AS would count what torch and onnxruntime only reserve. The
    alarm ends this process, also where a library computes without end, and where the parent is gone."""
    _set(resource.RLIMIT_DATA, _data_bytes() + request["memory"])
    _set(resource.RLIMIT_FSIZE, max(_LARGEST_FILE, request["writes"]))
    signal.setitimer(signal.ITIMER_REAL, request["seconds"])


def _lift() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    _set(resource.RLIMIT_DATA, None)


def _set(kind: int, most: int | None) -> None:
    """To `most`, None without limit; no higher than this process may: whoever started edgeq may have set a limit."""
    hard = resource.getrlimit(kind)[1]
    wanted = hard if most is None else most if hard == _UNLIMITED else min(most, hard)
    resource.setrlimit(kind, (wanted, hard))


def _data_bytes() -> int:
    """What RLIMIT_DATA counts of this process; 0 where the system does not say, and then nothing is limited by it."""
    try:
        with Path("/proc/self/status").open() as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:")), 0)
    except OSError:
        return 0


if __name__ == "__main__":
    main()
