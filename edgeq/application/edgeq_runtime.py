"""Runs the model that edgeq made live on this device (docs/application.md).

    from edgeq_runtime import load

    model = load("resnet20")       # the name of an app, or the path of a folder with contract.json and the model
    answer = model(array)          # {output name: numpy array}; with --preprocess also model("photo.jpg")

Needs Python 3.9 and the standard library; numpy and the runtime come with the release, and are imported by load(): import
numpy after it. Pillow is needed for image files only. Load only folders that you trust: what they name is imported.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from typing import TypeGuard

    import numpy as np
    from ai_edge_litert.interpreter import Interpreter
    from PIL.Image import Image as PilImage

    Image = Union[str, os.PathLike[str], np.ndarray, PilImage]
    Json = dict[str, Any]  # an object of contract.json, or the runtime's words for a tensor
    Shape = tuple[Union[int, None], ...]
    Run = Callable[..., Sequence[np.ndarray]]
    OpenSession = Callable[[str, int, list[str], list[str]], tuple[Run, list[Shape]]]

CONTRACT, PYTHON_PATH = "contract.json", "python_path.json"
_ROOTS = ("/var/lib/edgeq", "~/.local/share/edgeq")
_IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_HERE = Path(__file__).resolve().parent  # before `current` is switched and this release removed
_log = logging.getLogger("edgeq_runtime")


class LoadError(Exception):
    """The model cannot be loaded; the message says why and what to do."""


def load(
    name: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    raw: bool = False,
) -> Model:
    """The live model of the app `name`, or the one in a folder or of a contract file (net.contract.json): a path has a slash or
    is a Path.

    `root`: edgeq's folder on this device, by default the one where this file lies, else the usual ones. `threads`: by
    default the contract's. `raw`: outputs that are integers standing for reals are returned as integers. Raises LoadError, and
    ValueError for `threads` below 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}: expected 1 or more, or None for the contract's")
    is_folder = not isinstance(name, str) or os.sep in name or name in (os.curdir, os.pardir)
    place = Path(name).expanduser() if is_folder else _current_of(str(name), root)
    return Model(place.absolute(), threads, raw)


class Model:
    """A loaded model, to be called from any number of threads.

    Where it was loaded by an app's name, or by the path of its link `current`, each call first looks where that leads and
    loads the new release after a switch. A release that cannot be loaded is logged as an error, and `failed` holds why;
    calls go on with the one before.
    """

    def __init__(self, place: Path, threads: int | None = None, raw: bool = False) -> None:
        self._threads, self._raw = threads, raw
        self._link = str(place) if place.is_symlink() else None
        self._place = place
        self._switching = threading.Lock()
        self._refused: tuple[str | None, Exception] | None = None
        self._release = self._load(self._target())

    def __call__(self, *values: object, **named: object) -> dict[str, np.ndarray]:
        """The outputs of one inference by their names, shaped as the contract says.

        Inputs are given in order, as keywords, or as one dict or tuple. Each is the array that the model takes (nested lists
        too), with or without its first axis of 1, or, where the model was converted with --preprocess, an image (path of a file,
        PIL image, or uint8 pixels [H, W, 3] RGB or [H, W]), prepared as the contract says. Where the model takes integers that
        stand for reals, reals are quantized and integers taken as they are. Raises ValueError for what does not fit.
        """
        if len(values) == 1 and not named:
            answer = self._release.usual(values[0])
            if answer is not None:
                return answer
        release = self._newest()
        return release.named(release.run(*release.arrays(values, named)))

    @property
    def contract(self) -> Json:
        """Of the release that answered last."""
        return self._release.contract

    @property
    def folder(self) -> Path:
        """Where that release lies."""
        return self._release.folder

    @property
    def failed(self) -> Exception | None:
        """Why the release that is live now could not be loaded; None when it is the one that answers."""
        refused = self._refused
        return refused[1] if refused and refused[0] == self._target() else None

    def zeros(self) -> dict[str, np.ndarray]:
        """An input of zeros, open dimensions 1: to see that the model runs."""
        return {i.name: i.zeros() for i in self._release.inputs}

    def __repr__(self) -> str:
        c = self.contract
        gives = ", ".join(f"{o['source_name']} {_by(o['shape'])}" for o in c["outputs"])
        takes = ", ".join(f"{i.name} {i.expected()}" for i in self._release.inputs)
        return f"<{c['app']}: {c['candidate']}, takes {takes}, gives {gives}>"

    def _newest(self) -> _Release:
        release = self._release
        if self._target() == release.target:
            return release
        with self._switching:
            return self._switched()

    def _switched(self) -> _Release:
        while True:
            target = self._target()
            if target == self._release.target or (self._refused is not None and target == self._refused[0]):
                return self._release
            try:
                self._release, self._refused = self._load(target), None
            except Exception as error:  # what runtimes raise has no common class
                if self._target() == target:  # else it was removed meanwhile, and the next one counts
                    self._refused = (target, error)
                    _log.error(
                        "%s: the new release was not loaded, %s answers on: %s",
                        *(self._link, self._release.folder, error),
                    )

    def _target(self) -> str | None:
        """Where the link leads; None for a folder, or where the link is gone."""
        try:
            return os.readlink(self._link) if self._link else None  # noqa: PTH115
        except OSError:
            return None

    def _load(self, target: str | None) -> _Release:
        if self._link and target is None:
            raise LoadError(f"{self._link} is gone: the app was uninstalled")
        folder = self._place.parent / target if target else self._place
        return _open(folder.resolve(), self._link, target, self._threads, self._raw)


