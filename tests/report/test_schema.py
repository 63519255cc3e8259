"""The schemas in docs/ are today's, and what the commands really print is valid under them."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edgeq.bundle import assemble, read_bundle, sidecar_files, write_bundle
from edgeq.errors import NoSpace
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.fidelity import Fidelity, OutputError
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Plan, Scheme
from edgeq.nouns.report import Estimate, LiveFigures
from edgeq.nouns.results import Benched, Conversion, Deployment, DeviceReport, Reported
from edgeq.nouns.tensor import TensorSpec
from edgeq.report.choose import choose
from edgeq.report.compare import compare_measurements
from edgeq.report.race import compare_runs
from edgeq.report.schema import schema_of

from .conftest import FACTS, MakeRace

DOCS = Path(__file__).parents[2] / "docs"
FLOAT, INT8 = "onnxruntime-float", "onnxruntime-int8_static"


def made_files() -> dict[str, str]:
    spec = spec_from_file_location("make_schemas", DOCS / "make_schemas.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    files: dict[str, str] = module.files()
    return files


@pytest.mark.parametrize("name", ["measurement.schema.json", "documents.schema.json"])
def test_the_schemas_in_docs_are_current(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == made_files()[name], "run: python docs/make_schemas.py"


def validate(document: Any, command: str) -> None:
    schema = json.loads((DOCS / "documents.schema.json").read_text(encoding="utf-8"))
    only = {"$ref": f"#/$defs/{command}", "$defs": schema["$defs"]}
    jsonschema.Draft202012Validator(only).validate(json.loads(json.dumps(document)))


def conversion(folder: Path) -> Conversion:
    specs = (TensorSpec("x", "float32", (None, 8)),), (TensorSpec("y", "float32", (None, 2)),)
    (folder / "m.onnx").write_bytes(b"graph")
    built = [(Candidate(FLOAT, "onnxruntime", "float", "", ("x",), ("y",)), folder / "m.onnx")]
    manifest, artifacts = assemble(
        name="m", target="rpi4", source_sha256="0" * 64, data_sha256=None, inputs=specs[0], outputs=specs[1],
        preprocessing=None, threads=1, built=built,
    )  # fmt: skip
    fidelity = Fidelity(FLOAT, 10, (OutputError("y", None, 0.0),))
    write_bundle(folder / "m.edgeq", manifest, artifacts, sidecar_files([fidelity], {}, None))
    plan = Plan(
        "rpi4", (CandidatePlan(FLOAT, "onnxruntime", "float", "onnx", "why", Scheme("int8", "int8", True)),)
    )
    model = Model("m", "m.onnx", "onnx", "0" * 64, *specs, 5, {"onnx": "m.onnx"})
    return Conversion(
        folder / "m.edgeq", read_bundle(folder / "m.edgeq"), model, plan, (fidelity,), 0.1, False
    )


def test_what_the_commands_print_is_valid(make_race: MakeRace, tmp_path: Path) -> None:
    race = make_race({FLOAT: 10.0, INT8: 5.0})
    report = compare_runs(race)
    choice = choose(report, (INT8, FLOAT), {}, {FLOAT}, False, True)
    made = conversion(tmp_path)
    validate(made.to_dict(), "convert")
    validate(
        Deployment(made, FACTS, None, True, race=report, choice=choice, measurement=race).to_dict(), "deploy"
    )
    validate(Benched((race,), (report,)).to_dict(), "bench")
    comparison = compare_measurements(race, make_race({FLOAT: 9.0}, id="job2"))
    validate(Reported(races=(report,), measurements=(race,), comparisons=(comparison,)).to_dict(), "report")
    known = LiveFigures("m", "job1", p50_ms=Estimate(1.0, 0.9, 1.1), speedup=Estimate(2.0), verdict="faster")
    validate(DeviceReport(FACTS, None).to_dict(), "status")
    validate(DeviceReport(FACTS, None, (known, LiveFigures("n", absent="none"))).to_dict(), "status")
    validate({"error": NoSpace("full", "free space").to_dict()}, "error")


def test_a_measurement_is_valid_and_a_changed_one_is_not(make_race: MakeRace) -> None:
    schema = json.loads((DOCS / "measurement.schema.json").read_text(encoding="utf-8"))
    document = json.loads(json.dumps(make_race({FLOAT: 10.0}).to_dict()))
    jsonschema.Draft202012Validator(schema).validate(document)
    document["runs"][0]["blocks"][0]["latency_ns"][0] = 1.5
    with pytest.raises(jsonschema.ValidationError, match=r"1\.5 is not of type 'integer'"):
        jsonschema.Draft202012Validator(schema).validate(document)


def test_types_that_no_noun_may_have() -> None:
    with pytest.raises(TypeError, match="no JSON Schema for <class 'bytes'>"):
        schema_of(bytes, {})
