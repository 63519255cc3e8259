"""`edgeq` and `python -m edgeq`: runs the command line, turns errors into words and exit codes."""

import signal
import sys
from typing import Any, NoReturn


def main() -> None:
    # `timeout`, a closed terminal and a CI job that is cancelled end us as tidily as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _as_ctrl_c)
    try:
        from edgeq.cli.main import run

        code = run()
    except KeyboardInterrupt:  # while modules were imported; later ones are answered with words
        code = 130
    sys.exit(code)


def _as_ctrl_c(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
