"""The table of operators against what the sets are used for."""

import onnx

from edgeq.graphs import op_sets


def test_every_operator_of_the_table_is_one_that_onnx_or_onnxruntime_has() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas()} | {"SimplifiedLayerNormalization"}
    assert set(op_sets._TABLE) - known <= {"RMSNormalization"}  # newer than some onnx


def test_every_trait_is_described_and_every_described_one_is_used() -> None:
    traits = {trait for found in op_sets._TABLE.values() for trait in found.split()}
    described = {
        word.strip(" ,") for line in op_sets.__doc__.splitlines()[2:] for word in line[:40].split()[:3]
    }
    assert traits <= described


def test_methods_take_operators_with_weights() -> None:
    for operators in (op_sets.STATIC, op_sets.DYNAMIC, op_sets.BLOCKWISE, op_sets.UNROLLED):
        assert set(operators) <= set(op_sets.HEAVY)
    assert set(op_sets.PAIR_DROPPED) <= set(op_sets.ON_INTEGERS)
