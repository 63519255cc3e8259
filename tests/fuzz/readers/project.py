"""edgeq.toml."""

import random
from pathlib import Path

from edgeq.ingest.preprocess import from_table, parse
from edgeq.request.project import project_text, read_project
from tests.fuzz.mutations import changed_bytes, changed_text, nested

_WHOLE = b"""model = "net.py:build"
name = "mine"
weights = "state.pt"
data = "calib.npz"
calibrate = 200
preprocess = "size=224x224,resize=short_side:256,mean=0.485/0.456/0.406,std=0.229/0.224/0.225"
passes = "-head"
integer_io = true
[shapes]
input = [1, 3, 224, 224]
[gates]
max_drop = 1.0
confidence = 95
[targets.rpi4]
host = "pi@10.0.0.5"
port = 22
[targets.local]
root = "here"
"""


def examples(folder: Path) -> list[bytes]:
    table = _WHOLE.replace(b'"-head"', b'"none"').replace(b"mean=0.485/0.456/0.406", b"scale=1/255")
    return [_WHOLE, table, b'preprocess = "imagenet"\nmodel = "m.onnx"\n']


def mutated(example: bytes, rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.03:
        return example + f"\nx = {nested(rng, '[', ']')}".encode()
    if kind < 0.2:
        return changed_bytes(example, rng)
    return changed_text(example.decode(), rng).encode(errors="surrogatepass")


def read(content: bytes, folder: Path) -> object:
    path = folder / "edgeq.toml"
    path.write_bytes(content)
    project = read_project(path)
    project_text(project)
    preprocess = project.options.get("preprocess")
    if preprocess is not None:
        return parse(preprocess) if isinstance(preprocess, str) else from_table(preprocess)
    return project
