"""What the agent itself costs: time on top of the runtime, and memory beside it.

    python benchmarks/agent_overhead.py [--model FILE.onnx] [--pairs 40] [--seconds 20] [--json]

Time: the median latency that the agent's child reports against a bare loop around the same onnxruntime session in a
process of its own; blocks of both alternate (A B, B A), each in a session made for it, and the figure is that of a race:
the trimmed mean of the paired ratios with its 95 % interval, which takes four pairs. Below 2 % is the aim.
Memory: the highest resident size of the agent process over a whole race, its result in hand, and that of the child before
it imports a runtime; below 25 MB each is the aim.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.goals import interval
from edgeq.agent.active_entrant import ActiveEntrant
from edgeq.nouns.job import Entrant, Job, Limits
from edgeq.nouns.report import Estimate
from edgeq.report.statistics import paired_ratio

_BARE = """
import sys, time, json
import numpy as np, onnxruntime as ort
model, samples = sys.argv[1:3]
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
feeds_of = lambda name: [{name: a} for a in np.load(samples)[:16]]
for line in sys.stdin:
    count = int(line)
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    feeds = feeds_of(session.get_inputs()[0].name)
    for _ in range(4):
        session.run(names, feeds[0])
    took = []
    for i in range(count):
        feed = feeds[i % len(feeds)]
        start = time.perf_counter_ns()
        session.run(names, feed)
        took.append(time.perf_counter_ns() - start)
    print(json.dumps(took), flush=True)
"""

_AGENT_RESIDENT = """
import json, sys
import edgeq.agent.__main__
from edgeq.agent.measure import run_job
from edgeq.agent.probes.memory_use import resident
from edgeq.nouns.job import Job
from pathlib import Path
root = sys.argv[1]
measured = run_job(Job.from_dict(json.load(sys.stdin)), root, "agent", root + "/results")
assert measured.state == "done", measured.error
with open("/dev/null", "w") as sink:
    json.dump(measured.to_dict(), sink)
print(resident(Path("/"))[1])
"""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        active = _active_entrant(root, options.model)
        agent_ns, bare_ns = _alternate(active, root, options.pairs)
        resident = {"agent over a race": _agent_resident(active, root, options.seconds)}
        resident["child before the runtime"] = _child_resident(active)
        active.release()
    _show(agent_ns, bare_ns, resident, options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", type=Path, help="an ONNX file with one float32 input (default: a small CNN)"
    )
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument(
        "--seconds", type=float, default=20, help="longest time of the race that shows the memory"
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _active_entrant(root: Path, model: "Path | None") -> ActiveEntrant:
    import onnxruntime

    path = root / "model.onnx"
    path.write_bytes(model.read_bytes() if model else _small_cnn())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    shape = [d if isinstance(d, int) else 1 for d in given.shape]
    (root / "samples").mkdir()
    samples = np.random.default_rng(0).normal(size=(16, *shape)).astype(np.float32)
    np.save(root / "samples/0.npy", samples)
    outputs = tuple(o.name for o in session.get_outputs())
    entrant = Entrant("model", "onnxruntime", "model.onnx", "0" * 64, (given.name,), outputs)
    job = Job("overhead", "measure", "model", (entrant,), "samples", limits=Limits(block_ms=50))
    return ActiveEntrant("model", entrant, job, root)


def _small_cnn() -> bytes:
    """Three 3x3 convolutions of 16 channels on 1x3x32x32: some tenths of a millisecond."""
    import onnx
    from onnx import helper, numpy_helper

    draw, nodes, weights, channels = np.random.default_rng(0), [], [], 3
    for i in range(3):
        weights.append(
            numpy_helper.from_array(draw.normal(size=(16, channels, 3, 3)).astype(np.float32), f"w{i}")
        )
        nodes.append(helper.make_node("Conv", [f"t{i}", f"w{i}"], [f"t{i + 1}"], pads=[1, 1, 1, 1]))
        channels = 16
    image = helper.make_tensor_value_info("t0", onnx.TensorProto.FLOAT, [1, 3, 32, 32])
    features = helper.make_tensor_value_info("t3", onnx.TensorProto.FLOAT, [1, 16, 32, 32])
    graph = helper.make_graph(nodes, "small", [image], [features], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def _alternate(active: ActiveEntrant, root: Path, pairs: int) -> "tuple[list[float], list[float]]":
    """Per pair of blocks the median of the agent's and that of the bare loop, in ns."""
    bare = subprocess.Popen(
        [sys.executable, "-c", _BARE, str(root / "model.onnx"), str(root / "samples/0.npy")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert bare.stdin is not None
    assert bare.stdout is not None

    def by_agent(pair: int) -> float:
        active.run_block(pair, 0)
        if active.failure:
            raise active.failure
        return median(active.blocks[-1].latency_ns)

    def by_hand(_: int) -> float:
        bare.stdin.write(f"{active.block_length}\n")
        bare.stdin.flush()
        return median(json.loads(bare.stdout.readline()))

    active.smoke_test(None)
    agent_ns, bare_ns = [], []
    for pair in range(pairs):
        if pair % 2:
            bare_ns.append(by_hand(pair))
            agent_ns.append(by_agent(pair))
        else:
            agent_ns.append(by_agent(pair))
            bare_ns.append(by_hand(pair))
    bare.stdin.close()
    bare.wait()
    return agent_ns, bare_ns


def _agent_resident(active: ActiveEntrant, root: Path, seconds: float) -> int:
    """The most that an agent of its own holds over a race, its result written out as JSON."""
    limits = Limits(precision=0.0, seconds=seconds)
    job = Job("resident", "race", "model", (active.spec,), "samples", limits=limits)
    done = subprocess.run(
        [sys.executable, "-c", _AGENT_RESIDENT, str(root)],
        input=json.dumps(job.to_dict()),
        cwd=Path(__file__).resolve().parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return int(done.stdout)


def _child_resident(active: ActiveEntrant) -> int:
    memory = active.to_run().memory
    assert memory is not None
    assert memory.rss_start is not None
    return memory.rss_start


def _show(agent_ns: "list[float]", bare_ns: "list[float]", resident: "dict[str, int]", as_json: bool) -> None:
    by_pair = [[np.array([ns]) for ns in side] for side in (agent_ns, bare_ns)]
    ratio = paired_ratio(*by_pair) or Estimate(median(a / b for a, b in zip(agent_ns, bare_ns, strict=True)))
    figures = {
        "agent_median_ns": median(agent_ns),
        "bare_median_ns": median(bare_ns),
        "ratio": ratio.value,
        "ratio_95": [ratio.low, ratio.high],
        "pairs": len(agent_ns),
        "resident_bytes": resident,
    }
    if as_json:
        print(json.dumps(figures))
        return
    print(
        f"median latency   agent {median(agent_ns) / 1e3:.1f} us   bare loop {median(bare_ns) / 1e3:.1f} us"
    )
    print(f"ratio            {interval(ratio, 4)}   {len(agent_ns)} pairs (aim: 1.02)")
    for name, size in resident.items():
        print(f"resident         {size / 1e6:5.1f} MB   {name} (aim: 25 MB)")


if __name__ == "__main__":
    main()
