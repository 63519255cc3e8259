"""The table of operators against what the sets are used for."""

import re

import onnx

from edgeq.graphs import op_sets


def test_every_operator_of_the_table_is_one_that_onnx_or_onnxruntime_has() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas()} | {"SimplifiedLayerNormalization"}
    assert set(op_sets._TABLE) - known <= {"RMSNormalization"}  # newer than some onnx


def test_every_trait_is_described_and_every_described_one_is_used() -> None:
    traits = {trait for found in op_sets._TABLE.values() for trait in found.split()}
    columns = re.findall(r"^([a-z_]+(?:, [a-z_]+)*)  ", op_sets.__doc__, re.M)
    assert traits == {name for column in columns for name in column.split(", ")}


def test_methods_take_operators_with_weights() -> None:
    for operators in (op_sets.STATIC, op_sets.DYNAMIC, op_sets.BLOCKWISE, op_sets.LOWERED):
        assert set(operators) <= set(op_sets.HEAVY)
    assert set(op_sets.PAIR_DROPPED) <= set(op_sets.ON_INTEGERS)
