"""Gives changed files and answers to the readers of edgeq: only edgeq's own errors may come out of them.

    python -m tests.fuzz --reader npz --executions 20000 --seed 1
    python -m tests.fuzz --reader npz --seed 1 --case 4711      # repeats one in this process, with its traceback

A reader is a file in tests/fuzz/readers: `examples(folder)` gives small sound inputs, `mutated(example, rng)` changes one,
`read(content, folder)` hands it to the product.
"""

import argparse
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from tests.fuzz.campaign import grouped, reader_names, run
from tests.fuzz.worker import case


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--reader", action="append", choices=reader_names(), help="default: all of them")
    parser.add_argument("--executions", type=int, default=1000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--first", type=int, default=0, help="the case to begin with")
    parser.add_argument("--case", type=int, help="repeat this one")
    parser.add_argument("--keep", type=Path, help="write the bytes of --case here")
    given = parser.parse_args()
    names = given.reader or list(reader_names())
    if given.case is not None:
        return _repeat(names[0], given.seed, given.case, given.keep)
    found = 0
    for name in names:
        start = time.monotonic()
        outcome = run(name, executions=given.executions, seed=given.seed, first=given.first)
        counts = ", ".join(f"{n:,} {state}" for state, n in sorted(outcome.states.items()))
        print(
            f"{name}: {given.executions:,} executions in {time.monotonic() - start:.0f} s: {counts}; "
            f"slowest {outcome.slowest_s:.2f} s, {outcome.resident / 1e6:.0f} MB",
            flush=True,
        )
        for find, times in grouped(outcome.finds):
            print(f"  {times} times, first in case {find.case}: {find.words}", flush=True)
        found += len(outcome.finds)
    return 1 if found else 0


def _repeat(name: str, seed: str, number: int, keep: "Path | None") -> int:
    module = import_module(f"tests.fuzz.readers.{name}")
    with tempfile.TemporaryDirectory(prefix="edgeq-fuzz-") as folder:
        content = case(module, module.examples(Path(folder)), seed, number)
        if keep is not None:
            keep.write_bytes(content)
        print(module.read(content, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
