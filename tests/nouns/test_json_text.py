"""JSON from an untrusted source: what Python's own parser takes or breaks on is refused in one line."""

import json

import pytest

from edgeq.nouns.json_text import parse_json

REFUSED = {
    "not a number": b'{"seconds": NaN}',
    "infinite": b"[-Infinity]",
    "beyond a double": b'{"seconds": 1e400}',
    "beyond a double, written out": b"[" + b"9" * 2000 + b".5]",
    "beyond 64 bits": b'{"memory_total": 1000000000000000000000000000000}',
    "an integer of a million digits": b"1" * 1_000_000,
    "deep": b"[" * 100_000,
    "deep objects, each closed": b'{"a":' * 200 + b"1" + b"}" * 200,
    "no UTF-8": b'"\xff\xfe"',
    "UTF-16": "[]".encode("utf-16"),
    "empty": b"",
    "cut": b'{"a": [1, 2',
    "two values": b"{} {}",
    "many lists": b"[" + b"[]," * 500_000 + b"[]]",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_no_file_of_edgeqs_holds_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError) as refused:
        parse_json(text)
    assert len(str(refused.value)) < 200 and type(refused.value) is ValueError


def test_size_is_looked_at_first() -> None:
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        parse_json(b'"' + b"x" * 10 + b'"', largest=10)


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -1.5, None, True, "é😀", {}]},
        [2**64 - 1, -(2**63), 0.0, 1e-320, 1.7976931348623157e308],
        ["[" * 500, '"', "\\", '\\"[[', "\x00\x1b"],
    ],
)
def test_everything_that_edgeq_writes_comes_back(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


def test_brackets_inside_words_are_no_nesting() -> None:
    assert parse_json(json.dumps(['"[' * 300] * 200).encode()) == ['"[' * 300] * 200


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    value = parse_json(rb'{"host\udcff": ["\ud83d\ude00", "a\uD800b"]}')
    assert value == {"host\ufffd": ["😀", "a\ufffdb"]}
    json.dumps(value, ensure_ascii=False).encode()
