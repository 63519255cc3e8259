"""Nouns go through JSON unchanged, and a file that is not understood is refused, never half read."""

import json
from dataclasses import dataclass, field

import pytest

from edgeq.nouns.bundle import Artifact, Candidate, Manifest
from edgeq.nouns.job import Entrant, Job
from edgeq.nouns.record import Record, canonical_json
from edgeq.nouns.tensor import Preprocessing, TensorSpec


def test_a_noun_goes_through_json_unchanged() -> None:
    job = Job("1", "race", "net", (Entrant("a", "onnxruntime", "m.onnx", "d", ("x",), ("y",)),), "samples/1")
    assert Job.from_dict(json.loads(json.dumps(job.to_dict()))) == job


def test_open_dimensions_and_nested_nouns_survive() -> None:
    manifest = Manifest(
        schema=1,
        name="net",
        target="rpi4",
        source_sha256="0" * 64,
        data_sha256=None,
        inputs=(TensorSpec("x", "float32", (None, 3, 8, 8)),),
        outputs=(TensorSpec("y", "float32", ()),),
        preprocessing=Preprocessing(size=(8, 8), mean=(0.5,)),
        candidates=(Candidate("a", "onnxruntime", "float", "candidates/a/model.onnx", ("x",), ("y",)),),
        artifacts=(Artifact("candidates/a/model.onnx", 3, "1" * 64),),
    )
    again = Manifest.from_dict(json.loads(canonical_json(manifest.to_dict())))
    assert again == manifest
    assert again.digest == manifest.digest


@dataclass(frozen=True)
class _Sample(Record):
    number: int
    share: float = 0.5
    words: tuple[str, ...] = ()
    table: dict[str, int] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "'number' is missing"),
        ({"number": 1, "other": 2}, "unknown key 'other'"),
        ({"number": "1"}, "number: expected int, got '1'"),
        ({"number": True}, "number: expected int, got True"),
        ({"number": 1, "words": "ab"}, "words: expected a list"),
        ({"number": 1, "words": ["a", 2]}, r"words\[1\]: expected str"),
        ({"number": 1, "table": {"a": "b"}}, r"table.a: expected int"),
        ([], "expected an object, got list"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(raw: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _Sample.from_dict(raw)


def test_an_integer_will_do_for_a_float() -> None:
    assert _Sample.from_dict({"number": 1, "share": 2}).share == 2.0
