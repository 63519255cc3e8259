"""What a user's code reads is known: imported neighbours by their source, files it opens, and nothing of edgeq's own."""

import json
import py_compile
import socket
import subprocess
import sys
from pathlib import Path

from edgeq.errors import ModelRefused
from edgeq.user_code import load_attribute
from edgeq.workflow.files_read import files_read, unchanged


def factory(folder: Path) -> str:
    """build() needs a module beside it and a file of settings."""
    (folder / "net.py").write_text(
        "import json\nfrom pathlib import Path\nimport net_parts\n"
        "def build():\n    return net_parts.layers(json.loads(Path(__file__).with_name('net.json').read_text()))\n"
    )
    (folder / "net_parts.py").write_text("def layers(count):\n    return list(range(count))\n")
    (folder / "net.json").write_text("3")
    return f"{folder / 'net.py'}:build"


def read_by(source: str, *besides: Path) -> dict[str, str]:
    sys.modules.pop("net_parts", None)
    with files_read(*besides) as read:
        assert load_attribute(source, ModelRefused)() == [0, 1, 2]
    return read


def test_code_its_neighbours_and_its_settings(tmp_path: Path) -> None:
    read = read_by(factory(tmp_path))
    assert {Path(p).name for p in read} >= {"net.py", "net_parts.py", "net.json"}
    assert json.__file__ not in read
    assert unchanged(read)


def test_a_neighbour_that_python_has_compiled_counts_by_its_source(tmp_path: Path) -> None:
    source = factory(tmp_path)
    assert py_compile.compile(str(tmp_path / "net_parts.py"))
    read = read_by(source)
    (tmp_path / "net_parts.py").write_text("def layers(count):\n    return [count]\n")
    assert not unchanged(read)


def test_a_neighbour_that_was_imported_before_may_have_changed_since(tmp_path: Path) -> None:
    source = factory(tmp_path)
    assert read_by(source)
    with files_read() as read:
        load_attribute(source, ModelRefused)
    assert read == {}


def test_settings_that_changed_or_went(tmp_path: Path) -> None:
    read = read_by(factory(tmp_path))
    (tmp_path / "net.json").write_text("4")
    assert not unchanged(read)
    (tmp_path / "net.json").unlink()
    assert not unchanged(read)


def test_what_is_written_or_gone_or_left_out_is_no_input(tmp_path: Path) -> None:
    ours = tmp_path / "work"
    ours.mkdir()
    (ours / "scratch").write_text("x")
    with files_read(ours) as read:
        (tmp_path / "made").write_text("x")
        (ours / "scratch").read_text()
        (tmp_path / "made").unlink()
    assert read == {}
    assert not unchanged(read)


def test_code_that_asks_the_network_is_never_the_same(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, files_read() as read:
        socket.create_connection(server.getsockname()).close()
        factory(tmp_path)
        (tmp_path / "net.json").read_text()
    assert read == {}


def test_nothing_is_heard_outside(tmp_path: Path) -> None:
    with files_read() as read:
        pass
    (tmp_path / "later").write_text("x")
    (tmp_path / "later").read_text()
    assert read == {}


def test_reading_in_another_process_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("x")
    with files_read() as read:
        subprocess.run([sys.executable, "-c", f"open({str(tmp_path / 'other')!r}).read()"], check=True)
    assert str(tmp_path / "other") not in read
