"""Code is unchanged as long as all that it read is: each test runs a factory in a process of its own and changes one thing."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from edgeq.code_inputs.inputs import CodeInputs

# Time passes between the writing of a file and its use, except in tests.
WATCHED = """
import json, sys, time
from edgeq.code_inputs.inputs import inputs_of
from edgeq.code_inputs.watch import Watch
from edgeq.errors import ModelRefused
from edgeq.user_code import load_attribute
later = int(sys.argv[2])
watch = Watch(began=time.time_ns() + later)
with watch.watching():
    load_attribute(sys.argv[1], ModelRefused)()
read, why = inputs_of(watch)
print(json.dumps([read and read.to_dict(), why]))
"""


def watched(
    folder: Path, source: str, environment: Mapping[str, str] | None = None, later: int = 10**9
) -> tuple[CodeInputs | None, str]:
    """The factory `source` called in `folder`. What it read, or why that is not known."""
    (folder / "watched.py").write_text(WATCHED)
    done = subprocess.run(
        [sys.executable, "watched.py", source, str(later)],
        cwd=folder,
        env=os.environ | dict(environment or {}),
        stdout=subprocess.PIPE,
        check=True,
    )
    read, why = json.loads(done.stdout)
    return read and CodeInputs.from_dict(read), why


def seen(folder: Path, code: str) -> CodeInputs:
    (folder / "net.py").write_text(code)
    read, why = watched(folder, "net.py:build")
    assert read is not None, why
    assert read.unchanged()
    return read


def test_a_file_that_is_touched_is_unchanged_and_one_with_other_contents_is_not(tmp_path: Path) -> None:
    read = seen(tmp_path, "def build(): return 1\n")
    (tmp_path / "net.py").touch()
    assert read.unchanged()
    (tmp_path / "net.py").write_text("def build(): return 2\n")
    assert not read.unchanged()


@pytest.mark.parametrize(
    "statement", ["from layers import N", "from parts import N", "from parts.layers import N"]
)
def test_helpers_count_wherever_they_lie(tmp_path: Path, statement: str) -> None:
    """Beside the factory, in a package, and there by a relative import."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("from .layers import N\n")
    helpers = [tmp_path / "layers.py", tmp_path / "parts" / "layers.py"]
    for helper in helpers:
        helper.write_text("N = 1\n")
    read = seen(tmp_path, f"{statement}\ndef build(): return N\n")
    helpers["parts" in statement].write_text("N = 2\n")
    assert not read.unchanged()


def test_a_helper_that_is_compiled_already_counts_too(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("N = 1\n")
    subprocess.run([sys.executable, "-m", "compileall", "-q", "."], cwd=tmp_path, check=True)
    read = seen(tmp_path, "import sys, layers\ndel sys.modules['layers']\ndef build(): return 1\n")
    (tmp_path / "layers.py").write_text("N = 2\n")
    assert not read.unchanged()


@pytest.mark.parametrize(
    "line",
    [
        "open(FOLDER / 'size.txt').read()",
        "(FOLDER / 'size.txt').read_bytes()",
        "numpy.loadtxt(FOLDER / 'size.txt')",
        "os.read(os.open(FOLDER / 'size.txt', os.O_RDONLY), 9)",
    ],
)
def test_data_files_count(tmp_path: Path, line: str) -> None:
    (tmp_path / "size.txt").write_text("1")
    code = f"import numpy, os, pathlib\nFOLDER = pathlib.Path(__file__).parent\ndef build(): return {line}\n"
    read = seen(tmp_path, code)
    (tmp_path / "size.txt").write_text("2")
    assert not read.unchanged()


@pytest.mark.parametrize(
    ("code", "comes"),
    [
        ("import os\ndef build(): return os.path.exists('other.json')\n", "other.json"),
        ("from pathlib import Path\ndef build(): return Path('other.json').is_file()\n", "other.json"),
        ("def build():\n    try: open('other.json')\n    except OSError: pass\n", "other.json"),
        ("import os\ndef build(): return os.listdir('.')\n", "other.json"),
        ("import glob\ndef build(): return glob.glob('*.json')\n", "other.json"),
        ("try: import fast\nexcept ImportError: pass\ndef build(): pass\n", "fast.py"),
    ],
)
def test_what_was_not_there_and_comes_counts(tmp_path: Path, code: str, comes: str) -> None:
    read = seen(tmp_path, code)
    (tmp_path / comes).write_text("")
    assert not read.unchanged()


def test_a_module_that_would_now_be_found_elsewhere_counts(tmp_path: Path) -> None:
    """As of two folders on the path of imports, the first of which had none."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    (tmp_path / "second" / "layers.py").write_text("N = 1\n")
    (tmp_path / "net.py").write_text("from layers import N\ndef build(): return N\n")
    path = os.pathsep.join(str(tmp_path / name) for name in ("first", "second"))
    read, _ = watched(tmp_path, "net.py:build", {"PYTHONPATH": path})
    assert read is not None
    assert read.unchanged()
    (tmp_path / "first" / "layers.py").write_text("N = 2\n")
    assert not read.unchanged()


@pytest.mark.parametrize("call", ["os.environ['WIDTH']", "os.getenv('WIDTH')", "dict(os.environ)"])
def test_a_variable_that_is_read_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setenv("WIDTH", "8")
    read = seen(tmp_path, f"import os\ndef build(): return {call}\n")
    monkeypatch.setenv("WIDTH", "9")
    assert not read.unchanged()


def test_another_variable_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = seen(tmp_path, "def build(): return 1\n")
    monkeypatch.setenv("WIDTH", "9")
    (tmp_path / "notes.txt").write_text("")
    assert read.unchanged()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import subprocess\ndef build(): return subprocess.run(['true'])\n", "subprocess.Popen"),
        ("import urllib.request as u\ndef build():\n    try: u.urlopen('http://127.0.0.1:9')\n    except OSError: pass\n", "socket"),
        ("import time\ndef build(): return time.time()\n", "time"),
        ("import numpy\ndef build(): return numpy.random.default_rng().random()\n", "default_rng"),
        ("def build(): return open('/proc/uptime').read()\n", "/proc/uptime"),
        ("import torch\ndef build(): return torch.jit.load\n", "jit"),
        ("def build(): return open('net.py', 'a').write('#') and open('net.py').read()\n", "written while"),
    ],
)  # fmt: skip
def test_what_is_not_seen_makes_no_record(tmp_path: Path, code: str, why: str) -> None:
    (tmp_path / "torch.py").write_text("class jit: load = 1\n")
    (tmp_path / "net.py").write_text(code)
    read, reason = watched(tmp_path, "net.py:build", later=0 if why == "written while" else 10**9)
    assert read is None
    assert why in reason


def test_a_module_of_the_user_that_was_loaded_before_may_be_another_by_now(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("N = 1\n")
    (tmp_path / "net.py").write_text("import layers\ndef build(): return layers.N\n")
    (tmp_path / "sitecustomize.py").write_text("import layers\n")
    read, why = watched(tmp_path, "net.py:build", {"PYTHONPATH": str(tmp_path)})
    assert read is None
    assert "was loaded before" in why
