"""Fitting the layers of a QDQ file: closer to float at 8 bits, and still usable at 4 and 2."""

import numpy as np
import onnx
import pytest

from edgeq.graphs.float_graph import read
from edgeq.graphs.memory import tensor_bytes
from edgeq.graphs.ort_session import ort_session
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.evaluate.partial_run import OnnxRun
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.passes.fit import fit_onnx
from edgeq.quantize.passes.fit.fit_layers import fit_layers, held_bytes, save_with_weights
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.samples import Subset
from tests.quantize.networks import Rows, images, residual, saved

CALIBRATION = Rows(images(48))
FRESH = images(64, seed=1)


@pytest.fixture(params=["U8S8", "S8S8", "7 bits", "per tensor"])
def scheme(request):
    return {
        "U8S8": Scheme("uint8", "int8", True),
        "S8S8": Scheme("int8", "int8", True),
        "7 bits": Scheme("uint8", "int8", True, reduce_range=True),
        "per tensor": Scheme("uint8", "int8", False),
    }[request.param]


def quantized(folder, scheme, in_float=frozenset()):
    """(float graph, QDQ file)."""
    model = read(folder / "net.onnx") if (folder / "net.onnx").exists() else None
    if model is None:
        saved(residual(), folder)
        model = read(folder / "net.onnx")
    ranges = ranges_of(calibrate_onnx(model, CALIBRATION, False), "minmax")
    qdq.emit(model, folder / "int8.onnx", scheme, ranges, in_float)
    return model, folder / "int8.onnx"


def fitted(model, path, bits=8):
    return fit_layers(QdqFile.read(path, model), Subset(CALIBRATION, tuple(range(48))), bits=bits)


def closeness(model, path):
    def outputs(content):
        session = ort_session(content, threads=1)
        return np.concatenate([session.run(None, {"x": x[None]})[0] for x in FRESH])

    return sqnr_db(outputs(model.SerializeToString()), outputs(path.read_bytes()))


def test_no_scheme_loses_on_held_out_samples_and_seven_bits_gain(scheme, tmp_path):
    model, path = quantized(tmp_path, scheme)
    before = closeness(model, path)
    limit = 64 if scheme.reduce_range else 127
    found = fitted(model, path)
    assert len(found) == 6  # five convolutions and the classifier
    assert max(np.abs(w.integers.astype(int)).max() for w in found.values()) <= limit
    save_with_weights(QdqFile.read(path, model), found, path)
    assert closeness(model, path) > before + (0.5 if scheme.reduce_range else -0.1)


@pytest.mark.parametrize(("bits", "least_db"), [(4, 17), (2, 5)])
def test_few_levels(bits, least_db, tmp_path):
    """The nearest of 16 levels leave less than 14 dB, of 4 nothing."""
    model, path = quantized(tmp_path, Scheme("uint8", "int8", True))
    found = fitted(model, path, bits=bits)
    for weights in found.values():
        rows = weights.integers.reshape(len(weights.scale), -1)
        assert all(len(np.unique(row)) <= 2**bits for row in rows)
    save_with_weights(QdqFile.read(path, model), found, path)
    assert closeness(model, path) > least_db


def test_for_a_short_code_long_rows_have_few_levels_on_average_and_short_ones_eight_bits(tmp_path):
    model, path = quantized(tmp_path, Scheme("uint8", "int8", True))
    samples = Subset(CALIBRATION, tuple(range(48)))
    found = fit_layers(QdqFile.read(path, model), samples, bits=4, short_code=True)
    most = {name: len(np.unique(weights.integers)) for name, weights in found.items()}
    long = {name for name, weights in found.items() if weights.integers[0].size >= 32}
    assert long and long != set(most)
    assert all(count > 64 for name, count in most.items() if name not in long)
    sizes = {name: found[name].integers.size for name in long}
    bits = sum(np.log2(most[name]) * sizes[name] for name in long) / sum(sizes.values())
    assert 3 < bits <= 4.1
    save_with_weights(QdqFile.read(path, model), found, path)
    assert closeness(model, path) > 15


def test_a_bias_corrects_the_mean_error(tmp_path):
    model, path = quantized(tmp_path, Scheme("uint8", "int8", True))
    save_with_weights(QdqFile.read(path, model), fitted(model, path), path)
    before, after = (
        OnnxRun(m, Subset(CALIBRATION, tuple(range(48))), 1).to("two.b") for m in (model, onnx.load(path))
    )
    error = np.concatenate(after) - np.concatenate(before)
    assert np.abs(error.mean(axis=(0, 2, 3))).max() < 0.1 * error.std()


def test_what_stays_in_float_stays(tmp_path):
    model, path = quantized(tmp_path, Scheme("uint8", "int8", True))
    found = fitted(model, path)
    model, path = quantized(tmp_path, Scheme("uint8", "int8", True), frozenset({"stem"}))
    save_with_weights(QdqFile.read(path, model), found, path)
    weights = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}
    assert weights["stem.w"].dtype == np.float32
    assert np.array_equal(weights["one.a.w_quantized"], found["one.a"].integers)


@pytest.mark.arithmetic
def test_skipped_with_too_few_samples_and_reported_where_it_helps(tmp_path):
    model, path = quantized(tmp_path, Scheme("uint8", "int8", True))
    source, content = tmp_path / "net.onnx", path.read_bytes()

    def silent(stage, share):
        pass

    assert fit_onnx(model, source, path, Rows(images(4)), 1, silent).weights == {}
    kept = fit_onnx(model, source, path, CALIBRATION, 1, silent)
    assert path.read_bytes() == content and sorted(p.name for p in tmp_path.iterdir()) == [
        "int8.onnx",
        "net.onnx",
    ]
    assert kept.weights and kept.gain_db > 0.5


def test_samples_come_in_as_the_layers_ask_for_them(tmp_path):
    model, path = quantized(tmp_path, Scheme("uint8", "int8", True))
    file, samples = QdqFile.read(path, model), _Counted(CALIBRATION.rows)
    found = fit_layers(file, samples, counts=[8, 8, 8, 8, 20, 20])
    assert samples.read == set(range(20)) and len(found) == 6


def test_what_a_sample_holds_at_each_layer_is_what_is_still_to_be_read(tmp_path):
    model, path = quantized(tmp_path, Scheme("uint8", "int8", True))
    picture = 4 * 16 * 16 * 16
    sizes = tensor_bytes(model, [((1, 3, 16, 16),)])
    held = held_bytes(QdqFile.read(path, model), CALIBRATION, sizes)
    # The image; the stem's output, which the shortcut reads as well, alone and beside the block's; and the pooled features.
    assert held == [4 * 3 * 16 * 16, picture, 2 * picture, picture, 2 * picture, 4 * 16]


class _Counted(Rows):
    """That tells which samples were read."""

    def __init__(self, rows):
        super().__init__(rows)
        self.read = set()

    def __getitem__(self, i):
        self.read.add(i)
        return super().__getitem__(i)
