"""A Kotlin class for Android with LiteRT's Interpreter: a Bitmap, or arrays, to the outputs by name."""

import re

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


_UPRIGHT = (
    "5. A photo out of a file is turned upright first, as edgeq turned its samples; BitmapFactory does not do that:",
    "   val degrees = ExifInterface(stream).rotationDegrees  // androidx.exifinterface:exifinterface",
    "   val upright = Bitmap.createBitmap(photo, 0, 0, photo.width, photo.height,",
    "       Matrix().apply { postRotate(degrees.toFloat()) }, true)",
)


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
        *_classes(contract),
    ]
    return f"""{_head(contract, place, image)}
class {class_name(place.program)}(context: Context) : Closeable {{
{chr(10).join(body)}}}
"""


def class_name(program: str) -> str:
    """After the file, so that an app may have several: `Example`, and `FaceNetExample` for face-net.example.kt."""
    parts = re.findall(r"[A-Za-z0-9]+", program)
    name = "".join(part[0].upper() + part[1:] for part in parts) or "Example"
    return f"Model{name}" if name[0].isdigit() else name


def _head(contract: Contract, place: Place, image: Preprocessing | None) -> str:
    imports = ["android.content.Context", "java.io.Closeable", "java.nio.ByteBuffer", "java.nio.ByteOrder"]
    imports += ["android.graphics.Bitmap"] if image else []
    asked = "model.run(bitmap)" if image else f"model.run({', '.join(_names(contract))})"
    shown = contract.outputs[0]
    lines = [
        f"{words(contract.app)} ({words(contract.candidate)}) in an Android app.",
        "",
        f"1. Put {words(place.model)} into app/src/main/assets/.",
        "2. Put this file beside your Kotlin sources, and copy your `package ...` line to its first line.",
        '3. In app/build.gradle.kts: dependencies { implementation("com.google.ai.edge.litert:litert:1.4.2") }',
        f"4. {class_name(place.program)}(context).use {{ model -> {asked} }} gives the outputs by name: {words(shown.called)}"
        f"{', ...' if len(contract.outputs) > 1 else '.'}",
        *(_UPRIGHT if image else ()),
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
    shapes = "".join(
        f"     * - {words(t.called)}: shape {_by(t)}{', the scores of CLASSES' if t.classes else ''}\n"
        for t in contract.outputs
    )
    return f"""    /**
     * {_takes(contract, image)}
     *
     * The result holds each output's values by its name, in row-major order:
{shapes}     */
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
        return f"Any image: {resizing(image)}."
    return "; ".join(f"{name} is {words(t.called)}, {_by(t)}" for name, t in _pairs(contract)) + "."


def _by(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one value"


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
        "GRAY": "pixel and 0xff",
    }[image.channels]
    return f"""    /** (value * scale - mean) / std per channel, in the order that the model takes. */
    private fun preprocess(image: Bitmap): FloatArray {{
        val mean = doubleArrayOf({mean})
        val std = doubleArrayOf({std})
        val pixels = sized(image)
        val values = FloatArray({_count(tensor)})
        for (y in 0 until {height}) for (x in 0 until {width}) for (c in 0 until {number}) {{
            val pixel = pixels[y * {width} + x]
            val value = {channel}
            values[{at}] = ((value * {image.scale!r} - mean[c]) / std[c]).toFloat()
        }}
        return values
    }}

{_sized(image, height or 1, width or 1)}
{_pixels(image)}{_SCALE if _scales(image) else ""}"""


def _scales(image: Preprocessing) -> bool:
    return image.size is not None and image.resize != "none"


def _sized(image: Preprocessing, height: int, width: int) -> str:
    """`sized`: the pixels that the model sees, row by row."""
    if image.size is not None and image.resize == "stretch":
        return f"""    private fun sized(image: Bitmap): IntArray =
        scaled(pixels(image), image.height, image.width, {height}, {width})
"""
    if image.size is None:
        return f"""    private fun sized(image: Bitmap): IntArray {{
        require(image.height == {height} && image.width == {width}) {{ "the model takes images of {height}x{width}" }}
        return pixels(image)
    }}
"""
    if image.resize == "short_side":
        short = image.short_side or min(image.size)
        whole = f"""        val factor = {float(short)!r} / minOf(image.height, image.width)
        val height = Math.rint(image.height * factor).toInt()
        val width = Math.rint(image.width * factor).toInt()
        val pixels = scaled(pixels(image), image.height, image.width, height, width)
"""
    else:
        whole = """        val height = image.height
        val width = image.width
        val pixels = pixels(image)
"""
    return f"""    private fun sized(image: Bitmap): IntArray {{
{whole}        require(height >= {height} && width >= {width}) {{ "the image is smaller than {height}x{width}" }}
        val top = (height - {height}) / 2
        val left = (width - {width}) / 2
        return IntArray({height} * {width}) {{ i -> pixels[(top + i / {width}) * width + left + i % {width}] }}
    }}
"""


def _pixels(image: Preprocessing) -> str:
    """`pixels`: of the whole image. A gray one is gray before it is scaled, as in edgeq."""
    gray = """        for (i in pixels.indices) {
            val red = (pixels[i] shr 16) and 0xff
            val green = (pixels[i] shr 8) and 0xff
            val blue = pixels[i] and 0xff
            val luma = (19595 * red + 38470 * green + 7471 * blue + 32768) shr 16
            pixels[i] = (luma shl 16) or (luma shl 8) or luma
        }
"""
    return f"""    /** 0xAARRGGBB, row by row. A hardware bitmap, whose pixels cannot be read, is copied. */
    private fun pixels(image: Bitmap): IntArray {{
        val readable = if (image.config == Bitmap.Config.ARGB_8888) image else image.copy(Bitmap.Config.ARGB_8888, false)
        val pixels = IntArray(image.height * image.width)
        readable.getPixels(pixels, 0, image.width, 0, 0, image.width, image.height)
{gray if image.channels == "GRAY" else ""}        return pixels
    }}
"""


# To the bit what edgeq_runtime.py does; Bitmap.createScaledBitmap would take four pixels for one and miss all others.
_SCALE = """
    /** `rows` x `columns` pixels scaled to `height` x `width` with antialiasing, to the bit as edgeq scaled its samples. */
    private fun scaled(pixels: IntArray, rows: Int, columns: Int, height: Int, width: Int): IntArray {
        if (rows > height && rows - height > 2 * (columns - width)) {
            val low = scaledLines(pixels, rows, height, columns, columns, 1, columns, 1)
            return scaledLines(low, columns, width, height, 1, columns, 1, width)
        }
        val narrow = scaledLines(pixels, columns, width, rows, 1, columns, 1, width)
        return scaledLines(narrow, rows, height, width, width, 1, width, 1)
    }

    /**
     * Scales `lines` lines from `before` pixels to `after` by Pillow's triangle filter, in fixed point with 22 bits.
     * In `pixels` it is `step` from a pixel to the next of its line and `stride` to the next line; `afterStep` and
     * `afterStride` in the result.
     */
    private fun scaledLines(
        pixels: IntArray, before: Int, after: Int, lines: Int, step: Int, stride: Int, afterStep: Int, afterStride: Int
    ): IntArray {
        if (before == after) return pixels
        val result = IntArray(after * lines)
        val scale = before.toDouble() / after
        val support = maxOf(scale, 1.0)
        for (i in 0 until after) {
            val centre = (i + 0.5) * scale
            val first = maxOf((centre - support + 0.5).toInt(), 0)
            val end = minOf((centre + support + 0.5).toInt(), before)
            val weights = DoubleArray(end - first) {
                maxOf(1.0 - Math.abs((first + it - centre + 0.5) * (1.0 / support)), 0.0)
            }
            val whole = weights.sum()
            val fixed = IntArray(weights.size) { (0.5 + weights[it] / whole * (1 shl 22)).toInt() }
            for (line in 0 until lines) {
                var red = 1 shl 21
                var green = 1 shl 21
                var blue = 1 shl 21
                for (t in fixed.indices) {
                    val pixel = pixels[(first + t) * step + line * stride]
                    red += fixed[t] * ((pixel shr 16) and 0xff)
                    green += fixed[t] * ((pixel shr 8) and 0xff)
                    blue += fixed[t] * (pixel and 0xff)
                }
                result[i * afterStep + line * afterStride] =
                    ((red shr 22) shl 16) or ((green shr 22) shl 8) or (blue shr 22)
            }
        }
        return result
    }
"""


def _helpers(contract: Contract) -> list[str]:
    stored = {_number(t): _store_function(t) for t in contract.inputs}
    read = {_number(t): _read_function(t) for t in contract.outputs}
    return [*stored.values(), *read.values(), _BUFFER]


def _classes(contract: Contract) -> list[str]:
    """Of the one output whose classes are known."""
    known = [t.classes for t in contract.outputs if t.classes][:1]
    return [
        "    companion object {\n        val CLASSES = listOf(\n"
        + ",\n".join(f"            {kotlin_text(name)}" for name in names)
        + "\n        )\n    }\n"
        for names in known
    ]


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
