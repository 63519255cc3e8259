"""Files go compressed where the link is slow, and as they are wherever anything speaks against it: by the real agent, in a folder."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.compress.worth import Way
from edgeq.conversion import packed_files
from edgeq.conversion.packed_files import known
from edgeq.deliver.agent_archive import build_agent
from edgeq.deliver.agent_link import AgentLink
from edgeq.deliver.compression import Compression
from edgeq.deliver.link_rate import measured, remember, remembered
from edgeq.deliver.push import push
from edgeq.nouns.progress import Note, Progress
from edgeq.transport.base import Sent
from edgeq.transport.local import LocalTransport
from tests.agent.files.device import sha
from tests.compress.models import floats, onnx_file, weights

SLOW = Way(link=2_000, packs=1e6, expands=8e6, starts_s=0.5)
FAST = Way(link=1e9, packs=1e6, expands=8e6, starts_s=0.5)
W, F = weights(8, (64, 64, 3, 3)), floats((64, 32))
OLD = onnx_file(w=W, f=F, b=np.arange(100, dtype=np.int32))
NEW = onnx_file(w=W, f=F, b=np.arange(100, dtype=np.int32) * 3)
OTHER = onnx_file(w=weights(4, (64, 64, 3, 3)))


class Scene:
    """A device in a folder, and the files on this side."""

    def __init__(self, folder: Path) -> None:
        archive = build_agent(folder / "cache")
        self.link = AgentLink(LocalTransport(), sys.executable, str(archive.path), str(folder / "root"))
        self.token = self.link.call("lock", {"who": "ann@host", "what": "a test"}).token
        self.folder, self.told = folder, []

    def compression(self, way: Way, **more: object) -> Compression:
        made = Compression(self.link, self.token, (), self.link.call("facts"), self.told.append, _way=way)
        return replace(made, **more)

    def push(self, compression: Compression | None, *contents: bytes):
        files = {}
        for content in contents:
            files[sha(content)] = self.folder / sha(content)
            files[sha(content)].write_bytes(content)
        done = push(self.link, files, {sha(c): len(c) for c in contents}, self.told.append, compression)
        for content in contents:
            assert (self.folder / "root" / "incoming" / sha(content)).read_bytes() == content
        return done


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_over_a_slow_link_files_travel_compressed(scene: Scene) -> None:
    done = scene.push(scene.compression(SLOW), OTHER, b"small")
    assert done.compressed == 1 and done.files_sent == 2 and done.differences == 0
    assert done.bytes_sent < 0.6 * len(OTHER) and done.bytes_on_disk == len(OTHER) + len(b"small")
    last = [event for event in scene.told if isinstance(event, Progress)][-1]
    assert last.done == last.total == done.bytes_on_disk
    names = {p.name for p in (scene.folder / "root" / "incoming").iterdir()}
    assert names == {sha(OTHER), sha(b"small")}


def test_over_a_fast_link_they_travel_as_they_are(scene: Scene) -> None:
    done = scene.push(scene.compression(FAST), OTHER)
    assert done.compressed == 0 and done.bytes_sent == done.bytes_on_disk == len(OTHER)
    assert scene.push(None, NEW).link_bytes_s is None


def test_what_is_live_is_what_the_difference_is_taken_to(scene: Scene) -> None:
    scene.push(None, OLD)
    done = scene.push(scene.compression(SLOW, old={sha(NEW): (sha(OLD), OLD)}), NEW)
    assert done.differences == 1 and done.bytes_sent < 0.02 * len(NEW)


def test_an_old_file_that_the_device_has_lost_is_not_counted_on(scene: Scene) -> None:
    done = scene.push(scene.compression(SLOW, old={sha(NEW): (sha(OLD), OLD)}), NEW)
    assert done.differences == 0 and done.compressed == 1


def test_packed_once_a_file_is_packed_for_all_devices(scene: Scene) -> None:
    assert scene.push(scene.compression(SLOW), OTHER).compress_s > 0
    (scene.folder / "root" / "incoming" / sha(OTHER)).unlink()
    assert known(sha(OTHER)) is not None
    assert scene.push(scene.compression(SLOW), OTHER).compress_s == 0


def test_a_device_that_refuses_gets_the_file_as_it_is(scene: Scene) -> None:
    """What lies in the cache is damaged, and is not what the agent expects."""
    packed_files.packed(OTHER, sha(OTHER))
    there = known(sha(OTHER))
    assert there is not None
    there.path.write_bytes(there.path.read_bytes()[:-9] + b"unlike it")
    done = scene.push(scene.compression(SLOW), OTHER, NEW)
    assert done.compressed == 0 and done.bytes_sent == done.bytes_on_disk
    notes = [event.text for event in scene.told if isinstance(event, Note)]
    assert len(notes) == 1 and notes[0].startswith("sent as it is, not compressed: ")


def test_the_rate_of_a_link_is_measured_by_what_it_carries(scene: Scene) -> None:
    assert measured(scene.link) > 0


def test_an_upload_tells_the_rate_for_the_next() -> None:
    assert remembered("pi@there") is None
    remember("pi@there", Sent(100, 0, 1.0, 0.0, 1))
    assert remembered("pi@there") is None, "that was the round trips'"
    for seconds in (1.0, 2.0):
        remember("pi@there", Sent(1_000_000, 0, seconds, 0.0, 1))
    assert remembered("pi@there") == 500_000


def test_a_link_that_is_not_known_is_not_measured_for_little(scene: Scene) -> None:
    compression = scene.compression(SLOW, _way=None)
    done = scene.push(compression, OTHER)
    assert done.compressed == 0 and done.link_bytes_s is None
    assert not compression.is_worth_measuring(1 << 20) and compression.is_worth_measuring(5 << 20)
