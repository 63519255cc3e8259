"""What a file can cost: the child that opens it ends within its limits, in an error of ours, and the next file is opened."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeq.errors import DataRefused, ModelRefused
from edgeq.limited import ask as asking
from edgeq.limited.ask import ask, begin
from edgeq.limited.limits import Limits, for_file, for_model
from edgeq.limited.reader import Reader

READERS = """
import os, resource, signal, time
from pathlib import Path
from edgeq.errors import DataRefused

def size(path): return {"bytes": Path(path).stat().st_size}
def content(path, times=1): return {"times": times}, Path(path).read_bytes() * times
def refuses(path): raise DataRefused(f"{path} is odd", "mend it", details=("line 3",))
def raises(path): raise KeyError("inner words")
def recurses(path): return recurses(path)
def allocates(path): return len(bytearray(3 << 30))
def waits(path):
    while True: pass
def crashes(path): os.kill(os.getpid(), signal.SIGSEGV)
def prints(path):
    os.write(1, b"noise" * 9); print("noise"); return "said"
def writes(path):
    Path(path + ".out").write_bytes(bytes(200 << 20)); return True
def core(path): return resource.getrlimit(resource.RLIMIT_CORE)[0]
def place(path):
    import sys; return [p for p in sys.path if p in ("", os.getcwd())]
"""


@pytest.fixture
def reader(tmp_path, monkeypatch):
    place = tmp_path / "packages"
    place.mkdir()
    (place / "odd_readers.py").write_text(READERS)
    monkeypatch.syspath_prepend(str(place))
    asking._stop()  # the child of another test has another path
    yield lambda name: Reader(f"odd_readers:{name}", ModelRefused, "the file", "give another file")
    asking._stop()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    return path


SMALL = Limits(256 << 20, 3)


def test_values_and_bytes_come_back(reader, file):
    assert ask(reader("size"), file, SMALL) == ({"bytes": 5}, b"")
    assert ask(reader("content"), file, SMALL, times=400_000) == ({"times": 400_000}, b"12345" * 400_000)


def test_one_child_serves_many_files(reader, file):
    ask(reader("size"), file, SMALL)
    first = asking._child
    for _ in range(20):
        ask(reader("size"), file, SMALL)
    assert asking._child is first


def test_an_own_error_arrives_whole(reader, file):
    with pytest.raises(DataRefused, match="is odd") as caught:
        ask(reader("refuses"), file, SMALL)
    assert (caught.value.remedy, caught.value.details) == ("mend it", ("line 3",))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", "cannot be read: 'inner words'"),
        ("recurses", "nested too deep"),
        ("allocates", "takes more than 256 MB of memory"),
        ("waits", "takes more than 3 s"),
        ("crashes", r"crashes on it \(SIGSEGV\)"),
        ("writes", "File too large"),
        ("gone", "cannot be read"),
    ],
)
def test_everything_else_is_the_refusal_of_the_reader(reader, file, name, words):
    with pytest.raises(ModelRefused, match=words) as caught:
        ask(reader(name), file, SMALL)
    # The same file again would run into the same limit.
    remedy = {"allocates": "set EDGEQ_OPEN_MEMORY_MB to more", "waits": "set EDGEQ_OPEN_SECONDS to more"}
    assert str(file) in caught.value.what and remedy.get(name, "give another file") in caught.value.remedy
    assert ask(reader("size"), file, SMALL)[0] == {"bytes": 5}, "the next file is opened all the same"


def test_what_libraries_print_is_no_answer(reader, file):
    assert ask(reader("prints"), file, SMALL)[0] == "said"


def test_no_core_file_and_nothing_of_the_current_folder(reader, file, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert ask(reader("core"), file, SMALL)[0] == 0
    assert ask(reader("place"), file, SMALL)[0] == []


def test_two_files_may_be_asked_for_before_the_first_answer(reader, file):
    first, second = begin(reader("content"), file, SMALL), begin(reader("size"), file, SMALL)
    assert second.result()[0] == {"bytes": 5}
    assert first.result()[1] == b"12345"


def test_a_child_that_was_killed_is_replaced(reader, file):
    ask(reader("size"), file, SMALL)
    os.kill(asking._child._process.pid, signal.SIGKILL)
    asking._child._process.wait()
    assert ask(reader("size"), file, SMALL)[0] == {"bytes": 5}


def test_a_child_that_grew_makes_room_for_another(reader, file, tmp_path):
    (tmp_path / "packages" / "hoards.py").write_text(
        "KEPT = []\ndef keep(path): KEPT.append(bytearray(800 << 20))\n"
    )
    ask(Reader("hoards:keep", ModelRefused, "the file"), file, Limits(1 << 30, 3))
    first = asking._child
    assert ask(reader("size"), file, SMALL)[0] == {"bytes": 5}
    assert asking._child is not first


def test_limits_grow_with_the_file_and_can_be_set(monkeypatch):
    assert for_file(1 << 30).memory_bytes > for_file(1).memory_bytes
    assert for_model(1 << 30).memory_bytes >= 10 << 30 and for_model(1 << 30).seconds > for_model(1).seconds
    monkeypatch.setenv("EDGEQ_OPEN_MEMORY_MB", "700")
    monkeypatch.setenv("EDGEQ_OPEN_SECONDS", "9")
    assert for_model(1 << 30) == for_file(1) == Limits(700 << 20, 9)
    for nonsense in ("", "x", "-1", "nan", "inf"):
        monkeypatch.setenv("EDGEQ_OPEN_SECONDS", nonsense)
        assert for_file(0).seconds == 20


def test_every_reader_names_a_function_that_is_there():
    from importlib import import_module

    from edgeq.ingest import array_file, image_file, tflite_inspect
    from edgeq.ingest.graph import opened
    from edgeq.ingest.pytorch import open_weights
    from edgeq.limited import toml_file

    modules = (array_file, image_file, tflite_inspect, opened, open_weights, toml_file)
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Reader)]
    assert len(found) == 8
    for one in found:
        place, _, name = one.function.partition(":")
        assert callable(getattr(import_module(place), name))


def test_a_path_is_taken_from_where_the_caller_stands(reader, file, monkeypatch):
    monkeypatch.chdir(file.parent)
    assert ask(reader("size"), Path("file"), SMALL)[0] == {"bytes": 5}


def test_a_limit_that_the_caller_is_under_stays(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.arange(3))
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))\n"
        "from pathlib import Path\n"
        "from edgeq.ingest.npz import load_arrays\n"
        "print(load_arrays(Path(sys.argv[1]))['x'].tolist())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "d.npz")], capture_output=True, text=True, check=False
    )
    assert ran.stdout == "[0, 1, 2]\n", ran.stderr


def test_free_memory_is_no_more_than_a_limit_of_the_caller_leaves():
    program = (
        "import resource\n"
        "from edgeq.limited.limits import free_memory\n"
        "free = free_memory()\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (300 << 20, 300 << 20))\n"
        "print(free, free_memory())"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    free, left = map(int, ran.stdout.split())
    assert 100 << 20 < left < 300 << 20 < free
