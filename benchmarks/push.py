"""How fast a file gets onto a device: `put` beside OpenSSH's scp, interleaved in one run, against one real sshd.

On loopback and through a proxy that shapes both directions. scp copies only; put also makes the folder, looks for
what is there, verifies by sha256 and fsyncs: the device's share of that is reported apart and left out of the ratio.

    python benchmarks/push.py [--mib 64] [--rounds 5] [--mbit 20] [--rtt-ms 40] [--json]

Both tools connect anew each time; "transfer" is the time from the command to its end without connecting for put
(`Sent.send_s`), and scp's time less that of an `ssh true` taken just before.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edgeq.transport.arrival import sha256_of
from edgeq.transport.open import open_transport
from tests.lab import sshd

MIB = 1 << 20
PROXY = Path(__file__).with_name("shaping_proxy.py")


@dataclass(frozen=True)
class Round:
    """Seconds. `put_s` and `scp_s` without connecting; `*_whole_s` with it, put's with sealing too."""

    put_s: float
    seal_s: float
    put_whole_s: float
    scp_s: float
    scp_whole_s: float


@dataclass(frozen=True)
class Result:
    link: str
    mib: float
    rounds: tuple[Round, ...]

    def median(self, figure: str) -> float:
        return float(statistics.median(getattr(r, figure) for r in self.rounds))

    @property
    def ratio(self) -> float:
        """put's throughput over scp's, the median of the rounds' own ratios (each a pair taken together)."""
        return statistics.median(r.scp_s / r.put_s for r in self.rounds)

    def to_dict(self) -> dict[str, object]:
        return {
            "link": self.link,
            "mib": self.mib,
            "put_mib_s": self.mib / self.median("put_s"),
            "scp_mib_s": self.mib / self.median("scp_s"),
            "ratio": self.ratio,
            "seal_s": self.median("seal_s"),
            "put_whole_s": self.median("put_whole_s"),
            "scp_whole_s": self.median("scp_whole_s"),
            "rounds": [asdict(r) for r in self.rounds],
        }


@dataclass(frozen=True)
class Way:
    """How both tools get to the server."""

    port: int
    identity: Path
    known_hosts: Path
    user: str

    @property
    def options(self) -> list[str]:
        return [
            *("-F", os.devnull, "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "BatchMode=yes"),
            *("-i", str(self.identity), "-o", "IdentitiesOnly=yes"),
        ]


def measure(link: str, way: Way, source: Path, rounds: int, folder: Path) -> Result:
    """One unrecorded round, then `rounds`; the tool that goes first alternates."""
    taken = []
    for number in range(rounds + 1):
        figures: dict[str, float] = {}
        for tool in (by_put, by_scp) if number % 2 else (by_scp, by_put):
            figures |= tool(way, source, folder / "d" / f"{tool.__name__}{number}")
        taken.append(Round(**figures))
    return Result(link, source.stat().st_size / MIB, tuple(taken[1:]))


def by_put(way: Way, source: Path, destination: Path) -> dict[str, float]:
    digest = sha256_of(source)  # a bundle's manifest has it already
    began = time.perf_counter()
    transport = open_transport(
        f"{way.user}@127.0.0.1:{way.port}",
        identity=way.identity,
        known_hosts=way.known_hosts,
        config=Path(os.devnull),
    )
    with contextlib.closing(transport):
        connected = time.perf_counter()
        sent = transport.put(source, str(destination), sha256=digest)
        ended = time.perf_counter()
    destination.unlink()
    return {"put_s": ended - connected - sent.seal_s, "seal_s": sent.seal_s, "put_whole_s": ended - began}


def by_scp(way: Way, source: Path, destination: Path) -> dict[str, float]:
    address = f"{way.user}@127.0.0.1"
    connecting = _timed(["ssh", *way.options, "-p", str(way.port), address, "true"])
    whole = _timed(["scp", "-q", *way.options, "-P", str(way.port), str(source), f"{address}:{destination}"])
    destination.unlink()
    return {"scp_s": whole - connecting, "scp_whole_s": whole}


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - began


@contextlib.contextmanager
def shaped_port(port: int, mbit: float, rtt_ms: float) -> Iterator[int]:
    """The proxy in a process of its own: it shall not compete with put for one interpreter."""
    command = [
        sys.executable,
        str(PROXY),
        str(port),
        "--mbit",
        str(mbit),
        "--rtt-ms",
        str(rtt_ms),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        yield int(proxy.stdout.readline())
        proxy.terminate()


def table(results: list[Result]) -> str:
    lines = [f"{'link':<22}{'size':>9}{'put':>13}{'scp':>13}{'put/scp':>9}{'sha256 + fsync':>16}"]
    for r in results:
        put, scp = r.mib / r.median("put_s"), r.mib / r.median("scp_s")
        seal = f"{r.median('seal_s') * 1000:.0f} ms"
        lines.append(
            f"{r.link:<22}{r.mib:>5.0f} MiB{put:>7.1f} MiB/s{scp:>7.1f} MiB/s{r.ratio:>8.2f}x{seal:>16}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mib", type=float, default=64, help="file size on loopback")
    parser.add_argument("--shaped-mib", type=float, default=8, help="file size through the proxy")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mbit", type=float, default=20)
    parser.add_argument("--rtt-ms", type=float, default=40)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="edgeq-push-") as name, sshd.running() as server:
        folder = Path(name)
        (folder / "d").mkdir()
        known_hosts = folder / "known_hosts"
        known_hosts.write_text(server.known_hosts_line.replace(f":{server.port}", ":*", 1))
        sources = {mib: folder / f"{mib:g}.bin" for mib in (options.mib, options.shaped_mib)}
        for mib, source in sources.items():
            source.write_bytes(os.urandom(int(mib * MIB)))

        def way(port: int) -> Way:
            return Way(port, server.identity, known_hosts, server.user)

        results = [measure("loopback", way(server.port), sources[options.mib], options.rounds, folder)]
        with shaped_port(server.port, options.mbit, options.rtt_ms) as port:
            link = f"{options.mbit:g} Mbit/s, {options.rtt_ms:g} ms"
            results.append(measure(link, way(port), sources[options.shaped_mib], options.rounds, folder))

    print(json.dumps([r.to_dict() for r in results], indent=2) if options.json else table(results))


if __name__ == "__main__":
    main()
