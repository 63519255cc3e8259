"""Names of a table are cut where they are longer than there is room for, and no two are cut alike."""

from edgeq.report.formats.short_names import short_name, short_names

NET = "resnet_cifar.ResNet/torch.nn.modules.container.Sequential_layer{}/resnet_cifar.Block_{}"
CONV = f"{NET};;{NET}/torch.nn.modules.conv.Conv2d_conv1;1"


def test_short_names_stay_as_they_are():
    assert short_names(["conv1", "/model/encoder/0/Conv"]) == {
        "conv1": "conv1",
        "/model/encoder/0/Conv": "/model/encoder/0/Conv",
    }


def test_torch_modules_are_shown_as_torch_calls_them():
    name = CONV.format(1, 0, 1, 0)
    assert short_names([name])[name] == "layer1/0/conv1;1"
    folded = name.replace("conv1;1", "conv1;torch.nn.modules.batchnorm.BatchNorm2d_bn1;2")
    assert short_names([folded])[folded] == "layer1/0/conv1;bn1;2"


def test_of_a_path_its_end_is_kept():
    shown = short_names(["/model/encoder/0/reparam_conv/Conv", "/model/encoder/1/reparam_conv/Conv"], 28)
    assert list(shown.values()) == [".../0/reparam_conv/Conv", ".../1/reparam_conv/Conv"]


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
    assert short_name(f"EMBEDDING_LOOKUP: {converted}") == "EMBEDDING_LOOKUP: e;3"
    assert short_name("/layer1/conv/Conv") == "/layer1/conv/Conv"
