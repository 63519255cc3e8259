"""Job files that anybody in the group may lay into jobs/: read, judged, and refused as `drain` does it."""

import random
from pathlib import Path

from edgeq.agent.commands import drain, remove
from edgeq.agent.job_rules import read_job
from edgeq.agent.layout import Root
from edgeq.agent.results import read_result
from edgeq.agent.stored import Unreadable
from edgeq.nouns.job import Entrant, Job
from edgeq.nouns.record import canonical_json
from edgeq.nouns.target import EnergyModel
from tests.fuzz.mutations import changed_bytes, changed_json, nested

OWN_ERRORS = (Unreadable,)


def examples(folder: Path) -> list[bytes]:
    entrant = Entrant("ort", "onnxruntime", "apps/net/current/model.onnx", "0" * 64, ("x",), ("y",))
    energy = EnergyModel(1.5, 2.0, "the target")
    job = Job("job-1", "race", "net", (entrant,), "samples/" + "1" * 64, energy=energy, requested_by="ann")
    return [canonical_json(job.to_dict())]


def mutated(example: bytes, rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.05:
        return nested(rng, "[", "]").encode()
    if kind < 0.2:
        return example.replace(b"30.0", rng.choice((b"1e400", b"-1e400", b"NaN", b"Infinity", b"9" * 5000)))
    return changed_bytes(example, rng) if kind < 0.35 else changed_json(example, rng)


def read(content: bytes, folder: Path) -> object:
    root = Root(folder / "root")
    root.jobs.mkdir(parents=True, exist_ok=True)
    path = root.jobs / "job-1.json"
    path.write_bytes(content)
    try:
        job = read_job(path)  # one that may run would take its time: that it would is enough
    except Unreadable:
        if sum(content) % 4:  # a result takes a tenth of a second
            raise
        said = drain.answer(drain.Request(), root)
        assert said == {"done": ["job-1"], "stuck": []}, said
        assert read_result(root, "job-1").state == "failed" and not list(root.jobs.glob("*.json"))
        remove.answer(remove.Request(everything=True), root)
        raise
    assert 0 <= job.limits.seconds <= 86400
    return job.id
