from pathlib import Path

import pytest

from edgeq.errors import ModelRefused
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request

REAL = {
    "mlperf_tiny/ic_pretrainedResnet.tflite": (None, "input_1 1x32x32x3 float32"),
    "mlperf_tiny/ic_pretrainedResnet_quant.tflite": ("int8 TFLite", "input_1_int8 1x32x32x3 int8"),
    "mlperf_tiny/kws_ref_model.tflite": ("int8 TFLite", "input_1 1x49x10x1 int8"),
    "imagenet/mobilenet_v2_1.0_224_quant.tflite": ("uint8 TFLite", "input 1x224x224x3 uint8"),
}


@pytest.mark.data
@pytest.mark.parametrize("file", REAL)
def test_a_real_file_is_used_as_it_is(file, data_dir, tmp_path):
    words, first_input = REAL[file]
    model = open_model(Request(str(data_dir / file), workdir=tmp_path, formats=("tflite",)))
    assert model.quantized == words
    assert str(model.inputs[0]) == first_input
    assert Path(model.files["tflite"]).read_bytes() == (data_dir / file).read_bytes()


@pytest.mark.data
def test_integer_inputs_say_what_they_stand_for(data_dir, tmp_path):
    model = open_model(Request(str(data_dir / "mlperf_tiny/kws_ref_model.tflite"), workdir=tmp_path))
    assert "input input_1 is int8: real value = 0.584702909 * (q - 83)" in model.notes


@pytest.mark.data
def test_a_truncated_file_is_refused(data_dir, tmp_path):
    whole = (data_dir / "mlperf_tiny/kws_ref_model.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelRefused, match="does not take"):
        open_model(Request(str(tmp_path / "cut.tflite"), workdir=tmp_path / "work"))


def test_something_else_is_refused_by_its_identifier(tmp_path):
    (tmp_path / "m.tflite").write_bytes(b"not a flatbuffer at all")
    with pytest.raises(ModelRefused, match="TFL3 is missing"):
        open_model(Request(str(tmp_path / "m.tflite"), workdir=tmp_path))
