"""Choose and pin the wheels that devices get: `python deploy/wheels/lock.py [RUNTIME ...]` rewrites the locks beside it.

pip resolves each runtime for each CPython and architecture and says what fits; of that, a lock holds only what the
runtime imports on a device (its tools for converting models stay away). A lock is a requirements file of pip with
hashes; the comment of each line adds the file's name, whose tag says which glibc it needs, and its size.
"""

import hashlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
# CPython -> glibc 2.x of the distribution whose python3 it is, the older one where there are two: Debian 11,
# Ubuntu 22.04, Debian 12, Ubuntu 24.04, Debian 13, Ubuntu 26.04.
_PYTHONS = {"3.9": 31, "3.10": 35, "3.11": 36, "3.12": 39, "3.13": 41, "3.14": 42}
_OLDEST_GLIBC = 17  # 2.17, manylinux2014


@dataclass(frozen=True)
class Runtime:
    """`requirements` go to pip; `kept` of what it finds goes to the device; `from_device` is the distribution's."""

    requirements: tuple[str, ...]
    kept: tuple[str, ...]
    architectures: tuple[str, ...]
    from_device: tuple[str, ...] = ()


_RUNTIMES = {
    "onnxruntime": (Runtime(("onnxruntime", "numpy"), ("onnxruntime", "numpy"), ("aarch64", "x86_64")),),
    "litert": (Runtime(("ai-edge-litert", "numpy"), ("ai_edge_litert", "numpy"), ("aarch64", "x86_64")),),
    "tflite-runtime": (
        Runtime(("tflite-runtime", "numpy<2"), ("tflite_runtime", "numpy"), ("aarch64", "x86_64")),
        # PyPI has no numpy for 32-bit ARM.
        Runtime(("tflite-runtime",), ("tflite_runtime",), ("armv7l",), from_device=("numpy<2",)),
    ),
}


def main(names: list[str]) -> None:
    for name in names or _RUNTIMES:
        for runtime in _RUNTIMES[name]:
            for arch in runtime.architectures:
                for python in _PYTHONS:
                    _lock(name, runtime, python, arch)


def _lock(name: str, runtime: Runtime, python: str, arch: str) -> None:
    path = _HERE / f"{name}-cp{python.replace('.', '')}-{arch}.txt"
    with tempfile.TemporaryDirectory() as folder:
        found = _download(runtime, python, arch, Path(folder))
        wheels = [w for kept in runtime.kept for w in Path(folder).glob(f"{kept}-*.whl")]
        if found:
            path.write_text(_text(name, runtime, python, arch, wheels))
            print(f"{path.name}: {', '.join('-'.join(w.name.split('-')[:2]) for w in wheels)}")
        else:
            path.unlink(missing_ok=True)
            print(f"{path.name}: no wheels")


def _download(runtime: Runtime, python: str, arch: str, folder: Path) -> bool:
    """Everything that pip finds for such a device; False where no combination exists."""
    abi = f"cp{python.replace('.', '')}"
    platforms = [f"manylinux_2_{minor}_{arch}" for minor in range(_OLDEST_GLIBC, _PYTHONS[python] + 1)]
    command = [
        sys.executable,
        "-I",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--only-binary=:all:",
        f"--dest={folder}",
    ]
    command += [
        f"--python-version={python}",
        "--implementation=cp",
        f"--abi={abi}",
        "--abi=abi3",
        "--abi=none",
    ]
    command += [f"--platform={p}" for p in (f"manylinux2014_{arch}", *platforms)]
    command += ["--no-deps"] if runtime.from_device else []
    done = subprocess.run([*command, *runtime.requirements], capture_output=True, text=True)
    if done.returncode and "No matching distribution" not in done.stderr:
        sys.exit(f"pip failed:\n{done.stderr}")
    return done.returncode == 0


def _text(name: str, runtime: Runtime, python: str, arch: str, wheels: list[Path]) -> str:
    lines = [f"# {name} for CPython {python} on {arch}; made by lock.py, which pins what pip resolved."]
    lines += [f"# from the device: {requirement}" for requirement in runtime.from_device]
    for wheel in wheels:
        distribution, version, *_ = wheel.name.split("-")
        data = wheel.read_bytes()
        lines += [
            f"{distribution.replace('_', '-')}=={version} \\",
            f"    --hash=sha256:{hashlib.sha256(data).hexdigest()}  # {wheel.name} {len(data)} bytes",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
