"""benchmarks/low_bit_weights.py on a few weights: each kind of levels has a figure, and free levels lose least."""

import numpy as np

from benchmarks.low_bit_weights import kinds, sqnr_db, table


def test_each_kind_has_a_figure_and_a_codebook_loses_least() -> None:
    weights = [np.random.default_rng(0).laplace(size=(4, 100)).astype(np.float32)]
    found = {kind: sqnr_db(weights, fit) for kind, fit in kinds().items()}
    for bits in (4, 3, 2):
        of_bits = {name: db for (b, name), db in found.items() if b == bits}
        assert max(of_bits, key=of_bits.__getitem__) == "codebook, one a channel"
        assert min(of_bits, key=of_bits.__getitem__) == "uniform, to the largest"
    assert found[1, "binary"] > 0


def test_the_table_has_a_line_for_each_row() -> None:
    rows = [{"bits": 1, "kind": "binary", "Gaussian": 4.4}]
    assert table(rows) == "| bits | kind | Gaussian |\n|---|---|---|\n| 1 | binary | 4.4 |"