@dataclass(frozen=True)
class _Input:
    """One input. `shape` has None where the model leaves a dimension open; `affine`: its integers stand for reals."""

    name: str
    dtype: np.dtype
    shape: tuple[int | None, ...]
    affine: Mapping[str, float] | None
    preprocessing: Json | None

    def array(self, value: object) -> np.ndarray:
        """What the runtime takes. Raises ValueError."""
        import numpy as np

        if self.preprocessing is not None and _is_image(value):
            value = preprocess(value, self.preprocessing)
        array = np.asarray(value)
        if array.ndim == len(self.shape) - 1 and self.shape[0] in (1, None):
            array = array[np.newaxis]
        fits = array.ndim == len(self.shape) and all(d in (None, n) for d, n in zip(self.shape, array.shape))
        if not fits:
            raise self._unfit(value)
        if array.dtype == self.dtype:
            return array
        if self.affine is not None and array.dtype.kind == "f":
            if np.isnan(array).any():
                raise ValueError(f"input {self.name}: no {self.dtype} stands for NaN")
            return _quantized(array, self.affine, self.dtype)
        if array.dtype.kind != self.dtype.kind:
            raise self._unfit(value)
        with np.errstate(over="ignore"):
            cast = array.astype(self.dtype)
        real = array.dtype.kind == "f"
        if not (np.array_equal(np.isinf(cast), np.isinf(array)) if real else np.array_equal(cast, array)):
            raise ValueError(f"input {self.name}: values beyond the range of {self.dtype}")
        return cast

    def zeros(self) -> np.ndarray:
        import numpy as np

        dtype = np.dtype(np.float32) if self.affine else self.dtype
        return np.zeros([1 if d is None else d for d in self.shape], dtype)

    def expected(self) -> str:
        """What may be given, in words."""
        reals = "float32, or " if self.affine else ""
        image = " or an image" if self.preprocessing is not None else ""
        return f"{_by(self.shape)} {reals}{self.dtype}{image}"

    def _unfit(self, value: object) -> ValueError:
        hint = ""
        if _is_array_file(value):
            hint = f"; give what numpy.load reads from {value}"
        elif self.preprocessing is None and _is_image(value):
            hint = "; images are not prepared here: the model was converted without --preprocess"
        return ValueError(f"input {self.name}: expected {self.expected()}, got {_described(value)}{hint}")


@dataclass(frozen=True)
class _Output:
    name: str
    shape: tuple[int | None, ...]
    affine: Mapping[str, float] | None

    def array(self, stored: np.ndarray) -> np.ndarray:
        """Reals, in the shape of the contract: runtimes differ in whether they keep an axis of 1."""
        if self.affine is not None and stored.dtype.kind in "iu":
            zero_point, scale = self.affine["zero_point"], self.affine["scale"]
            stored = ((stored.astype("int32") - zero_point) * scale).astype("float32")
        if stored.shape != self.shape and None not in self.shape and stored.size == _product(self.shape):
            return stored.reshape(self.shape)  # type: ignore[arg-type]
        return stored


