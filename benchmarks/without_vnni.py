"""Runs a module with onnxruntime and LiteRT as they are on a CPU without VNNI: with the kernels that they choose there.

    python -m benchmarks.without_vnni [--keep-avx512] MODULE WORDS...

Neither has a switch for that: MLAS and XNNPACK ask cpuid themselves. So it asks copies of both packages in which every cpuid is
a trap, and answers it (without_vnni.c). The times are those of other kernels on this CPU, not those of an older CPU. Needs an
x86-64 Linux with cc and objdump. edgeq itself reads /proc/cpuinfo, so what it plans stays the same.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("onnxruntime", "ai_edge_litert")
_CPUID, _TRAP = b"\x0f\xa2", b"\xcc\x90"  # cpuid; int3, nop
_HANDLER = Path(__file__).with_suffix(".c")


def main() -> None:
    words = sys.argv[1:]
    avx512 = words[:1] == ["--keep-avx512"]
    with tempfile.TemporaryDirectory(prefix="edgeq-without-vnni-") as name:
        folder = Path(name)
        patched = sum(_copied(package, folder) for package in PACKAGES)
        print(f"{patched} times cpuid in {', '.join(PACKAGES)}", file=sys.stderr)
        variables = {
            "LD_PRELOAD": str(_built(folder)),
            "PYTHONPATH": os.pathsep.join((name, os.environ.get("PYTHONPATH", ""))),
            "WITHOUT": "vnni" if avx512 else "avx512",
        }
        command = [sys.executable, "-m", *words[avx512:]]
        sys.exit(subprocess.run(command, env={**os.environ, **variables}, check=False).returncode)


def _copied(package: str, folder: Path) -> int:
    """Copies the installed package to `folder`; how many instructions were replaced in its libraries."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        sys.exit(f"{package} is not installed")
    copy = folder / package
    shutil.copytree(Path(spec.origin).parent, copy)
    return sum(_trapped(path) for path in copy.rglob("*.so*"))


def _trapped(library: Path) -> int:
    data = bytearray(library.read_bytes())
    places = list(_offsets(library))
    for place in places:
        if data[place : place + 2] != _CPUID:
            sys.exit(f"{library.name}: no cpuid at {place:#x}")
        data[place : place + 2] = _TRAP
    library.write_bytes(data)
    return len(places)


def _offsets(library: Path) -> Iterator[int]:
    """Where in the file each cpuid is: a disassembler tells them from the same bytes within longer instructions."""
    shown = ["objdump", "--disassemble", "--no-show-raw-insn", "--file-offsets", str(library)]
    with subprocess.Popen(shown, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        shift = 0
        for line in process.stdout:
            if (
                line.endswith("):\n") and "(File Offset: " in line
            ):  # 0000000000001000 <name> (File Offset: 0x1000):
                address, _, offset = line.partition("(File Offset: ")
                shift = int(offset.rstrip("):\n"), 16) - int(address.split()[0], 16)
            elif line.rstrip().endswith("\tcpuid"):
                yield int(line.partition(":")[0], 16) + shift


def _built(folder: Path) -> Path:
    library = folder / "without_vnni.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(_HANDLER)], check=True)
    return library


if __name__ == "__main__":
    main()
