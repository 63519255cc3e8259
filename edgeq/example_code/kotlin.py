"""A Kotlin class for Android with LiteRT's Interpreter: a Bitmap, or arrays, to the outputs by name."""

from edgeq.example_code.contract import Contract, NoExample, Tensor, channels, per_channel, resizing
from edgeq.example_code.literals import kotlin_text, words
from edgeq.example_code.place import Place
from edgeq.nouns.tensor import Preprocessing

# What an array of these elements is there, and how a ByteBuffer gives and takes them; unsigned bytes stay bytes.
_ARRAYS = {
    "float32": ("FloatArray", "asFloatBuffer()"),
    "float64": ("DoubleArray", "asDoubleBuffer()"),
    "int64": ("LongArray", "asLongBuffer()"),
    "int32": ("IntArray", "asIntBuffer()"),
    "int16": ("ShortArray", "asShortBuffer()"),
    "int8": ("ByteArray", ""),
    "uint8": ("ByteArray", ""),
    "bool": ("ByteArray", ""),
}
_BYTES = {"float32": 4, "float64": 8, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "bool": 1}


def program(contract: Contract, place: Place) -> str:
    """Raises NoExample for a runtime that Android does not have, for an open dimension and for an element type that LiteRT's
    Interpreter does not take.
    """
    if contract.runtime == "onnxruntime":
        raise NoExample("the Kotlin example is for LiteRT")
    tensors = (*contract.inputs, *contract.outputs)
    strange = [t.dtype for t in tensors if t.dtype not in _ARRAYS]
    if strange:
        raise NoExample(f"LiteRT's Interpreter has no elements of {strange[0]}")
    if any(None in t.shape for t in tensors):
        raise NoExample("a dimension of the model is open, and the Kotlin example takes one shape")
    image = contract.preprocessing if contract.takes_image else None
    body = [
        _interpreter(contract, place),
        _run(contract, image),
        *([_preprocess(contract, image)] if image else []),
        *_helpers(contract),
    ]
    return f"""{_head(contract, place, image)}
class Example(context: Context) : Closeable {{
{chr(10).join(body)}}}
"""


def _head(contract: Contract, place: Place, image: Preprocessing | None) -> str:
    imports = ["android.content.Context", "java.io.Closeable", "java.nio.ByteBuffer", "java.nio.ByteOrder"]
    imports += ["android.graphics.Bitmap"] if image else []
    asked = "model.run(bitmap)" if image else f"model.run({', '.join(_names(contract))})"
    shown = contract.outputs[0]
    lines = [
        f"{words(contract.app)} ({words(contract.candidate)}) in an Android app.",
        "",
        f"1. Put {words(place.model)} into app/src/main/assets/.",
        "2. Put this file beside your Kotlin sources, and their `package` line on top of it.",
        '3. In app/build.gradle.kts: dependencies { implementation("com.google.ai.edge.litert:litert:1.4.2") }',
        f"4. Example(context).use {{ model -> {asked} }} gives the outputs by name: {words(shown.called)}"
        f"{' ...' if len(contract.outputs) > 1 else ''}.",
    ]
    comment = "".join(f"// {line}".rstrip() + "\n" for line in lines)
    return (
        comment
        + "\n"
        + "".join(f"import {i}\n" for i in sorted(imports))
        + "import org.tensorflow.lite.Interpreter\n"
    )


def _names(contract: Contract) -> list[str]:
    return [f"input{i}" for i in range(len(contract.inputs))]


def _interpreter(contract: Contract, place: Place) -> str:
    return f"""    private val interpreter: Interpreter

    init {{
        val bytes = context.assets.open({kotlin_text(place.model)}).use {{ it.readBytes() }}
        val model = buffer(bytes.size).put(bytes)
        model.rewind()
        interpreter = Interpreter(model, Interpreter.Options().setNumThreads({contract.threads}))
    }}

    override fun close() = interpreter.close()
"""