@dataclass(frozen=True)
class _Release:
    """A model in its runtime. `target` is where the link led; `run` takes and gives one array per input and output."""

    target: str | None
    folder: Path
    contract: Json
    inputs: tuple[_Input, ...]
    outputs: tuple[_Output, ...]
    run: Run
    usual: Callable[[object], dict[str, np.ndarray] | None]

    def arrays(self, values: tuple[object, ...], named: Mapping[str, object]) -> list[np.ndarray]:
        if len(values) == 1 and not named and isinstance(values[0], (Mapping, tuple)):
            given = values[0]
            values, named = ((), given) if isinstance(given, Mapping) else (given, {})
        if named:
            names = [i.name for i in self.inputs[len(values) :]]
            if set(names) != set(named):
                raise self._other_inputs([*map(str, named)])
            values = (*values, *(named[name] for name in names))
        if len(values) != len(self.inputs):
            raise self._other_inputs([_described(value) for value in values])
        return [i.array(value) for i, value in zip(self.inputs, values)]

    def named(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        return {o.name: o.array(array) for o, array in zip(self.outputs, arrays)}

    def _other_inputs(self, given: list[str]) -> ValueError:
        expected = "; ".join(f"{i.name} {i.expected()}" for i in self.inputs)
        return ValueError(f"expected inputs: {expected}; got {', '.join(given) or 'none'}")


def _current_of(app: str, root: str | os.PathLike[str] | None) -> Path:
    """The link `current` of an app. Raises LoadError naming the apps that there are."""
    asked = _usual_roots() if root is None else [root]
    roots = list(dict.fromkeys(Path(os.path.expanduser(r)) for r in asked))  # noqa: PTH111  (there may be no home)
    for one in roots:
        if (one / "apps" / app / "current").is_symlink():
            return one / "apps" / app / "current"
    found = sorted({link.parent.name for one in roots for link in one.glob("apps/*/current")})
    places, apps = ", ".join(map(str, roots)), ", ".join(found) or "none"
    raise LoadError(f"there is no app {app!r} in {places}; apps: {apps}")


def _usual_roots() -> list[str]:
    """First the one whose release this file is in: <root>/apps/<app>/releases/<digest>/candidates/<candidate>."""
    own = len(_HERE.parts) > 6 and _HERE.parts[-6::2] == ("apps", "releases", "candidates")
    return [*([str(_HERE.parents[5])] if own else []), *_ROOTS]


def _open(folder: Path, link: str | None, target: str | None, threads: int | None, raw: bool) -> _Release:
    """The release in `folder`, or of that contract file, its model loaded. Raises LoadError, and what the runtime raises for a
    model that it refuses.
    """
    file = folder if folder.suffix == ".json" else folder / CONTRACT
    contract, folder = _read_contract(file), file.parent
    wheels = _add_to_sys_path(folder, contract.get("python_path", PYTHON_PATH))
    with _imports_explained(contract, wheels):
        import numpy as np

        open_session = _RUNTIMES[contract["runtime"]]()
    how = contract["preprocessing"]
    inputs = tuple(
        _Input(i["source_name"], np.dtype(i["dtype"]), tuple(i["shape"]), i.get("affine"), how)
        for i in contract["inputs"]
    )
    outputs = tuple(
        _Output(o["source_name"], tuple(o["shape"]), None if raw else o.get("affine"))
        for o in contract["outputs"]
    )
    run, shapes = open_session(
        str(folder / contract["model"]),
        threads or contract["threads"],
        [i["name"] for i in contract["inputs"]],
        [o["name"] for o in contract["outputs"]],
    )
    plain = not any(o.affine for o in outputs) and shapes == [o.shape for o in outputs]
    ready = inputs[0].shape if plain and len(inputs) == 1 else None
    usual = _usual_call(link, target, ready, inputs[0].dtype, [o.name for o in outputs], run)
    return _Release(target, folder, contract, inputs, outputs, run, usual)


def _usual_call(
    link: str | None,
    target: str | None,
    shape: tuple[int | None, ...] | None,
    dtype: np.dtype,
    names: list[str],
    run: Run,
) -> Callable[[object], dict[str, np.ndarray] | None]:
    """The call with one array that the runtime takes as it is, of a model whose outputs are returned as they are. It is kept
    short, for beside a small network each step of Python counts. None for any other array than of `shape` and `dtype`, and
    after a switch.
    """
    import numpy as np

    kind, readlink = np.ndarray, os.readlink

    def call(value: object) -> dict[str, np.ndarray] | None:
        try:
            if link is not None and readlink(link) != target:
                return None
        except OSError:
            return None
        if type(value) is kind and value.shape == shape and value.dtype == dtype:
            return dict(zip(names, run(value)))
        return None

    return call


def _read_contract(file: Path) -> Json:
    contract = _read_json(file)
    if not isinstance(contract, dict) or contract.get("schema") != 1:
        raise LoadError(
            f"{file} is no contract of schema 1, which this edgeq_runtime.py reads; use the one beside it"
        )
    return contract


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadError(f"cannot read {path}: {error}") from error


def _add_to_sys_path(folder: Path, name: str) -> list[str]:
    """The wheels that came with the release, first on sys.path. None came where Python's own packages serve."""
    listed = _read_json(folder / name) if (folder / name).exists() else []
    paths = [str((folder / path).resolve()) for path in listed]
    sys.path[:0] = [path for path in paths if path not in sys.path]
    return paths


@contextlib.contextmanager
def _imports_explained(contract: Json, wheels: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        raise LoadError(
            f"{contract['app']} runs on {error}; this edgeq_runtime.py knows {', '.join(_RUNTIMES)}"
        ) from None
    except ImportError as error:
        here = f"{error} (Python {sys.version.split()[0]}, {sys.executable})"
        if wheels:
            now = f"its wheels are for the device's python3: {', '.join(wheels)}"
        elif "python_path" not in contract:  # an exported folder, on any machine
            pillow = " pillow" if contract["preprocessing"] else ""
            now = f"install what is missing: {sys.executable} -m pip install {_PACKAGES[contract['runtime']]} numpy{pillow}"
        else:
            now = "it came without wheels: use the Python that edgeq found there, which has its packages"
        raise LoadError(f"{contract['app']} needs {contract['runtime']} and numpy: {here}; {now}") from error


# Each imports its runtime and gives open(path, threads, own input names, own output names) -> (run, shapes of the outputs).
def _onnxruntime() -> OpenSession:
    # Else it writes a database below HOME as it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    getattr(onnxruntime, "disable_telemetry_events", lambda: None)()

    def open_session(
        path: str, threads: int, inputs: list[str], outputs: list[str]
    ) -> tuple[Run, list[Shape]]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        if threads > (os.cpu_count() or 1):
            # Threads that wait by spinning would take the cores from those that work.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        declared = {o.name: tuple(o.shape) for o in session.get_outputs()}
        shapes = [declared[output] for output in outputs]
        if len(inputs) == 1:
            return lambda array: session.run(outputs, {inputs[0]: array}), shapes
        return lambda *arrays: session.run(outputs, dict(zip(inputs, arrays))), shapes

    return open_session


def _litert() -> OpenSession:
    from ai_edge_litert.interpreter import Interpreter

    return lambda path, threads, *ends: _interpreted(Interpreter(model_path=path, num_threads=threads), *ends)


def _tflite_runtime() -> OpenSession:
    from tflite_runtime.interpreter import Interpreter

    return lambda path, threads, *ends: _interpreted(Interpreter(model_path=path, num_threads=threads), *ends)


_RUNTIMES = {"onnxruntime": _onnxruntime, "litert": _litert, "tflite-runtime": _tflite_runtime}

_PACKAGES = {"onnxruntime": "onnxruntime", "litert": "ai-edge-litert", "tflite-runtime": "tflite-runtime"}


def _interpreted(interpreter: Interpreter, inputs: list[str], outputs: list[str]) -> tuple[Run, list[Shape]]:
    """An interpreter holds its tensors, so it runs for one thread at a time."""
    interpreter.allocate_tensors()
    taken = _tensors(interpreter, "input", inputs)
    given = _tensors(interpreter, "output", outputs)
    shapes = [tuple(t["shape"]) for t in taken]
    using = threading.Lock()

    def run(*arrays: np.ndarray) -> list[np.ndarray]:
        with using:
            if [a.shape for a in arrays] != shapes:
                for tensor, array in zip(taken, arrays):
                    interpreter.resize_tensor_input(tensor["index"], list(array.shape))
                interpreter.allocate_tensors()
                shapes[:] = [a.shape for a in arrays]
            for tensor, array in zip(taken, arrays):
                interpreter.set_tensor(tensor["index"], array)
            interpreter.invoke()
            return [interpreter.get_tensor(tensor["index"]) for tensor in given]

    return run, [tuple(t["shape"]) for t in given]


def _tensors(interpreter: Interpreter, side: str, names: list[str]) -> list[Json]:
    """Tensors by their own names, or by those of the only signature."""
    details = getattr(interpreter, f"get_{side}_details")()
    known = {d["name"]: d for d in details}
    signatures = interpreter.get_signature_list()
    if len(signatures) == 1:
        runner = interpreter.get_signature_runner(next(iter(signatures)))
        by_index = {d["index"]: d for d in details}
        for name, d in getattr(runner, f"get_{side}_details")().items():
            known.setdefault(name, by_index[d["index"]])
    return [known[name] for name in names]


def _quantized(reals: np.ndarray, affine: Mapping[str, float], dtype: np.dtype) -> np.ndarray:
    """q = clip(round(x / scale) + zero_point) to the type's range."""
    import numpy as np

    limits = np.iinfo(dtype)
    scaled = np.rint(reals / np.float32(affine["scale"])) + affine["zero_point"]
    stored: np.ndarray = np.clip(scaled, limits.min, limits.max).astype(dtype)
    return stored


def preprocess(image: Image, contract: Json) -> np.ndarray:
    """float32 [C, H, W] or [H, W, C] of an image, as `preprocessing` of contract.json says: to the bit what the model was
    calibrated and judged with.

    Resizing is Pillow's bilinear filter with antialiasing, on 8-bit pixels; where there is no Pillow, the same in numpy.
    Raises ValueError for what is no image, and for one smaller than the crop.
    """
    import numpy as np

    pixels = _channels(_pixels(image), gray=contract["channels"] == "GRAY")
    planes = _sized(pixels, contract)
    if contract["channels"] == "BGR":
        planes = planes[:, :, ::-1]
    values = (planes.astype(np.float64) * contract["scale"] - np.array(contract["mean"])) / np.array(
        contract["std"]
    )
    values = values.transpose(2, 0, 1) if contract["layout"] == "NCHW" else values
    return np.ascontiguousarray(values, dtype=np.float32)


def _is_image(value: Any) -> TypeGuard[Image]:
    if isinstance(value, (str, os.PathLike)):
        return not _is_array_file(value)
    if _is_pil(value):
        return True
    return getattr(value, "dtype", None) == "uint8" and value.ndim in (2, 3)


def _is_array_file(value: object) -> bool:
    return isinstance(value, (str, os.PathLike)) and str(value).endswith((".npy", ".npz"))


def _is_pil(value: object) -> TypeGuard[PilImage]:
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(value, pil.Image)


def _pixels(image: Image) -> np.ndarray:
    """uint8 [H, W], [H, W, 1] or [H, W, 3]; a file and a PIL image turned upright as EXIF says, and without alpha."""
    import numpy as np

    if isinstance(image, (str, os.PathLike)):
        if not os.path.exists(image):  # noqa: PTH110  (Path.exists raises where a folder may not be searched)
            raise ValueError(f"{os.fspath(image)}: no such file")
        if _pillow() is None:
            raise ValueError(
                f"{os.fspath(image)}: Pillow reads image files, and is not installed here (apt install python3-pil, or "
                "pip install pillow); or give the pixels, uint8 of shape HxWx3"
            )
        try:
            with _pillow().open(image, formats=_IMAGE_FORMATS) as opened:
                return _upright(opened)
        except (OSError, SyntaxError) as error:
            raise ValueError(
                f"{os.fspath(image)} is no {', '.join(_IMAGE_FORMATS)} image: {error}"
            ) from error
    if _is_pil(image):
        return _upright(image)
    pixels = np.asarray(image)
    if (
        pixels.dtype != np.uint8
        or pixels.ndim not in (2, 3)
        or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3))
    ):
        raise ValueError(f"an image is uint8 of shape HxWx3 or HxW; this is {_described(pixels)}")
    return pixels


