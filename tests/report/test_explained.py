"""The table of `edgeq explain`: the causes that there are, a legend of them, no layer without a word."""

import io

import pytest
from rich.console import Console

from edgeq.nouns.explanation import Explanation, LayerExplained
from edgeq.nouns.results import Explained
from edgeq.report.formats.explained import show_explained

FIXED = "U8S8 per channel"


def layer(name, **facts):
    known = {"low": -1.0, "high": 1.0, "error": 0.02, "own": 0.01, "clipping": 0.0, "rounding": 0.01}
    known |= {"weights": 0.01, "bias_shift": 0.0, "integer": True, "scheme": FIXED}
    return LayerExplained(layer=name, operator="Conv", work=0.5, **{**known, **facts})


def shown(*layers, candidate="onnxruntime-int8_static", width=None):
    explanation = Explanation("net", "rpi4", candidate, 16, None, 30.0, None, layers)
    terminal = width is not None
    page = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    show_explained(Explained((explanation,)), page)
    return page.file.getvalue()


def test_saturation_and_unfused_are_seen_where_they_occur():
    text = shown(layer("a", overflows=1200), layer("b", overflows=0, integer=False))
    assert "saturation" in text and "1,200" in text
    assert "saturation = pairs of weights" in text and "kernel = unfused computes" in text


def test_and_only_there():
    text = shown(layer("a", overflows=0), layer("b"))
    assert "saturation" not in text and "unfused" not in text
    assert "bias shift = " in text


def test_without_fixed_ranges_there_is_no_range_and_nothing_is_clipped():
    facts = {"low": None, "high": None, "clipping": None}
    text = shown(
        layer("a", scheme="int4 blocks of 32", **facts),
        layer("b", scheme="S8 per row, looked up", integer=False, **facts),
        candidate="onnxruntime-int4_blockwise",
    )
    assert "scheme" in text and "1 in int4 blocks of 32   1 in S8 per row, looked up" in text
    assert "range" not in text and "clipping" not in text and "unfused" not in text


def test_small_errors_have_the_digits_that_they_need():
    text = shown(layer("a", error=0.00042, own=0.00021))
    assert "0.042 %" in text and "0.021 %" in text


def test_layers_of_one_reason_share_a_line():
    floats = [
        layer(f"f{k}", scheme="float", integer=False, why_float="too thin", error=None) for k in range(6)
    ]
    text = shown(layer("a"), *floats)
    assert "#2 f0, #3 f1, #4 f2, #5 f3 and 2 more: too thin" in text


def test_a_quantized_layer_that_cannot_be_looked_at_is_named():
    hidden = {"error": None, "own": None, "rounding": None, "weights": None, "bias_shift": None}
    text = shown(layer("a"), layer("b", inside="loop", unmeasured="lies inside a Loop", **hidden))
    assert "#2 b (Conv) in loop" in text and "no errors #2 b: lies inside a Loop" in text


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_figure_is_cut_in_a_narrow_terminal(width):
    long = "ResNet/Sequential_layer1/Block_{}/Conv2d_conv1;1".format
    text = shown(*(layer(long(k), overflows=7, error=0.123) for k in range(3)), width=width)
    assert all(len(line) <= width for line in text.splitlines())
    assert text.count("12.3 %") == 3 and text.count("-1 to 1") == 3
