import pytest

from edgeq.model_name import model_name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("models/ResNet 56 (best).onnx", "ResNet-56-best"),
        ("nets/tiny.py:resnet20", "resnet20"),
        ("nets/tiny.py:build", "tiny"),
        ("my.nets:make", "nets"),
        ("my.nets:Res8", "Res8"),
        ("v1.2.onnx", "v1.2"),
        ("ümlaut.onnx", "mlaut"),
        ("日本.onnx", "model"),
    ],
)
def test_a_name_says_something_and_is_safe_in_a_path(source, name):
    assert model_name(source) == name
