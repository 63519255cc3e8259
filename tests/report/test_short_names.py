"""Names of a table are cut where they are longer than there is room for, and no two are cut alike."""

from edgeq.report.formats.short_names import short_name, short_names

NET = "resnet_cifar.ResNet/torch.nn.modules.container.Sequential_layer{}/resnet_cifar.Block_{}"
CONV = f"{NET};;{NET}/torch.nn.modules.conv.Conv2d_conv1;1"


def test_a_layer_is_shown_by_its_own_name():
    assert short_names(["conv1", "/model/encoder/0/Conv", "", "model.head.fc"]) == {
        "conv1": "conv1",
        "/model/encoder/0/Conv": "encoder/0",
        "": "(unnamed)",
        "model.head.fc": "fc",
    }


def test_names_that_keras_and_litert_fuse_are_shown_by_the_layer_that_is_theirs():
    names = [
        "model/conv2d/Conv2D",
        "model/conv2d_1/Conv2D;model/conv2d/Conv2D",
        "model/conv2d_2/Conv2D;model/conv2d/Conv2D1",
    ]
    assert list(short_names(names).values()) == ["conv2d", "conv2d_1", "conv2d_2"]
    assert short_name(f"CONV_2D: {names[2]}") == "CONV_2D: conv2d_2"


def test_layers_of_one_name_in_several_blocks_keep_their_block():
    names = ["/conv1/Conv", *(f"/layer{k}/layer{k}.0/conv1/Conv" for k in (1, 2)), "/linear/Gemm"]
    assert list(short_names(names).values()) == ["conv1", "layer1.0/conv1", "layer2.0/conv1", "linear"]
    dotted = ["layer1.0.conv1", "layer1.1.conv1", "layer1.1.conv2", "features.0", "fc"]
    assert list(short_names(dotted).values()) == [
        "layer1.0.conv1",
        "layer1.1.conv1",
        "conv2",
        "features.0",
        "fc",
    ]


def test_operators_of_one_path_are_told_apart_by_their_number():
    assert list(short_names(["a/Conv", "a/Conv_1"]).values()) == ["a/Conv", "a/Conv_1"]


def test_torch_modules_are_shown_as_torch_calls_them():
    names = [CONV.format(1, 0, 1, 0), CONV.format(1, 1, 1, 1), CONV.format(2, 0, 2, 0)]
    assert list(short_names(names).values()) == ["layer1/0/conv1", "layer1/1/conv1", "layer2/0/conv1"]
    folded = names[0].replace("conv1;1", "conv1;torch.nn.modules.batchnorm.BatchNorm2d_bn1;2")
    assert short_names([folded])[folded] == "conv1"


def test_of_a_path_its_end_is_kept():
    shown = short_names(["/model/encoder/0/reparam_conv/Conv", "/model/encoder/1/reparam_conv/Conv"], 18)
    assert list(shown.values()) == [".../0/reparam_conv", ".../1/reparam_conv"]


def test_what_tells_names_apart_is_kept():
    names = [f"{'functional/' * 6}conv2d_{k}/{'folded/' * 8}output" for k in range(20)]
    shown = short_names(names)
    assert len(set(shown.values())) == 20
    assert all(f"conv2d_{k}..." in shown[name] and len(shown[name]) <= 66 for k, name in enumerate(names))


def test_names_that_differ_in_too_many_places_are_numbered():
    names = [f"{'a' * 40}{x}{'b' * 60}{y}{'c' * 40}" for x in "01" for y in "01"]
    assert len(set(short_names(names).values())) == 4


def test_one_name_stands_behind_the_kind_of_its_operator():
    converted = "net.Net;;net.Net/torch.nn.modules.sparse.Embedding_e;3"
    assert short_name(f"EMBEDDING_LOOKUP: {converted}") == "EMBEDDING_LOOKUP: e"
    assert short_name("/layer1/conv/Conv") == "/layer1/conv/Conv"
