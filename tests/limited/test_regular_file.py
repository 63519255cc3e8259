"""A pipe or a device with the name of a model, a bundle or samples is refused before it is opened: it might never end."""

import os
import socket

import pytest

from edgeq import catalog
from edgeq.bundle import read_bundle
from edgeq.errors import BundleRefused, DataRefused, ModelRefused, TargetRefused
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.ingest.samples import peek
from edgeq.limited import regular_file


def model(path):
    open_model(Request(str(path), workdir=path.parent / "work"))


OPEN = {
    "m.edgeq": (read_bundle, BundleRefused),
    "m.tflite": (model, ModelRefused),
    "m.onnx": (model, ModelRefused),
    "m.pt2": (model, ModelRefused),
    "x.npz": (lambda path: peek(str(path), None), DataRefused),
    "t.toml": (lambda path: catalog.target(str(path)), TargetRefused),
}


def pipe(path):
    os.mkfifo(path)


def link_to_a_device(path):
    path.symlink_to("/dev/zero")


def link_to_a_link_to_a_pipe(path):
    os.mkfifo(path.with_name("pipe"))
    path.with_name("link").symlink_to("pipe")
    path.symlink_to("link")


def socket_of_a_server(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("kind", [pipe, link_to_a_device, link_to_a_link_to_a_pipe, socket_of_a_server])
@pytest.mark.parametrize("name", OPEN)
def test_what_is_no_file_is_refused_by_name(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    place = tmp_path / name
    kind(place if kind is not socket_of_a_server else place.relative_to(tmp_path))
    reads, refusal = OPEN[name]
    with pytest.raises(
        refusal, match=rf"{name} is a (pipe|device|socket), not a file.*: not opened"
    ) as caught:
        reads(place)
    assert caught.value.remedy == "copy its content into a file"


def test_a_link_to_a_file_is_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert regular_file.content(tmp_path / "link", ModelRefused) == b"12345"


@pytest.mark.parametrize("size", [1 << 42, 101])
def test_a_file_larger_than_the_memory_is_not_read(tmp_path, monkeypatch, size):
    if size == 101:
        monkeypatch.setattr(regular_file, "free_memory", lambda: 200)
    with (tmp_path / "m.tflite").open("wb") as file:
        file.truncate(size)
    with pytest.raises(ModelRefused, match="half of the free memory: not opened"):
        model(tmp_path / "m.tflite")


def test_a_file_that_is_missing_is_said_to_be(tmp_path):
    with pytest.raises(ModelRefused, match=r"cannot read .*m\.tflite: No such file"):
        model(tmp_path / "m.tflite")
    with pytest.raises(BundleRefused, match=r"cannot read .*m\.edgeq: No such file"):
        read_bundle(tmp_path / "m.edgeq")
