"""`edgeq` and `python -m edgeq`: runs the command line, turns errors into words and exit codes."""

import io
import os
import sys

# `python -m edgeq` puts the current folder first on the path of imports, and a json.py or numpy.py may lie there. Before
# any other import, pathlib's too.
if sys.path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109
    del sys.path[0]

import signal
from typing import Any, NoReturn

CTRL_C = 128 + signal.SIGINT


def main() -> None:
    received = []

    def as_ctrl_c(number: int, frame: Any) -> NoReturn:
        received.append(number)
        raise KeyboardInterrupt

    # `timeout`, a closed terminal and a CI job that is cancelled end us as tidily as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, as_ctrl_c)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a character that the terminal lacks is no traceback
    try:
        from edgeq.cli.main import run

        code = run()
    except KeyboardInterrupt:  # while modules were imported; later ones are answered with words
        code = CTRL_C
    code = 128 + received[0] if received and code == CTRL_C else code
    _leave(code)


def _leave(code: int) -> NoReturn:
    """At once where a model is still running that could not be ended: Python's own end would take the runtime apart
    under it.
    """
    native = sys.modules.get("edgeq.limited.native_call")
    if native is not None and native.left_running():
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
