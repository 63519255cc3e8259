"""`edgeq` and `python -m edgeq`: runs the command line, turns errors into words and exit codes."""

import sys


def main() -> None:
    from edgeq.cli.main import run

    sys.exit(run())


if __name__ == "__main__":
    main()