def _upright(image: PilImage) -> np.ndarray:
    import numpy as np
    from PIL import ImageOps

    return np.array(ImageOps.exif_transpose(image).convert("RGB"))


@cache
def _pillow() -> Any:
    """PIL.Image; None where it is not installed."""
    try:
        from PIL import Image
    except ImportError:
        return None
    return Image


def _channels(pixels: np.ndarray, gray: bool) -> np.ndarray:
    """uint8 [H, W, 1] (ITU-R 601 luma, as Pillow rounds it) or [H, W, 3]."""
    import numpy as np

    pixels = pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels
    if gray and pixels.shape[2] == 3:
        luma = pixels.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
        return ((luma + 0x8000) >> 16).astype(np.uint8)[:, :, np.newaxis]
    return pixels if gray or pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def _sized(pixels: np.ndarray, contract: Json) -> np.ndarray:
    if contract["size"] is None:
        return pixels
    height, width = contract["size"]
    if contract["resize"] == "stretch":
        return _resized(pixels, height, width)
    if contract["resize"] == "short_side":
        factor = (contract["short_side"] or min(height, width)) / min(pixels.shape[:2])
        pixels = _resized(pixels, round(pixels.shape[0] * factor), round(pixels.shape[1] * factor))
    if pixels.shape[0] < height or pixels.shape[1] < width:
        raise ValueError(
            f"the image is {_by(pixels.shape[:2])} pixels, smaller than the crop of {height}x{width}"
        )
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]


