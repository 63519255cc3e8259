"""Code that an application runs after the two lines of `edgeq deploy`, where `model` is loaded: does it answer as the agent did?"""

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
