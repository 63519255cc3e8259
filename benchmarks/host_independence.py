"""Does a conversion depend on the host's CPU? The same model, data and target on this machine and on an emulated Haswell.

    python -m benchmarks.host_independence [--only mnist,kws] [--targets rpi4] [--samples 24] [--json]

Haswell has AVX2 and no VNNI: its integer kernels saturate. Emulation takes 50 to 10,000 times as long, so few samples are
used; both sides use the same. A row says whether the int8 file is the same, whether the decisions are (calibrator, layers
in float, changes to the graph, what was tried), and both figures.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.own_home import data_folder, own_home
from edgeq.emulate import qemu
from tests.models import zoo

_MODELS = ("mnist", "kws", "resnet20")
_TARGETS = ("rpi4", "x86-64", "x86-64-vnni")
_RECIPE = "int8_static"
_MEASURED = (
    "seconds",
    "outputs",
    "accuracy",
    "agreement",
    "fusion",
)  # facts of a candidate that are no decisions
_SAME_DB = 0.2


@dataclass(frozen=True)
class Row:
    """`sqnr_db` are the outputs' lowest, here and there; None: no error at all."""

    model: str
    target: str
    same_digest: bool
    same_file: bool
    same_decisions: bool
    sqnr_db: tuple[float | None, float | None]
    seconds: tuple[float, float]

    @property
    def met(self) -> bool:
        here, there = self.sqnr_db
        close = here == there or (here is not None and there is not None and abs(here - there) <= _SAME_DB)
        return self.same_decisions and close


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(_MODELS))
    parser.add_argument("--targets", default=",".join(_TARGETS))
    parser.add_argument("--samples", type=int, default=24, help="half of them calibrate, half judge")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    with own_home() as folder:
        for name in options.only.split(","):
            words = _with_few_samples(name, options.samples, folder)
            for target in options.targets.split(","):
                rows.append(compared(name, words, target, folder))
                if not options.json:
                    print(line(rows[-1]), flush=True)
    if options.json:
        print(json.dumps([{**asdict(row), "met": row.met} for row in rows], indent=2))


def compared(name: str, words: tuple[str, ...], target: str, folder: Path) -> Row:
    emulated = [str(qemu.find("x86_64").path), "-cpu", "Haswell", sys.executable]
    here, there = (
        _converted(words, target, python, folder / f"{name}-{target}-{len(python)}.edgeq")
        for python in ([sys.executable], emulated)
    )
    return Row(
        name,
        target,
        here["digest"] == there["digest"],
        _int8_file(here) == _int8_file(there),
        _decisions(here) == _decisions(there),
        (_sqnr_db(here), _sqnr_db(there)),
        (here["seconds"], there["seconds"]),
    )


def _with_few_samples(name: str, samples: int, folder: Path) -> tuple[str, ...]:
    """The words of tests/models/zoo.py, the first `samples` in place of all."""
    words = zoo.prepare(name, data_folder(), folder / name).words
    place = words.index("--data") + 1
    with np.load(words[place]) as stored:
        few = folder / name / "few.npz"
        np.savez(few, **{key: array[:samples] for key, array in stored.items()})
    return (*words[:place], str(few), *words[place + 1 :], "--calibrate", str(samples // 2))


def _converted(words: tuple[str, ...], target: str, python: list[str], place: Path) -> dict[str, Any]:
    more = ["--target", target, "--runtime", "onnxruntime", "--recipe", _RECIPE, "--min-sqnr", "0"]
    line = [*python, "-P", "-m", "edgeq", "convert", *words, *more, "--json", "-o", str(place)]
    own = {"XDG_CACHE_HOME": f"{place}.cache"}  # what one side kept is not for the other
    done = subprocess.run(line, capture_output=True, text=True, cwd=place.parent, env={**os.environ, **own})
    if done.returncode:
        sys.exit(f"{' '.join(line)} ended with {done.returncode}: {done.stderr[-1000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _int8(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(f for f in document["fidelity"] if f["candidate"].endswith(_RECIPE))
    return found


def _decisions(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in _int8(document).items() if key not in _MEASURED}


def _int8_file(document: dict[str, Any]) -> str:
    manifest = document["manifest"]
    candidate = next(c for c in manifest["candidates"] if c["recipe"] == _RECIPE)
    return next(str(a["sha256"]) for a in manifest["artifacts"] if a["path"] == candidate["model"])


def _sqnr_db(document: dict[str, Any]) -> float | None:
    known = [o["sqnr_db"] for o in _int8(document)["outputs"] if o["sqnr_db"] is not None]
    return min(known, default=None)


def line(row: Row) -> str:
    here, there = ("equal" if db is None else f"{db:.2f} dB" for db in row.sqnr_db)
    words = {True: "the same", False: "DIFFERENT"}
    return (
        f"{row.model:<10} {row.target:<12} digest {words[row.same_digest]}, int8 file {words[row.same_file]}, "
        f"decisions {words[row.same_decisions]}, SQNR {here} here and {there} there, "
        f"{row.seconds[0]:.0f} and {row.seconds[1]:.0f} s: {'met' if row.met else 'NOT MET'}"
    )


if __name__ == "__main__":
    main()
