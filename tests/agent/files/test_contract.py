"""The agent tells what an application has to know of what is live, and says so where nobody can."""

import json

import pytest

from edgeq.errors import RemoteFailed
from tests.agent.files.device import Device, bundle

CONTRACT = {"app": "net", "inputs": [{"name": "x"}]}


def version(contract: bytes) -> "dict[str, bytes]":
    return {"candidates/ort/model.onnx": contract, "candidates/ort/contract.json": contract}


def test_it_is_that_of_what_is_live(device: Device, token: str) -> None:
    device.deploy(token, bundle(files=version(b'{"app": "older"}')))
    device.deploy(token, bundle(files=version(json.dumps(CONTRACT).encode())))
    assert device.call("contract", app="net") == {
        "path": str(device.root / "apps/net/current"),
        "contract": CONTRACT,
        "files": ["contract.json", "model.onnx"],
    }


def test_where_there_is_none(device: Device, token: str) -> None:
    with pytest.raises(RemoteFailed, match="no app 'net'"):
        device.call("contract", app="net")
    for content in (b"[1]", b"{", b"[" * 1000):
        device.deploy(token, bundle(files=version(content)))
        with pytest.raises(RemoteFailed, match="the release of net is damaged"):
            device.call("contract", app="net")
    (device.root / "apps/net/current").unlink()
    with pytest.raises(RemoteFailed, match="nothing is live under the name net"):
        device.call("contract", app="net")
