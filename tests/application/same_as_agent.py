"""Code that an application runs after the two lines of `edgeq deploy`, where `model` is loaded: does it answer as the agent did,
and prepare images as edgeq does?
"""

import hashlib

import numpy as np

from edgeq.ingest.image import preprocess
from edgeq.ingest.preprocess import parse

SAME_AS_AGENT = """
import json
import numpy as np

release, candidate = model.folder.parents[1], model.folder.name
root, job = release.parents[3], json.loads((release / "jobs" / (candidate + ".json")).read_text())
samples = [np.load(root / job["samples"] / f"{i}.npy") for i in range(len(model.contract["inputs"]))]
theirs = [np.load(root / "results" / job["id"] / candidate / f"{k}.npy") for k in range(len(model.contract["outputs"]))]
for n, rows in enumerate(zip(*theirs)):
    answer = model(*(array[n] for array in samples))
    assert list(answer) == [output["source_name"] for output in model.contract["outputs"]], answer
    for ours, row in zip(answer.values(), rows):
        assert np.array_equal(ours, row.reshape(ours.shape)), (n, ours, row)
print("same on", len(theirs[0]), "samples with", model.contract["runtime"], "on Python", *sys.version_info[:2])
"""

# Shrunk both ways in either order, enlarged, cut, gray and turned round.
PREPARED = (
    "imagenet,size=48x40,resize=stretch",
    "size=20x58,channels=BGR,layout=NHWC",
    "size=30x30,resize=short_side:41,channels=GRAY,scale=1/255",
    "size=120x90,mean=0.5,std=0.25",
)
_PIXELS = "(np.arange(97 * 61 * 3, dtype=np.int64) * 37 % 251).astype(np.uint8).reshape(97, 61, 3)"


def code_of_images() -> str:
    """Code that prints, as its last line, a hash of what edgeq_runtime makes of pixels."""
    contracts = [parse(words).to_dict() for words in PREPARED]
    return f"""
import hashlib, edgeq_runtime
import numpy as np
pixels = {_PIXELS}
print(hashlib.sha256(b"".join(edgeq_runtime.preprocess(pixels, how).tobytes() for how in {contracts!r})).hexdigest())
"""


def hash_of_images() -> str:
    """The same of what edgeq itself makes of them on this machine."""
    pixels = (np.arange(97 * 61 * 3, dtype=np.int64) * 37 % 251).astype(np.uint8).reshape(97, 61, 3)
    arrays = [preprocess(pixels, parse(words), "pixels") for words in PREPARED]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
