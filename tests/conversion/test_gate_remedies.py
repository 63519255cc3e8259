"""A remedy names only what can change the candidates that were refused."""

import pytest

from edgeq.conversion.gate_remedies import gate_remedies
from edgeq.nouns.fidelity import Accuracy, Agreement, Fidelity
from edgeq.nouns.passes import OFF, PassResult

TOP1 = Accuracy("top-1", 100, 90.0, 80.0, -10.0, -15.0, -5.0)


@pytest.mark.parametrize(
    ("known", "named", "not_named"),
    [
        (
            {"calibrator": "minmax", "accuracy": TOP1},
            ("--calibrator percentile", "more samples"),
            ("--metric",),
        ),
        ({"agreement": Agreement(100, 80.0, None)}, (), ("--calibrator", "--metric", "more samples")),
        ({"closed_loop": 160}, ("--states, where outputs",), ()),
        ({"agreement": Agreement(100, 80.0, None)}, (), ("--states",)),
        ({}, ("--metric file.py:function",), ("--calibrator",)),
        (
            {
                "repairs": (
                    PassResult("mixed", False, OFF),
                    PassResult("fit", False, OFF),
                    PassResult("head", False, "no gain"),
                )
            },
            ("--passes head,fit,mixed,",),
            ("--passes with",),
        ),
    ],
)
def test_what_fits_the_recipe_and_what_was_asked_for(known, named, not_named):
    words = gate_remedies([Fidelity("onnxruntime-int8", 100, (), passed=False, **known)])
    assert all(each in words for each in (*named, "a wider gate", "or --recipe float"))
    assert not any(each in words for each in not_named)
