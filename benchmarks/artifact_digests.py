"""The guard of a refactoring: are the artifacts, byte for byte, what they were before?

    python -m benchmarks.artifact_digests record BEFORE.json [--only mnist,networks,corpus] [--targets rpi4] [--jobs 2]
    python -m benchmarks.artifact_digests compare BEFORE.json

Converts every model of tests/models/zoo.py, guard_networks.py and the operator corpus for each target
with each recipe, and with options that take other paths through quantization. `record` writes the sha256 of each file with
the figures and decisions that came with it; `compare` makes the same again and prints what differs (exit code 1). Digests depend on the CPU and on the versions of the runtimes: record and compare on one machine.
Needs ../shared/data or $EDGEQ_DATA, torch and litert-torch for the torch models.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import guard_networks
from benchmarks.own_home import data_folder
from edgeq.user_code import names_code
from tests.models import zoo

_TARGETS = ("rpi4", "x86-64", "x86-64-vnni", "android-arm64")
_RECIPES = (
    None, "float", "fp16", "int8_static", "int8_dynamic", "int8_blockwise", "int4_blockwise", "int2_blockwise", "int16x8_static",
)  # fmt: skip
_CORPUS, _OWN = "corpus", "networks"
_MOST_SAMPLES = 96
# Each takes a path of its own through quantization.
_OPTIONS: tuple[dict[str, Any], ...] = (
    {"repairs": "none"},
    {"repairs": "fit,head"},
    {"calibrator": "percentile"},
    {"calibrator": "entropy"},
    {"min_sqnr": 45.0},
)
_DECIDED = (
    "outputs", "passed", "calibrator", "accuracy", "fusion", "float_layers", "remedies", "repairs",
)  # fmt: skip
_WITH_OPTIONS = ("kws", "mnist", "resnet8")


@dataclass(frozen=True)
class Job:
    """One model: keywords of convert() that give it and its data. `own`: a network of guard_networks.py."""

    name: str
    keywords: dict[str, Any]
    every_option: bool = False
    own: str | None = None

    @property
    def is_torch(self) -> bool:
        return self.own is not None or names_code(self.keywords["model"])


def main() -> None:
    options = _options()
    before = json.loads(options.file.read_text()) if options.what == "compare" else None
    only = before["only"] if before else list(options.only)
    targets = before["targets"] if before else list(options.targets)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgeq-guard-") as folder:
        jobs = [(job, targets, Path(folder)) for job in _jobs(only, Path(folder))]
        with multiprocessing.get_context("spawn").Pool(options.jobs, maxtasksperchild=1) as pool:
            found: dict[str, Any] = {}
            for part in pool.imap_unordered(_made_of, jobs):
                found |= part
                if before is None:
                    _write(options.file, only, targets, found)
    print(f"{len(found)} conversions in {time.monotonic() - start:.0f} s", file=sys.stderr)
    if before is None:
        return
    differences = list(_differences(before["made"], found))
    print("\n".join(differences) if differences else f"all {len(found)} are the same")
    sys.exit(bool(differences))


def _write(file: Path, only: list[str], targets: list[str], made: dict[str, Any]) -> None:
    file.write_text(
        json.dumps({"only": only, "targets": targets, "made": made}, indent=1, sort_keys=True) + "\n"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    names = (*zoo.names(), _OWN, *guard_networks.names(), _CORPUS)
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=(*zoo.names(), _OWN, _CORPUS),
        help=", ".join(names),
    )
    parser.add_argument("--targets", type=lambda text: text.split(","), default=_TARGETS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    return parser.parse_args()


def _jobs(only: list[str], folder: Path) -> Iterator[Job]:
    for name in only:
        if name == _CORPUS:
            yield from _corpus_jobs(folder / name)
        elif name == _OWN:
            yield from map(_own_job, guard_networks.names())
        elif name in guard_networks.names():
            yield _own_job(name)
        else:
            entry = zoo.prepare(name, data_folder(), folder / name)
            _shorten(folder / name)
            yield Job(name, _keywords(entry.words), every_option=name in _WITH_OPTIONS)


def _own_job(name: str) -> Job:
    return Job(name, {"name": name}, every_option=True, own=name)


def _shorten(folder: Path) -> None:
    """To the first samples of each set."""
    for file in folder.glob("*.npz"):
        with np.load(file) as stored:
            np.savez(file, **{name: array[:_MOST_SAMPLES] for name, array in stored.items()})
    for file in folder.rglob("labels.csv"):
        file.write_text("\n".join(file.read_text().splitlines()[: _MOST_SAMPLES + 1]) + "\n")
    images = (p for suffix in ("JPEG", "jpg", "png") for p in folder.rglob(f"*.{suffix}"))
    for image in sorted(images)[_MOST_SAMPLES:]:
        image.unlink()


def _keywords(words: tuple[str, ...]) -> dict[str, Any]:
    """Those of convert() that the words of a command line stand for."""
    found: dict[str, Any] = {"model": words[0], "shape": {}}
    for flag, value in zip(words[1::2], words[2::2], strict=True):
        key = flag.removeprefix("--")
        if key == "shape":
            name, _, dims = value.partition("=")
            found["shape"][name] = tuple(int(n) for n in dims.split(","))
        else:
            found[key] = value
    return found


def _corpus_jobs(folder: Path) -> Iterator[Job]:
    """The exported networks of the operator corpus, with normal samples of one seed."""
    from tests.corpus import cases

    for case in cases.unpack(data_folder(), folder):
        feed = case.feed
        if "simple" not in case.name and "pytorch_converted" not in case.name:
            continue
        if not feed or any(a.dtype != np.float32 for a in feed.values()):
            continue
        rng = np.random.default_rng(0)
        samples = case.model.parent / "samples.npz"
        np.savez(samples, **{n: rng.normal(size=(24, *a.shape)).astype(a.dtype) for n, a in feed.items()})
        keywords = {"model": str(case.model), "data": str(samples), "name": "net", "min_sqnr": -300.0}
        yield Job(f"{_CORPUS}/{case.name.rpartition('/')[2]}", keywords)


def _made_of(work: tuple[Job, list[str], Path]) -> dict[str, Any]:
    job, targets, folder = work
    _own_cache(folder, job.name.replace("/", "_"))
    if job.own is not None:
        module, samples = guard_networks.network(job.own)
        job = replace(job, keywords={**job.keywords, "model": module, "data": samples})
    found: dict[str, Any] = {}
    for target in targets[:1] if job.name.startswith(_CORPUS) else targets:
        found |= _of_target(job, target, folder)
    print(f"{job.name} done", file=sys.stderr, flush=True)
    return found


def _own_cache(folder: Path, name: str) -> None:
    """Of one job, but for the environments of the converters, which take minutes to install."""
    cache, converters = folder / "cache" / name / "edgeq", folder / "converters"
    cache.mkdir(parents=True, exist_ok=True)
    converters.mkdir(exist_ok=True)
    (cache / "converters").symlink_to(converters)
    os.environ["XDG_CACHE_HOME"] = str(cache.parent)


def _of_target(job: Job, target: str, folder: Path) -> dict[str, Any]:
    """For phones the TFLite candidates, whose conversion takes long, by default and with 16-bit activations; else every recipe
    and option for onnxruntime.
    """
    keywords: dict[str, Any] = {**job.keywords, "runtime": "onnxruntime"}
    recipes, options = _RECIPES, _OPTIONS if job.every_option else ()
    if target.startswith("android"):
        keywords, recipes, options = job.keywords, (None, "int16x8_static"), ()
    elif job.is_torch:
        keywords |= _as_onnx(job, folder)
    found: dict[str, Any] = {}
    made: set[str] = set()
    for recipe in recipes:
        if recipe in made:
            continue  # by default
        key = f"{job.name} {target} {recipe or 'default'}"
        found[key] = _converted({**keywords, "target": target, "recipe": recipe})
        made |= {c["recipe"] for c in found[key].get("candidates", ())}
    for extra in options:
        found[f"{job.name} {target} {json.dumps(extra)}"] = _converted(
            {**keywords, "target": target, **extra}
        )
    return found


def _as_onnx(job: Job, folder: Path) -> dict[str, Any]:
    """The float ONNX graph of a torch source, exported once."""
    import edgeq

    given = {key: value for key, value in job.keywords.items() if key != "weights"}
    place = folder / f"{job.name}.onnx"
    if not place.exists():
        edgeq.export(**job.keywords, target="rpi4", recipe="float", runtime="onnxruntime", output=place)
    return {**given, "model": str(place)}


def _converted(keywords: dict[str, Any]) -> dict[str, Any]:
    import edgeq
    from edgeq.errors import EdgeqError

    try:
        conversion = edgeq.convert(**keywords)
    except EdgeqError as error:
        return {"refused": type(error).__name__}
    figures = {f.candidate: f.to_dict() for f in conversion.fidelity}
    return {
        "candidates": [
            {
                "id": c.id,
                "recipe": c.recipe,
                "sha256": hashlib.sha256(conversion.bundle.artifact(c.model)).hexdigest(),
                "figures": _figures(figures.get(c.id, {})),
            }
            for c in conversion.bundle.manifest.candidates
        ]
    }


def _figures(fidelity: dict[str, Any]) -> dict[str, Any]:
    """What was measured and decided, without times."""
    return {key: fidelity[key] for key in _DECIDED if key in fidelity}


def _differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if not old or not new or "refused" in old or "refused" in new:
            yield f"{key}: {old} -> {new}"
            continue
        ids = [[c["id"] for c in side["candidates"]] for side in (old, new)]
        if ids[0] != ids[1]:
            yield f"{key}: candidates {ids[0]} -> {ids[1]}"
        for one, other in zip(old["candidates"], new["candidates"], strict=False):
            if one["sha256"] != other["sha256"]:
                yield f"{key}: {one['id']}: another file"
            figures = (one["figures"], other["figures"])
            for name in sorted(figures[0].keys() | figures[1].keys()):
                values = [side.get(name) for side in figures]
                if values[0] != values[1]:
                    yield f"{key}: {one['id']}: {name}: {values[0]} -> {values[1]}"


if __name__ == "__main__":
    main()
