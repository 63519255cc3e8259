"""Keeps cores busy in bursts until it is ended: `python bursty_load.py SEED PROCESSES`.

Each process computes on 16 MB, more than a core's own caches hold, for a random 0.2 to 3 s and sleeps for a random 0.2 to
2 s. The same seed gives the same bursts.
"""

import multiprocessing
import random
import sys
import time

import numpy as np

_BUSY_S, _IDLE_S = (0.2, 3.0), (0.2, 2.0)
_BYTES = 16 << 20


def burst_for_ever(seed: int) -> None:
    draw, data = random.Random(seed), np.ones(_BYTES // 4, np.float32)
    while True:
        until = time.monotonic() + draw.uniform(*_BUSY_S)
        while time.monotonic() < until:
            np.multiply(data, 1.0001, out=data)
        time.sleep(draw.uniform(*_IDLE_S))


def main(seed: str, processes: str) -> None:
    """Its processes are daemons of this one: they end with it."""
    for number in range(int(processes)):
        multiprocessing.Process(target=burst_for_ever, args=(1000 * int(seed) + number,), daemon=True).start()
    sys.stdin.read()  # until whoever started this closes it


if __name__ == "__main__":
    main(*sys.argv[1:])
