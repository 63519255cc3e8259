"""A few layers in float that win much: both files stand in the plan, the bundle and what explain says, and are raced."""

from pathlib import Path

import numpy as np

from edgeq.deliver.race import entrants
from edgeq.nouns.delivery import WheelPlan
from edgeq.nouns.project import Gates
from edgeq.workflow.convert import convert
from edgeq.workflow.explain import explain
from tests.quantize.networks import images, saved
from tests.quantize.passes.mixed_precision.test_few_float_layers import depthwise

PLAIN, FEW, ALL = (f"onnxruntime-int8_static{more}" for more in ("", "-few-float", "-all-int8"))


def test_both_are_planned_carried_explained_and_raced(tmp_path: Path) -> None:
    model = saved(depthwise(), tmp_path)
    np.savez(tmp_path / "d.npz", x=images(96, seed=1, shape=(3, 12, 12))[:, None])
    done = convert(
        model.source, data=str(tmp_path / "d.npz"), target="x86-64-vnni", runtime="onnxruntime",
        gates=Gates(min_sqnr_db=5.0), output=tmp_path / "net.edgeq",
    )  # fmt: skip
    manifest = done.bundle.manifest
    assert done.plan is not None
    order = [PLAIN, FEW, ALL, "onnxruntime-float"]  # that target has four threads
    assert [c.id for c in manifest.candidates] == [c.id for c in done.plan.candidates] == order
    assert [f["candidate"] for f in done.to_dict()["fidelity"]] == order
    (few,) = (f for f in done.fidelity if f.candidate == FEW)
    assert few.passed
    added = [s for s in few.float_layers if "in float the outputs gain 6 dB or more" in s.reason]
    (planned,) = (c for c in done.plan.candidates if c.id == FEW)
    operators = f"{len(added)} operator{'' if len(added) == 1 else 's'}"
    assert planned.reason.startswith(f"int8_static with {operators} in float: ")
    explained = {e.candidate: e for e in explain(str(done.path)).explanations}
    assert set(explained) == {PLAIN, FEW, ALL}
    layers = explained[FEW].layers
    assert any(not layer.integer and "in float the outputs gain" in layer.why_float for layer in layers)
    raced = entrants(manifest, manifest.name, WheelPlan((), ()), 1)
    assert len({e.title for e in raced}) == len(raced) == 4
