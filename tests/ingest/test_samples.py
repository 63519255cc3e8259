import numpy as np
import pytest
from PIL import Image

from edgeq.errors import DataRefused
from edgeq.ingest.npz import one_array_each
from edgeq.ingest.preprocess import parse
from edgeq.ingest.samples import open_samples, peek
from edgeq.nouns.tensor import Affine, TensorSpec

IMAGE = (TensorSpec("input", "float32", (1, 3, 4, 4)),)
SPEECH = (
    TensorSpec("input", "float32", (1, 6)),
    TensorSpec("state", "float32", (2, 1, 3)),
    TensorSpec("sr", "int64", ()),
)


def npz(tmp_path, **arrays):
    np.savez(tmp_path / "d.npz", **arrays)
    return str(tmp_path / "d.npz")


def images(tmp_path, *names, size=(4, 4)):
    for value, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (value, 10, 20)).save(tmp_path / name)
    return str(tmp_path)


def code(tmp_path, body):
    (tmp_path / "data.py").write_text("import numpy as np\n" + body)
    return f"{tmp_path}/data.py:samples"


def test_floats_for_an_input_of_a_quantized_model_are_quantized(tmp_path):
    quantized = (TensorSpec("input", "int8", (1, 2), Affine(0.5, -128)),)
    samples = open_samples(npz(tmp_path, x=np.array([[0.0, 100.0], [0.26, -9.0]])), inputs=quantized)
    assert samples[0][0].tolist() == [[-128, 72]]
    assert samples[1][0].tolist() == [[-127, -128]]
    assert samples.notes == ("the samples are floats: quantized for input, stored = round(real / 0.5) - 128",)
    stored = open_samples(npz(tmp_path, x=np.array([[3, -4]], np.int8)), inputs=quantized)
    assert (stored[0][0].tolist(), stored.notes) == ([[3, -4]], ())
    pixels = open_samples(npz(tmp_path, x=np.array([[0, 100]], np.uint8)), inputs=quantized)
    assert pixels[0][0].tolist() == [[-128, 72]]
    with pytest.raises(
        DataRefused, match="sample 0: .* holds NaN or infinite values, for which input has no"
    ):
        open_samples(npz(tmp_path, x=np.array([[0.0, np.nan]])), inputs=quantized)
    with pytest.raises(DataRefused, match="goes from 3 to 200, which does not fit into the int8") as refused:
        open_samples(npz(tmp_path, x=np.array([[3, 200]])), inputs=quantized)
    assert refused.value.remedy == (
        "store quantized integers, stored = round(real / 0.5) - 128; or the float values as float32"
    )


