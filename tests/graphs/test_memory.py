"""Peak memory by liveness, against a count by hand and against all orders written out."""

from hypothesis import given
from hypothesis import strategies as st

from edgeq.graphs.memory import live_peak, predict_peak
from tests.quantize.networks import residual, saved


def test_a_chain_holds_two_tensors_at_a_time_and_its_ends_throughout():
    nodes = [(("x",), ("a",)), (("a",), ("b",)), (("b",), ("c",)), (("c",), ("y",))]
    sizes = {"x": 1, "a": 10, "b": 20, "c": 30, "y": 2}
    assert live_peak(nodes, sizes, ["x", "y"]) == 3 + 50


def test_a_shortcut_keeps_its_tensor_alive():
    nodes = [(("x",), ("a",)), (("a",), ("b",)), (("b",), ("c",)), (("c", "a"), ("y",))]
    sizes = {"x": 1, "a": 10, "b": 20, "c": 30, "y": 2}
    assert live_peak(nodes, sizes, ["x", "y"]) == 3 + 10 + 20 + 30


@given(st.lists(st.tuples(st.lists(st.integers(0, 12), max_size=3), st.integers(0, 100)), max_size=12))
def test_liveness_equals_the_definition_written_out(rows):
    """Node k reads some earlier tensors and writes tensor k."""
    nodes = [(tuple(f"t{r}" for r in reads if r < k), (f"t{k}",)) for k, (reads, _) in enumerate(rows)]
    sizes = {f"t{k}": size for k, (_, size) in enumerate(rows)}

    def alive(k):
        """Made by now, and made just now or still to be read."""
        wanted = {name for reads, _ in nodes[k:] for name in reads} | set(nodes[k][1])
        return sum(sizes[w] for _, (w,) in nodes[: k + 1] if w in wanted)

    assert live_peak(nodes, sizes, []) == max((alive(k) for k in range(len(nodes))), default=0)


def test_a_prediction_grows_with_weights_and_activations(tmp_path):
    small, large = (saved(residual(c), tmp_path, f"net{c}").files["onnx"] for c in (16, 64))
    from pathlib import Path

    assert 10_000_000 < predict_peak(Path(small), "onnx") < predict_peak(Path(large), "onnx") < 30_000_000