def _resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """[height, width, C]. Pixels are rounded to 8 bits between the axes, so their order counts: it is Pillow 13's, also where
    there is an older one.
    """
    rows, columns = pixels.shape[:2]
    if rows > height and rows - height > 2 * (columns - width):
        return _resampled(_resampled(pixels, 0, height), 1, width)
    return _resampled(_resampled(pixels, 1, width), 0, height)


def _resampled(pixels: np.ndarray, axis: int, size: int) -> np.ndarray:
    """One axis scaled by Pillow's triangle filter; without Pillow by the same weights, fixed point with 22 bits."""
    import numpy as np

    before = pixels.shape[axis]
    if size == before:
        return pixels
    if _pillow() is not None:
        wanted = (pixels.shape[1], size) if axis == 0 else (size, pixels.shape[0])
        image = _pillow().fromarray(np.ascontiguousarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0]))
        resized = np.asarray(image.resize(wanted, _pillow().BILINEAR))
        return resized.reshape(wanted[1], wanted[0], -1)
    scale = before / size
    support = max(scale, 1.0)
    centre = (np.arange(size) + 0.5) * scale
    first = np.maximum(np.trunc(centre - support + 0.5), 0).astype(int)
    end = np.minimum(np.trunc(centre + support + 0.5), before).astype(int)
    taps = [first + t for t in range(int((end - first).max()))]
    weights = [np.maximum(1.0 - abs((t - centre + 0.5) * (1.0 / support)), 0.0) * (t < end) for t in taps]
    whole, lines = sum(weights), pixels.swapaxes(0, axis)
    total = np.full((size, *lines.shape[1:]), 1 << 21, np.int32)
    for tap, weight in zip(taps, weights):
        fixed = np.trunc(0.5 + weight / whole * (1 << 22)).astype(np.int32)
        total += fixed[:, np.newaxis, np.newaxis] * lines[np.minimum(tap, before - 1)]
    return (total >> 22).astype(np.uint8).swapaxes(0, axis)


