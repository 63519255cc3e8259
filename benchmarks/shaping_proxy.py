"""A user-space proxy that shapes a TCP connection, both directions: a rate in Mbit/s and a round-trip time.

Each direction is a link of its own: bytes leave it at the rate, half the round trip later, out of a queue of bounded
size (a full one stops the sender, as a router's would by loss). It is the same for every tool that goes through it.
"""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

SLICE = 1448  # bytes; one Ethernet segment's payload
QUEUE_S = 0.2  # of traffic at the rate, the depth of a home router's buffer


@dataclass(frozen=True)
class Shape:
    mbit_s: float
    rtt_ms: float

    @property
    def bytes_s(self) -> float:
        return self.mbit_s * 1e6 / 8

    @property
    def one_way_s(self) -> float:
        return self.rtt_ms / 2000


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, shape: Shape) -> None:
    """One direction until its end. The link is busy for size/rate per slice; each slice arrives a delay later."""
    clock = asyncio.get_running_loop().time
    in_flight: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(int(shape.bytes_s * QUEUE_S / SLICE) + 1)
    deliver = asyncio.create_task(_deliver(in_flight, writer))
    free_at = clock()
    with contextlib.suppress(ConnectionError):  # a reset ends this direction like an orderly end
        while data := await reader.read(SLICE):
            free_at = max(free_at, clock()) + len(data) / shape.bytes_s
            await in_flight.put((free_at + shape.one_way_s, data))
    await in_flight.put((0.0, b""))
    await deliver


async def _deliver(in_flight: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
    clock = asyncio.get_running_loop().time
    with contextlib.suppress(ConnectionError):
        while True:
            due, data = await in_flight.get()
            if not data:
                break
            if (wait := due - clock()) > 0:
                await asyncio.sleep(wait)
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@contextlib.asynccontextmanager
async def shaped(port: int, shape: Shape) -> AsyncIterator[int]:
    """A port on 127.0.0.1 that leads to `port` through the shape."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
        await asyncio.gather(carry(reader, far_writer, shape), carry(far_reader, writer, shape))
        for end in (writer, far_writer):
            end.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=1 << 16)
    async with server:
        yield server.sockets[0].getsockname()[1]


def main() -> None:
    parser = argparse.ArgumentParser(description="shape a local TCP port; prints the port to connect to")
    parser.add_argument("port", type=int)
    parser.add_argument("--mbit", type=float, default=20)
    parser.add_argument("--rtt-ms", type=float, default=40)
    options = parser.parse_args()

    async def serve() -> None:
        async with shaped(options.port, Shape(options.mbit, options.rtt_ms)) as port:
            print(port, flush=True)
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


if __name__ == "__main__":
    main()
