"""The agent's command line: one command, JSON on stdin, JSON on stdout (docs/protocol.md).

Exit code 0 with an answer, 1 with `{"error": ...}`, 70 with a traceback on stderr and nothing on stdout when the agent
itself broke. The listing of commands/ is the registry. Knows no command's meaning.
"""

import argparse
import dataclasses
import importlib
import json
import os
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from typing import Optional

from edgeq.agent import commands
from edgeq.agent.layout import Root, find_root
from edgeq.agent.os_errors import translated
from edgeq.errors import EdgeqError, RemoteFailed
from edgeq.nouns.json_text import parse_json
from edgeq.nouns.record import Record

BROKEN = 70  # EX_SOFTWARE of sysexits.h
_LARGEST_REQUEST = 8 << 20
_OTHER_VERSION = "host and agent are of different versions of edgeq: deploy again from the host"


def main(argv: Optional[Sequence[str]] = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["child"]:  # the process that runs a model speaks JSON lines, not one request
        from edgeq.agent.child import main as child

        return int(child(words[1:]) or 0)
    try:
        arguments = _parse(words)
        root = find_root(arguments.root)
        said, code = _answer(arguments.command, root), 0
    except SystemExit as usage:  # argparse has said why
        return usage.code if isinstance(usage.code, int) else 2
    except EdgeqError as error:
        said, code = {"error": error.to_dict()}, 1
    except Exception:
        traceback.print_exc()
        return BROKEN
    return _say(said, code)


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="edgeq-agent", description="edgeq on the device (docs/protocol.md)")
    parser.add_argument(
        "--root", help="where edgeq's files live (default: /var/lib/edgeq or ~/.local/share/edgeq)"
    )
    parser.add_argument("command", help=", ".join(known_commands()))
    return parser.parse_args(words)


def known_commands() -> tuple[str, ...]:
    return tuple(sorted(m.name for m in pkgutil.iter_modules(commands.__path__)))


def _answer(name: str, root: Root) -> dict[str, object]:
    if name not in known_commands():
        raise RemoteFailed(f"the agent has no command {name!r}", f"it has: {', '.join(known_commands())}")
    command = importlib.import_module(f"edgeq.agent.commands.{name}")
    app = None
    try:
        _share_with_the_group(root)
        raw = _read_stdin() if dataclasses.fields(command.Request) else {}
        app = _app_of(raw)
        answer = command.answer(_request(command.Request, raw, name), root)
    except (EdgeqError, OSError) as problem:
        error = translated(problem, below=root.path)
        if error is None:
            raise
        raise _with_live(error, root, app) from problem
    return answer.to_dict() if isinstance(answer, Record) else dict(answer)


def _read_stdin() -> object:
    """The request; an empty stdin and a terminal both mean that there is none."""
    text = b"" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read(_LARGEST_REQUEST + 1)
    if len(text) > _LARGEST_REQUEST:
        raise RemoteFailed(f"the request is larger than {_LARGEST_REQUEST} bytes")
    try:
        return parse_json(text) if text.strip() else {}
    except ValueError as error:
        raise RemoteFailed(f"the request is not JSON: {error}", _OTHER_VERSION) from None


def _request(kind: type[Record], raw: object, name: str) -> Record:
    try:
        return kind.from_dict(raw)
    except ValueError as error:
        raise RemoteFailed(f"`{name}` does not understand its request: {error}", _OTHER_VERSION) from None


def _app_of(raw: object) -> Optional[str]:
    """The app that a request is about, so that its error can say what is live under that name."""
    if not isinstance(raw, dict):
        return None
    name = raw.get("app") or (raw["manifest"].get("name") if isinstance(raw.get("manifest"), dict) else None)
    return name if isinstance(name, str) else None


def _with_live(error: EdgeqError, root: Root, app: Optional[str]) -> EdgeqError:
    if error.live is None:
        from edgeq.agent.apps import what_is_live

        error.live = what_is_live(root, app)
    return error


def _share_with_the_group(root: Root) -> None:
    """A setgid root is one that a service of the same group works in too: what is written there is the group's."""
    setgid = root.path.is_dir() and root.path.stat().st_mode & 0o2000
    os.umask(0o002 if setgid else 0o022)
    if setgid:
        _require_own_folders(root)


def _require_own_folders(root: Root) -> None:
    """In a shared root, one side could have laid a link in a folder's place for the other to write and remove where it
    leads. Raises RemoteFailed.
    """
    links = [folder for folder in root.folders if folder.is_symlink()]
    if links:
        raise RemoteFailed(
            f"{links[0]} is a link where a folder of edgeq's belongs",
            "remove the link there; for more room move the whole root to another disk (--root). Nothing was changed.",
            details=[f"{link} -> {link.readlink()}" for link in links],
        )


def _say(said: dict[str, object], code: int) -> int:
    try:
        # In pieces: a measurement has a hundred thousand samples, and as one string they would double the agent's size.
        json.dump(said, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
        sys.stdout.flush()
    except BrokenPipeError:  # nobody listens any more; the work is done and stored
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except ValueError:
        traceback.print_exc()
        return BROKEN
    return code


if __name__ == "__main__":
    sys.exit(main())
