"""The table of pipelines and the words of --passes agree."""

from pathlib import Path

import pytest

from edgeq.nouns.passes import PASSES
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.pipelines import LAST, PIPELINES, passes_of, table
from edgeq.quantize.quantization import ALWAYS, Quantization


def names():
    return {each.NAME for row in PIPELINES.values() for each in (*row.passes, LAST)}


def test_each_pass_has_a_word_with_a_description_or_always_runs():
    unlisted = names() - {ALWAYS} - PASSES.keys()
    assert not unlisted, f"add {unlisted} to edgeq/nouns/passes.py: results of other words are not listed"


def test_each_word_is_that_of_a_pass():
    assert PASSES.keys() <= names()


def test_the_table_prints_module_and_word():
    (line,) = [line for line in table().splitlines() if line.split()[:2] == ["static", "onnx"]]
    assert "equalize > fuse > small_convs (thin) > joins > ranges (always) > fit" in line


@pytest.mark.parametrize(("bits", "fitted"), [(4, True), (8, False)])
def test_block_wise_weights_are_fitted_only_with_4_bits(bits, fitted):
    candidate = CandidatePlan("c", "onnxruntime", "r", "onnx", "a test")
    found = passes_of(Quantization(candidate, "blockwise", bits, Path("net.onnx")))
    assert ("fit" in {each.NAME for each in found}) == fitted