class TestNpz:
    def test_a_sample_gets_the_batch_axis_and_the_type_of_the_input(self, tmp_path):
        x = np.arange(5 * 48, dtype=np.uint8).reshape(5, 3, 4, 4)
        samples = open_samples(npz(tmp_path, x=x, labels=np.arange(5, dtype=np.uint8)), inputs=IMAGE)
        assert samples.count == 5
        assert samples[2][0].shape == (1, 3, 4, 4)
        assert samples[2][0].dtype == np.float32
        assert (samples[2][0][0] == x[2]).all()
        assert samples.labels.dtype == np.int64

    def test_inputs_come_in_the_models_order_and_constants_repeat(self, tmp_path):
        spec = npz(tmp_path, sr=np.array(16000), state=np.zeros((2, 1, 3)), input=np.ones((9, 6), np.float32))
        samples = open_samples(spec, inputs=SPEECH)
        assert samples.count == 9
        assert [a.shape for a in samples[8]] == [(1, 6), (2, 1, 3), ()]
        assert samples[8][2] == 16000

    @pytest.mark.parametrize("count", [9, 1])
    @pytest.mark.parametrize("labelled", [True, False])
    @pytest.mark.parametrize("batch", [1, None])
    @pytest.mark.parametrize("state", [(1, 8), (1, 1, 8), (2, 1, 8)])
    def test_first_states_stored_once(self, state, batch, labelled, count, tmp_path):
        inputs = (
            TensorSpec("x", "float32", (batch, 6)),
            TensorSpec("h0", "float32", (batch if len(state) == 2 else state[0], *state[1:])),
            TensorSpec("c0", "float32", state),
        )
        states = {name: np.ones(state, np.float32) for name in ("h0", "c0")}
        labels = {"labels": np.arange(count)} if labelled else {}
        spec = npz(tmp_path, x=np.ones((count, 1, 6), np.float32), **states, **labels)
        samples = open_samples(spec, inputs=inputs)
        assert samples.count == count
        assert [a.shape for a in samples[count - 1]] == [(1, 6), state, state]
        if count > 1:
            assert [a.shape for a in peek(spec, None)] == [(1, 6), state, state]

    def test_a_state_per_sample(self, tmp_path):
        spec = npz(tmp_path, input=np.ones((9, 6)), state=np.zeros((9, 2, 1, 3)), sr=np.full(9, 8000))
        assert [a.shape for a in open_samples(spec, inputs=SPEECH)[3]] == [(1, 6), (2, 1, 3), ()]

    def test_one_sample_without_an_axis_of_samples(self, tmp_path):
        samples = open_samples(npz(tmp_path, input=np.zeros((3, 4, 4), np.float32)), inputs=IMAGE)
        assert samples.count == 1

    @pytest.mark.parametrize(
        ("arrays", "words", "remedy"),
        [
            ({"input": np.zeros((5, 4, 4, 3), np.float32)}, "has the shape 4x4x3, the input input expects 1x3x4x4", "NHWC"),
            ({"input": np.zeros((5, 3, 8, 8), np.float32)}, "has the shape 3x8x8", "size=4x4"),
            ({"a": np.zeros((5, 3)), "b": np.zeros((5, 3))}, "has no array for the model's input input; it has: a, b", "input 1x3x4x4"),
            ({"input": np.zeros((5, 3, 4, 4)), "labels": np.zeros(4)}, "different numbers of samples: input 5, labels 4", "first axis"),
            ({"input": np.zeros((0, 3, 4, 4))}, "holds no samples", None),
            ({"input": np.zeros((5, 3, 4, 4), complex)}, "is complex128, the input input is float32", "store it as"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_refused_with_what_would(self, arrays, words, remedy, tmp_path):
        with pytest.raises(DataRefused) as refused:
            open_samples(npz(tmp_path, **arrays), inputs=IMAGE)
        assert words in refused.value.what
        assert remedy is None or remedy in refused.value.remedy

    def test_floats_for_indices_are_refused(self, tmp_path):
        spec = npz(tmp_path, input=np.ones((9, 6)), state=np.zeros((2, 1, 3)), sr=np.array(16000.0))
        with pytest.raises(DataRefused, match="'sr' is float64, the input sr is int64"):
            open_samples(spec, inputs=SPEECH)

    def test_pickled_and_broken_files_are_refused(self, tmp_path):
        with pytest.raises(DataRefused, match="pickled"):
            open_samples(npz(tmp_path, x=np.array([{}], dtype=object)), inputs=IMAGE)
        for broken in ((tmp_path / "d.npz").read_bytes()[:40], b"hello"):
            (tmp_path / "cut.npz").write_bytes(broken)
            with pytest.raises(DataRefused, match="cannot be read as .npz: it is not a zip archive"):
                open_samples(str(tmp_path / "cut.npz"), inputs=IMAGE)
        with pytest.raises(DataRefused, match="there is no"):
            open_samples(str(tmp_path / "none.npz"), inputs=IMAGE)

    def test_the_digest_is_of_contents_and_preprocessing(self, tmp_path):
        pixels = np.zeros((2, 4, 4, 3), np.uint8)

        def digest(x, contract):  # fmt: skip
            return open_samples(npz(tmp_path, x=x), inputs=IMAGE, preprocessing=parse(contract)).sha256

        assert digest(pixels, "none") == digest(pixels, "none")
        assert digest(pixels, "none") != digest(pixels, "unit")
        assert digest(pixels, "none") != digest(pixels + 1, "none")

    def test_labels_of_a_detector_are_kept_for_a_metric(self, tmp_path):
        boxes = np.zeros((5, 7, 4), np.float32)
        samples = open_samples(npz(tmp_path, x=np.zeros((5, 3, 4, 4)), labels=boxes), inputs=IMAGE)
        assert samples.labels is None
        assert samples.truth.shape == (5, 7, 4)

    @pytest.mark.parametrize(
        ("labels", "read"),
        [([0.0, 3.0], [0, 3]), ([True, False], [1, 0]), ([0.5, 3.0], None), ([np.nan, 1.0], None)],
    )
    def test_whole_numbers_are_classes_whatever_their_type(self, labels, read, tmp_path):
        samples = open_samples(npz(tmp_path, x=np.zeros((2, 3, 4, 4)), labels=np.array(labels)), inputs=IMAGE)
        assert (None if samples.labels is None else samples.labels.tolist()) == read

    def test_an_array_that_goes_unused_is_named(self, tmp_path):
        samples = open_samples(npz(tmp_path, x=np.zeros((5, 3, 4, 4)), z=np.ones(5)), inputs=IMAGE)
        assert samples.labels is None
        assert samples.notes == ("array z is neither a model input nor named labels: not used",)

    def test_what_looks_like_labels_is_named_where_the_arrays_do_not_fit(self, tmp_path):
        spec = npz(tmp_path, pixels=np.zeros((5, 3, 4, 4)), targets=np.arange(5))
        with pytest.raises(DataRefused) as refused:
            open_samples(spec, inputs=IMAGE)
        assert refused.value.details == (
            "targets looks like labels (5 integers from 0 to 4): name it labels",
        )


class TestFolder:
    def test_class_folders_are_labels_in_the_order_of_their_names(self, tmp_path):
        spec = images(tmp_path, "cat/1.png", "ant/2.png", "bee/3.bmp", "ant/0.png")
        samples = open_samples(spec, inputs=IMAGE, preprocessing=parse("none"))
        assert samples.labels.tolist() == [0, 0, 1, 2]
        assert samples[0][0][0, :, 0, 0].tolist() == [3, 10, 20]
        assert samples.notes == ("class folders, numbered in the order of their names: 0 ant, 1 bee, 2 cat",)

    def test_class_folders_that_are_numbers_are_the_classes_own(self, tmp_path):
        spec = images(tmp_path, "0003/1.png", "0010/2.png", "0281/3.png")
        samples = open_samples(spec, inputs=IMAGE, preprocessing=parse("none"))
        assert samples.labels.tolist() == [3, 10, 281]
        assert samples.notes == ("class folders, named by class number: 3 0003, 10 0010, 281 0281",)

    def test_class_folders_with_numbers_in_their_names_are_in_the_order_that_people_use(self, tmp_path):
        spec = images(tmp_path, *(f"c{k}/a.png" for k in (10, 2, 1, 30, 3)))
        folders = open_samples(spec, inputs=IMAGE, preprocessing=parse("none")).stored.folders
        assert folders.names == ("c1", "c2", "c3", "c10", "c30")
        assert str(folders) == "0 c1, 1 c2, 2 c3, 3 c10 and 1 more"

    def test_a_labels_file_by_name(self, tmp_path):
        spec = images(tmp_path, "b.png", "a.png")
        (tmp_path / "labels.csv").write_text("file,label\na.png,7\nb.png,3\n")
        assert open_samples(spec, inputs=IMAGE, preprocessing=parse("none")).labels.tolist() == [7, 3]
        (tmp_path / "labels.csv").write_text("a.png,seven\nc.png,3\n")
        with pytest.raises(DataRefused) as refused:
            open_samples(spec, inputs=IMAGE, preprocessing=parse("none"))
        assert len(refused.value.details) == 4

    def test_images_need_their_preprocessing_said(self, tmp_path):
        with pytest.raises(DataRefused, match="no preprocessing is given") as refused:
            open_samples(images(tmp_path, "a.png"), inputs=IMAGE)
        assert "--preprocess imagenet" in refused.value.remedy

    def test_a_wrong_size_names_the_file_and_the_flag(self, tmp_path):
        with pytest.raises(DataRefused, match=r"a\.png") as refused:
            open_samples(images(tmp_path, "a.png", size=(6, 5)), inputs=IMAGE, preprocessing=parse("none"))
        assert "size=4x4" in refused.value.remedy

    def test_a_broken_image_is_named(self, tmp_path):
        (tmp_path / "a.png").write_bytes(b"no image")
        with pytest.raises(DataRefused, match=r"a\.png is not a readable image"):
            open_samples(str(tmp_path), inputs=IMAGE, preprocessing=parse("none"))

    def test_npy_files_and_one_npz_per_sample(self, tmp_path):
        np.save(tmp_path / "a.npy", np.ones((3, 4, 4)))
        assert open_samples(str(tmp_path), inputs=IMAGE).count == 1
        (tmp_path / "a.npy").unlink()
        for i in range(3):
            np.savez(tmp_path / f"{i}.npz", input=np.ones(6), state=np.zeros((2, 1, 3)), sr=np.array(16000))
        assert [a.shape for a in open_samples(str(tmp_path), inputs=SPEECH)[2]] == [(1, 6), (2, 1, 3), ()]


class TestFunction:
    def test_arrays_tuples_dicts_and_labels(self, tmp_path):
        spec = code(
            tmp_path, "def samples():\n    for i in range(4):\n        yield np.full((3, 4, 4), i), i % 2\n"
        )
        samples = open_samples(spec, inputs=IMAGE)
        assert samples.labels.tolist() == [0, 1, 0, 1]
        assert samples[3][0].max() == 3
        spec = code(tmp_path, "def samples():\n    yield np.ones(6), np.zeros((2, 1, 3)), np.array(16000)\n")
        assert [a.shape for a in open_samples(spec, inputs=SPEECH)[0]] == [(1, 6), (2, 1, 3), ()]
        spec = code(
            tmp_path,
            "def samples():\n    yield {'sr': 16000, 'state': np.zeros((2, 1, 3)), 'input': np.ones(6)}\n",
        )
        assert open_samples(spec, inputs=SPEECH)[0][2] == 16000

    @pytest.mark.parametrize(
        "item",
        [
            "np.ones((3, 4, 4)), np.full((2, 5), i)",
            "{'input': np.ones((3, 4, 4))}, [[i] * 5, [i] * 5]",
            "{'input': np.ones((3, 4, 4)), 'labels': np.full((2, 5), i)}",
            "(np.ones((3, 4, 4)),), np.full((2, 5), i)",
        ],
    )
    def test_boxes_come_as_labels_in_whichever_form_a_sample_has(self, item, tmp_path):
        spec = code(tmp_path, f"def samples():\n    for i in range(4):\n        yield {item}\n")
        samples = open_samples(spec, inputs=IMAGE)
        assert samples.truth.shape == (4, 2, 5)
        assert samples.truth[3, 1, 4] == 3
        assert samples.labels is None
        assert samples[3][0].shape == (1, 3, 4, 4)

    def test_a_model_of_two_inputs_has_its_label_behind_them(self, tmp_path):
        pair = (TensorSpec("a", "float32", (1, 3)), TensorSpec("b", "float32", (1, 2)))
        spec = code(tmp_path, "def samples():\n    yield np.ones(3), np.ones(2), 7\n")
        assert open_samples(spec, inputs=pair).labels.tolist() == [7]
        spec = code(tmp_path, "def samples():\n    yield np.ones(3), np.ones(2)\n")
        assert open_samples(spec, inputs=pair).truth is None

    def test_as_many_boxes_as_an_image_has(self, tmp_path):
        spec = code(
            tmp_path,
            "def samples():\n    for i in range(3):\n        yield np.ones((3, 4, 4)), np.ones((i, 5))\n",
        )
        assert [t.shape for t in open_samples(spec, inputs=IMAGE).truth] == [(0, 5), (1, 5), (2, 5)]

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (
                "def samples():\n    yield np.ones((3, 4, 4)), 'cat'\n",
                "yields a label of str, expected arrays of numbers",
            ),
            ("def samples():\n    yield {'input': None}\n", "yields 'input' as NoneType, expected arrays"),
            ("def samples():\n    yield np.ones((3, 4, 4)), [[1, 2], [3]]\n", "yields a label of list"),
            ("def samples():\n    yield open('/no/such/file')\n", "FileNotFoundError"),
            ("def samples():\n    return 3\n", "expected an iterable"),
            ("def samples():\n    return []\n", "yields no samples"),
            ("def samples():\n    while True:\n        yield np.zeros(1)\n", "more than"),
            ("def other():\n    pass\n", "has no 'samples'"),
            ("import no_such_package\n", "cannot be imported"),
            ("def samples():\n    yield 'text'\n", "expected arrays of numbers"),
        ],
    )
    def test_a_function_that_cannot_be_used_says_why(self, body, words, tmp_path, monkeypatch):
        monkeypatch.setattr("edgeq.ingest.generator.MOST", 20)
        with pytest.raises(DataRefused, match=words):
            open_samples(code(tmp_path, body), inputs=IMAGE)

    def test_the_digest_does_not_depend_on_the_file(self, tmp_path):
        spec = code(tmp_path, "def samples():\n    yield np.zeros((3, 4, 4))\n")
        first = open_samples(spec, inputs=IMAGE).sha256
        spec = code(tmp_path, "def samples():  # moved\n    yield np.zeros((3, 4, 4))\n")
        assert open_samples(spec, inputs=IMAGE).sha256 == first


def test_peek_is_one_sample_before_the_model_is_known(tmp_path):
    assert [a.shape for a in peek(npz(tmp_path, x=np.zeros((5, 3, 4, 4)), labels=np.zeros(5)), None)] == [
        (3, 4, 4)
    ]
    folder = images(tmp_path / "f", "a.png", size=(9, 7))
    assert [a.shape for a in peek(folder, parse("size=4x6"))] == [(3, 4, 6)]
    spec = code(tmp_path, "def samples():\n    while True:\n        yield np.zeros(6), 1\n")
    assert [a.shape for a in peek(spec, None)] == [(6,)]


def test_data_of_an_unknown_kind_says_what_is_taken(tmp_path):
    (tmp_path / "d.csv").write_text("1,2")
    with pytest.raises(DataRefused, match="not data that edgeq can read") as refused:
        open_samples(str(tmp_path / "d.csv"), inputs=IMAGE)
    assert ".npz" in refused.value.remedy


# ---- one array per sample


@pytest.mark.parametrize(
    ("shapes", "each"),
    [
        ([(5,), (7,), (5,)], True),
        ([(1, 5), (1, 7)], True),
        ([(3, 8, 8), (3, 9, 8), (3, 8, 8)], True),
        ([(10, 4), (10, 2)], False),  # samples and their one-hot labels
        ([(4, 4), (4, 4)], False),
        ([(5,), (7, 1)], False),
    ],
)
def test_when_a_file_holds_one_array_per_sample(shapes, each):
    assert one_array_each({f"arr_{i}": np.zeros(s, np.float32) for i, s in enumerate(shapes)}) == each
    assert not one_array_each({f"x{i}": np.zeros(s, np.float32) for i, s in enumerate(shapes)})


def test_twelve_arrays_stay_in_their_order(tmp_path):
    np.savez(tmp_path / "d.npz", *(np.full(3 + i, i) for i in range(12)), labels=np.arange(12))
    samples = open_samples(str(tmp_path / "d.npz"), inputs=(TensorSpec("ids", "int64", (1, None)),))
    assert [int(s[0][0, 0]) for s in samples] == samples.labels.tolist() == list(range(12))
    np.savez(tmp_path / "few.npz", np.zeros(3), np.zeros(4), labels=np.arange(5))
    with pytest.raises(DataRefused, match="different numbers of samples: the samples 2, labels 5"):
        open_samples(str(tmp_path / "few.npz"), inputs=(TensorSpec("x", "float32", (1, None)),))
