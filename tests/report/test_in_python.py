"""Results in a Python program: one line as repr, tables as text, and a page of HTML in a notebook that runs nothing."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.parser import parse_model

import edgeq
from edgeq.demo import demo_files
from edgeq.nouns.delivery import Removal
from edgeq.nouns.diagnosis import NOTE, PROBLEM, Diagnosis, Finding
from edgeq.nouns.release import App, Rollback

SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"{SCRIPT}\x1b]52;c;AAAA\x07\u202e&amp;"


class Elements(HTMLParser):
    """Every element of a page; the parser itself fails on none, so that they balance is checked here."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(result: object) -> Elements:
    found = Elements(result._repr_html_())  # type: ignore[attr-defined]
    assert not found.open
    assert found.seen <= {"div", "table", "thead", "tbody", "tr", "th", "td", "b", "span", "pre"}
    assert found.attributes <= {"style"}
    return found


def has_no_orders(text: str) -> None:
    assert all(c.isprintable() or c == "\n" for c in text)


@pytest.fixture(scope="module")
def explained() -> "edgeq.workflow.explain.Explained":  # type: ignore[name-defined]
    rng = np.random.default_rng(0)
    model = parse_model(
        """<ir_version: 8, opset_import: ["": 17]>
        net (float[1, 3, 8, 8] x) => (float[1, 4] y) {
            c = Conv<pads=[1, 1, 1, 1]>(x, w)
            r = Relu(c)
            m = GlobalAveragePool(r)
            f = Flatten(m)
            y = Gemm(f, g)
        }"""
    )
    stored = {"w": rng.normal(size=(16, 3, 3, 3)), "g": rng.normal(size=(16, 4))}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in stored.items()
    )
    model.graph.node[0].name = "<script>alert(1)"
    data = rng.random((40, 3, 8, 8), np.float32)
    return edgeq.explain(
        model, data=data, target="x86-64-vnni", runtime="onnxruntime", recipe="int8_static", min_agreement=0
    )


def test_a_layer_name_is_text(explained: object) -> None:
    assert repr(explained).startswith("<Explained onnxruntime-int8_static (2 layers)")
    found = page(explained)
    assert "script" not in found.seen
    assert "<script>alert(1)" in found.text and "error" in found.text
    assert "<script>alert(1)" in str(explained)


def test_a_conversion(own_home: Path) -> None:
    model, data = demo_files()
    arrays = dict(np.load(data))
    made = edgeq.convert(
        model, data=arrays, target="x86-64-vnni", runtime="onnxruntime", recipe="int8_static"
    )
    candidates = "onnxruntime-int8_static, onnxruntime-int8_static-all-int8, onnxruntime-float"
    assert repr(made) == f"<Conversion digits_cnn = {made.bundle.digest[:7]} for x86-64-vnni: {candidates}>"
    for shown in (str(made), page(made).text):
        assert "onnxruntime int8_static" in shown and "image: array 800x1x8x8 uint8" in shown
        assert str(made.path) in shown
        has_no_orders(shown)
    assert len(str(made).splitlines()) < 12


APP = App(
    name=HOSTILE, path="/p", live="0" * 64, candidate="c", since_utc=None, previous="1" * 64, releases=()
)


@pytest.mark.parametrize(
    "result",
    [
        APP,
        Rollback(**vars(APP), before="1" * 64),
        Rollback(**vars(APP), before="1" * 64, dry_run=True),
        Removal((HOSTILE,), 5, dry_run=False),
        Diagnosis((Finding(HOSTILE, PROBLEM, HOSTILE, HOSTILE), Finding("here", NOTE, "n"))),
    ],
    ids=lambda result: type(result).__name__,
)
def test_words_of_a_device_are_text(result: object) -> None:
    found = page(result)
    assert SCRIPT in found.text
    for shown in (repr(result), str(result), found.text):
        has_no_orders(shown)
    assert repr(result).startswith(f"<{type(result).__name__} ")
    assert "\n" not in repr(result)


def test_an_app_in_one_line() -> None:
    assert repr(replace(APP, name="digits")) == "<App digits = 0000000, c>"
    assert repr(replace(APP, name="digits", live=None)) == "<App digits = nothing>"


def test_what_this_machine_is(tmp_path: Path) -> None:
    status = edgeq.status(root=tmp_path / "root", store=tmp_path / "s.db")
    assert repr(status).startswith("<DeviceReport ") and "nothing live" in repr(status)
    assert "not installed on this device" in page(status).text
    found = edgeq.doctor()
    assert "onnxruntime" in str(found) and "onnxruntime" in page(found).text
