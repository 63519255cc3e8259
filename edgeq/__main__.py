"""`edgeq` and `python -m edgeq`: runs the command line, turns errors into words and exit codes."""

import sys


def main() -> None:
    try:
        from edgeq.cli.main import run

        code = run()
    except KeyboardInterrupt:  # while modules were imported; later ones are answered with words
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