def _run(contract: Contract, image: Preprocessing | None) -> str:
    taken = ["image: Bitmap"] if image else [f"{n}: {_array(t)}" for n, t in _pairs(contract)]
    feeds = "".join(
        f"        inputs[interpreter.getInputIndex({kotlin_text(t.name)})] = "
        f"{_stored('preprocess(image)' if image else name, t)}\n"
        for name, t in _pairs(contract)
    )
    buffers = "".join(f"        val output{i} = buffer({_size(t)})\n" for i, t in enumerate(contract.outputs))
    places = "".join(
        f"            interpreter.getOutputIndex({kotlin_text(t.name)}) to output{i},\n"
        for i, t in enumerate(contract.outputs)
    ).removesuffix(",\n")
    results = "".join(
        f"            {kotlin_text(t.called)} to {_read(f'output{i}', t)},\n"
        for i, t in enumerate(contract.outputs)
    ).removesuffix(",\n")
    kinds = {_array(t) for t in contract.outputs}
    kind = kinds.pop() if len(kinds) == 1 else "Any"
    return f"""    /** {_takes(contract, image)} The result holds each output's values by its name, the last dimension first to vary. */
    fun run({", ".join(taken)}): Map<String, {kind}> {{
        val inputs = arrayOfNulls<Any>({len(contract.inputs)})
{feeds}{buffers}        val outputs = mapOf<Int, Any>(
{places}
        )
        interpreter.runForMultipleInputsOutputs(inputs, outputs)
        return mapOf(
{results}
        )
    }}
"""


def _pairs(contract: Contract) -> list[tuple[str, Tensor]]:
    return list(zip(_names(contract), contract.inputs, strict=True))


def _takes(contract: Contract, image: Preprocessing | None) -> str:
    if image:
        return f"The image is {resizing(image)} here."
    shapes = "; ".join(
        f"{name} is {words(t.called)}, {'x'.join(str(d) for d in t.shape) or 'one value'}"
        for name, t in _pairs(contract)
    )
    return f"{shapes}."


def _array(tensor: Tensor) -> str:
    """Reals where the file's integers stand for reals."""
    return "FloatArray" if tensor.affine else _ARRAYS[tensor.dtype][0]


def _count(tensor: Tensor) -> int:
    count = 1
    for dim in tensor.shape:
        count *= dim or 1
    return count


def _size(tensor: Tensor) -> int:
    return _count(tensor) * _BYTES[tensor.dtype]


def _stored(value: str, tensor: Tensor) -> str:
    return f"stored{_number(tensor)}({value})"


def _read(buffer: str, tensor: Tensor) -> str:
    return f"values{_number(tensor)}({buffer})"


def _number(tensor: Tensor) -> str:
    """Of the helper function for tensors of this type, scale and zero point."""
    kind = tensor.dtype.capitalize()
    if tensor.affine is None:
        return kind
    scale = "".join(c if c.isalnum() else "_" for c in repr(tensor.affine.scale))
    return f"{kind}At{scale}From{str(tensor.affine.zero_point).replace('-', 'Minus')}"


def _preprocess(contract: Contract, image: Preprocessing) -> str:
    tensor, number = contract.inputs[0], channels(image)
    _, *dims = tensor.shape
    height, width = (dims[1], dims[2]) if image.layout == "NCHW" else (dims[0], dims[1])
    mean, std = (
        ", ".join(f"{v!r}" for v in per_channel(values, image)) for values in (image.mean, image.std)
    )
    at = (
        f"(c * {height} + y) * {width} + x" if image.layout == "NCHW" else f"(y * {width} + x) * {number} + c"
    )
    channel = {
        "RGB": "(pixel shr (16 - 8 * c)) and 0xff",
        "BGR": "(pixel shr (8 * c)) and 0xff",
        "GRAY": "(19595 * ((pixel shr 16) and 0xff) + 38470 * ((pixel shr 8) and 0xff) + 7471 * (pixel and 0xff) + 32768) shr 16",
    }[image.channels]
    return f"""    /** (value * scale - mean) / std per channel, in the order that the model takes. */
    private fun preprocess(image: Bitmap): FloatArray {{
        val mean = doubleArrayOf({mean})
        val std = doubleArrayOf({std})
        val sized = resized(image)
        val pixels = IntArray({height} * {width})
        sized.getPixels(pixels, 0, {width}, 0, 0, {width}, {height})
        val values = FloatArray({_count(tensor)})
        for (y in 0 until {height}) for (x in 0 until {width}) for (c in 0 until {number}) {{
            val pixel = pixels[y * {width} + x]
            val value = {channel}
            values[{at}] = ((value * {image.scale!r} - mean[c]) / std[c]).toFloat()
        }}
        return values
    }}

{_resized(image, height or 1, width or 1)}"""


