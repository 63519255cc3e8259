"""The agent's archive: the same bytes everywhere, complete, and at home on every Python that it promises."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgeq.deliver.agent_archive import archive_bytes, build_agent, files_that_ship

PACKAGE = Path(__file__).parent.parent.parent / "edgeq"
PYENV = sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin/python"))
PYTHONS = [p for p in PYENV if tuple(map(int, p.parts[-3].split(".")[:2])) >= (3, 9)] or [
    Path(sys.executable)
]
BUILD = "import sys; from pathlib import Path; from edgeq.deliver.agent_archive import build_agent; "


def version(python: Path) -> str:
    return python.parts[-3]


def test_it_is_named_by_its_hash_and_built_once(tmp_path: Path) -> None:
    first = build_agent(tmp_path)
    at = first.path.stat().st_mtime_ns

    assert first.name == f"{first.sha256[:16]}.pyz" and first.path == tmp_path / "agent" / first.name
    assert build_agent(tmp_path) == first and first.path.stat().st_mtime_ns == at


def test_a_damaged_cache_is_built_anew(tmp_path: Path) -> None:
    first = build_agent(tmp_path)
    whole = first.path.read_bytes()
    first.path.write_bytes(whole[:-1])
    assert build_agent(tmp_path).path.read_bytes() == whole


@pytest.mark.parametrize("python", [p for p in PYTHONS if version(p) >= "3.11"], ids=version)
def test_the_same_bytes_from_every_python(python: Path, tmp_path: Path) -> None:
    code = BUILD + "print(build_agent(Path(sys.argv[1])).sha256)"
    done = subprocess.run(
        [str(python), "-c", code, str(tmp_path)],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == build_agent(tmp_path / "here").sha256


def test_a_checkout_with_windows_line_ends_builds_the_same(tmp_path: Path) -> None:
    files = files_that_ship(PACKAGE)
    for name, data in files.items():
        if name.startswith("edgeq/"):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.replace(b"\n", b"\r\n"))
    assert archive_bytes(files_that_ship(tmp_path / "edgeq")) == archive_bytes(files)


def test_only_the_agent_ships(tmp_path: Path) -> None:
    names = zipfile.ZipFile(build_agent(tmp_path).path).namelist()
    tops = {"/".join(n.split("/")[:2]) for n in names}
    packages = {"edgeq/nouns", "edgeq/agent", "edgeq/compress"}
    assert tops == {"__main__.py", "edgeq/__init__.py", "edgeq/errors.py", *packages}
    compress = {n for n in names if n.startswith("edgeq/compress/")}
    assert "edgeq/compress/expand/lanes.py" in compress and "edgeq/compress/pack.py" not in compress
    assert names == sorted(names) and all(n.endswith(".py") for n in names)


def test_it_stays_small(tmp_path: Path) -> None:
    assert build_agent(tmp_path).path.stat().st_size < 430_000


@pytest.mark.parametrize("python", PYTHONS, ids=version)
def test_every_module_imports_with_the_standard_library_alone(python: Path, tmp_path: Path) -> None:
    """Isolated and without site-packages, as on a device that has python3 and nothing else."""
    archive = build_agent(tmp_path)
    code = "\n".join(
        [
            f"import sys; sys.path.insert(0, {str(archive.path)!r})",
            "import importlib, pkgutil, edgeq.agent, edgeq.compress, edgeq.nouns",
            "for package in (edgeq.agent, edgeq.compress, edgeq.nouns):",
            "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):",
            "        importlib.import_module(module.name) if '__main__' not in module.name else None",
        ]
    )
    subprocess.run([str(python), "-I", "-S", "-W", "error", "-c", code], check=True)
    said = subprocess.run(
        [str(python), "-I", "-S", str(archive.path), "--help"], capture_output=True, check=True
    )
    assert b"rollback" in said.stdout
