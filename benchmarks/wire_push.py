"""How long a release takes over a slow link: as it is, compressed, packed earlier, and as the difference to what is live.

    python -m benchmarks.wire_push FILE.. [--old FILE..] [--mbit 20] [--rtt-ms 40] [--rounds 3]

The files go through a proxy that shapes the link (shaping_proxy.py) to an sshd on this machine and its agent, into an empty root
each time. `--old`: in their places what is live there. The median of the rounds, the ways taking turns.
"""

import argparse
import contextlib
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.own_home import own_home
from benchmarks.push import shaped_port
from edgeq.deliver.agent_archive import build_agent
from edgeq.deliver.agent_link import AgentLink
from edgeq.deliver.compression import Compression
from edgeq.deliver.push import push
from edgeq.nouns.delivery import Delivery
from edgeq.transport.open import open_transport
from tests.lab import sshd

WAYS = ("as it is", "compressed", "packed earlier", "difference")


@dataclass(frozen=True)
class Taken:
    way: str
    seconds: float
    delivery: Delivery


def main() -> None:
    options = _options()
    files = {_sha(p): p for p in options.files}
    old = {_sha(new): (_sha(p), p.read_bytes()) for new, p in zip(options.files, options.old, strict=False)}
    ways = WAYS if old else WAYS[:-1]
    with own_home() as home, _device(options.mbit, options.rtt_ms, home) as (connect, roots):
        taken = [
            _sent(way, files, old, options.old, connect, roots, home)
            for _ in range(options.rounds)
            for way in ways
        ]
    print(_document(taken, ways, options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--old", type=Path, nargs="*", default=[])
    parser.add_argument("--mbit", type=float, default=20)
    parser.add_argument("--rtt-ms", type=float, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


@contextlib.contextmanager
def _device(mbit: float, rtt_ms: float, home: Path) -> Iterator[tuple[object, Path]]:
    """A function that logs in through the shaped link, and a folder for roots."""
    with sshd.running() as server, shaped_port(server.port, mbit, rtt_ms) as port:
        known_hosts = home / "known_hosts"
        known_hosts.write_text(server.known_hosts_line.replace(f":{server.port}", ":*", 1))

        def connect():  # type: ignore[no-untyped-def]
            return open_transport(
                f"{server.user}@127.0.0.1:{port}",
                identity=server.identity,
                known_hosts=known_hosts,
                config=Path(os.devnull),
            )

        yield connect, home / "roots"


def _sent(way, files, old, live, connect, roots, home) -> Taken:  # type: ignore[no-untyped-def]
    roots.mkdir(exist_ok=True)
    root = Path(tempfile.mkdtemp(dir=roots))
    archive = build_agent(home / "agent")
    if way == "compressed":
        for path in (Path(os.environ["XDG_CACHE_HOME"]) / "edgeq" / "packed").glob("*"):
            path.unlink()
    (root / "incoming").mkdir()
    for path in live if way == "difference" else ():
        (root / "incoming" / _sha(path)).write_bytes(path.read_bytes())
    with contextlib.closing(connect()) as transport:
        link = AgentLink(transport, sys.executable, str(archive.path), str(root))
        token = link.call("lock", {"who": "benchmark", "what": "a push"}).token
        compression = None
        if way != "as it is":
            known = old if way == "difference" else {}
            compression = Compression(link, token, (), link.call("facts"), lambda event: None, known)
        start = time.monotonic()
        sizes = {sha: path.stat().st_size for sha, path in files.items()}
        delivery = push(link, files, sizes, lambda event: None, compression)
        return Taken(way, time.monotonic() - start, delivery)


def _document(taken: list[Taken], ways: tuple[str, ...], options: argparse.Namespace) -> str:
    rows = []
    for way in ways:
        ours = [t for t in taken if t.way == way]
        last = ours[-1].delivery
        rows.append(
            {
                "way": way,
                "seconds": statistics.median(t.seconds for t in ours),
                "bytes_sent": last.bytes_sent,
                "bytes_on_disk": last.bytes_on_disk,
                "compressed": last.compressed,
                "differences": last.differences,
                "compress_s": statistics.median(t.delivery.compress_s for t in ours),
                "expand_s": statistics.median(t.delivery.expand_s for t in ours),
            }
        )
    if options.json:
        return json.dumps(rows, indent=2)
    head = f"{'over ' + format(options.mbit, 'g') + ' Mbit/s':<18}{'seconds':>9}{'sent':>12}{'on disk':>12}{'packing':>9}{'expanding':>11}"
    lines = [
        f"{r['way']:<18}{r['seconds']:>9.2f}{r['bytes_sent']:>12,}{r['bytes_on_disk']:>12,}"
        f"{r['compress_s']:>9.2f}{r['expand_s']:>11.2f}"
        for r in rows
    ]
    return "\n".join([head, *lines])


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