def _resized(image: Preprocessing, height: int, width: int) -> str:
    """Android's filter takes four pixels for one, without antialiasing: a large photo is better scaled down beforehand."""
    if image.size is not None and image.resize == "stretch":
        return f"""    private fun resized(image: Bitmap): Bitmap = Bitmap.createScaledBitmap(image, {width}, {height}, true)
"""
    scaled = "image"
    if image.size is not None and image.resize == "short_side":
        short = image.short_side or min(image.size)
        scaled = "Bitmap.createScaledBitmap(image, Math.round(image.width * factor), Math.round(image.height * factor), true)"
        factor = f"        val factor = {short}f / minOf(image.width, image.height)\n"
    else:
        factor = ""
    return f"""    private fun resized(image: Bitmap): Bitmap {{
{factor}        val scaled = {scaled}
        require(scaled.width >= {width} && scaled.height >= {height}) {{ "the image is smaller than {height}x{width}" }}
        return Bitmap.createBitmap(scaled, (scaled.width - {width}) / 2, (scaled.height - {height}) / 2, {width}, {height})
    }}
"""


def _helpers(contract: Contract) -> list[str]:
    stored = {_number(t): _store_function(t) for t in contract.inputs}
    read = {_number(t): _read_function(t) for t in contract.outputs}
    return [*stored.values(), *read.values(), _BUFFER]


def _store_function(tensor: Tensor) -> str:
    kind, view = _ARRAYS[tensor.dtype]
    head = f"    private fun stored{_number(tensor)}(values: {_array(tensor)}): ByteBuffer {{\n"
    if tensor.affine is None:
        put = f"bytes.{view}.put(values)" if view else "bytes.put(values)"
        size = f"values.size * {_BYTES[tensor.dtype]}"
        return f"{head}        val bytes = buffer({size})\n        {put}\n        bytes.rewind()\n        return bytes\n    }}\n"
    low, high = _limits(tensor.dtype)
    put, cast = {
        "ByteArray": ("put", "toByte"),
        "ShortArray": ("putShort", "toShort"),
        "IntArray": ("putInt", "toInt"),
        "LongArray": ("putLong", "toLong"),
    }.get(kind, ("", ""))
    if not put:
        raise NoExample(f"elements of {tensor.dtype} do not stand for others")
    integer = "Math.rint(value / SCALE).toLong() + ZERO".replace("SCALE", repr(tensor.affine.scale)).replace(
        "ZERO", str(tensor.affine.zero_point)
    )
    return f"""{head}        val bytes = buffer(values.size * {_BYTES[tensor.dtype]})
        for (value in values) bytes.{put}(({integer}).coerceIn({low}, {high}).{cast}())
        bytes.rewind()
        return bytes
    }}
"""


def _limits(dtype: str) -> tuple[str, str]:
    if dtype == "uint8":
        return "0L", "255L"
    bits = int(dtype.removeprefix("int"))
    return f"{-(2 ** (bits - 1))}L" if bits < 64 else "Long.MIN_VALUE", f"{2 ** (bits - 1) - 1}L"


def _read_function(tensor: Tensor) -> str:
    kind, view = _ARRAYS[tensor.dtype]
    head = (
        f"    private fun values{_number(tensor)}(bytes: ByteBuffer): {_array(tensor)} {{\n"
        "        bytes.rewind()\n"
        f"        val stored = {kind}(bytes.capacity() / {_BYTES[tensor.dtype]})\n"
    )
    get = f"        bytes.{view}.get(stored)\n" if view else "        bytes.get(stored)\n"
    if tensor.affine is None:
        return f"{head}{get}        return stored\n    }}\n"
    number = "(it.toInt() and 0xff)" if tensor.dtype == "uint8" else "it"
    real = f"(({number} - {tensor.affine.zero_point}) * {tensor.affine.scale!r}).toFloat()"
    return (
        f"{head}{get}        return FloatArray(stored.size) {{ i -> stored[i].let {{ {real} }} }}\n    }}\n"
    )


_BUFFER = """    private fun buffer(bytes: Int): ByteBuffer =
        ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())
"""