def _by(shape: Sequence[int | None]) -> str:
    return "x".join("?" if d is None else str(d) for d in shape) or "scalar"


def _product(shape: Sequence[int | None]) -> int:
    size = 1
    for d in shape:
        size *= d or 0
    return size


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"{value.dtype} of shape {_by(shape)}" if isinstance(shape, tuple) else type(value).__name__


def main(arguments: Sequence[str]) -> None:
    """`python3 edgeq_runtime.py [FILE ...]`: what the model beside this file answers. Mistakes end it with a line on stderr."""
    import argparse

    parser = argparse.ArgumentParser(description="Prints what the model beside this file answers.")
    what = "one per input: an array (.npy), or an image where the model was converted with --preprocess; none: zeros"
    parser.add_argument("files", nargs="*", metavar="FILE", help=what)
    files = parser.parse_args(arguments).files
    try:
        model = load(Path(__file__).parent)
        answer = model(*map(_read_npy, files)) if files else model(model.zeros())
    except Exception as error:  # what runtimes raise has no common class
        sys.exit(f"{type(error).__name__}: {error}")
    print(model)
    for name, array in answer.items():
        print(f"{name} {_by(array.shape)} {array.dtype}:\n{array}")


def _read_npy(file: str) -> np.ndarray | str:
    """The array in a .npy; the path of any other file as it is."""
    import numpy as np

    if not file.endswith(".npy"):
        return file
    try:
        array: np.ndarray = np.load(file, allow_pickle=False)
        return array
    except (ValueError, EOFError) as error:
        raise ValueError(f"{file} is no whole .npy file of numbers, as numpy.save writes it") from error


if __name__ == "__main__":
    main(sys.argv[1:])
