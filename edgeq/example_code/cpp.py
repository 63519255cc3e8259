"""A C++17 program with ONNX Runtime's C++ API or TensorFlow Lite's; it reads .npy files, or takes zeros, and prints the outputs."""

from edgeq.example_code.contract import Contract, NoExample, Tensor, channels, height_by_width, per_channel
from edgeq.example_code.literals import cpp_text, words
from edgeq.example_code.place import Place
from edgeq.nouns.tensor import Preprocessing

_TYPES = {
    "float32": "float",
    "float64": "double",
    "bool": "bool",
    **{f"{u}int{bits}": f"std::{u}int{bits}_t" for u in ("", "u") for bits in (8, 16, 32, 64)},
}
_DESCRIBED = {"bool": "|b1", "int8": "|i1", "uint8": "|u1"}  # numpy's words for the rest: <, kind, bytes
_ONNX = {"float32": "FLOAT", "float64": "DOUBLE"}  # the rest: numpy's word in capitals


def program(contract: Contract, place: Place) -> str:
    """Raises NoExample for an element type that C++ does not have."""
    strange = [t.dtype for t in (*contract.inputs, *contract.outputs) if t.dtype not in _TYPES]
    if strange:
        raise NoExample(f"no C++ type for elements of {strange[0]}")
    onnx = contract.runtime == "onnxruntime"
    image = contract.preprocessing if contract.takes_image else None
    quantizes = any(t.affine for t in contract.inputs)
    parts = [
        _head(contract, place, image, onnx),
        _constants(contract, place),
        _NPY,
        _image(image) if image else _ARRAY,
        _AFFINE if quantizes else "",
        _PRINT,
        "}  // namespace\n",
        _onnx_main(contract) if onnx else _tflite_main(contract),
    ]
    return "\n".join(part for part in parts if part)


def _head(contract: Contract, place: Place, image: Preprocessing | None, onnx: bool) -> str:
    runs = f"{words(contract.app)} ({words(contract.candidate)})"
    name = place.program
    if onnx:
        build = [
            f"  g++ -std=c++17 -O2 {name}.cc -I ORT/include -L ORT/lib -Wl,-rpath,ORT/lib -lonnxruntime -o {name}",
            "",
            "ORT is an unpacked onnxruntime-linux-<x64|aarch64>-<version>.tgz of ONNX Runtime's releases.",
        ]
        headers = ["<onnxruntime_cxx_api.h>"]
    else:
        build = [
            "with CMake, in whose CMakeLists.txt TF is a checkout of TensorFlow:",
            "  add_subdirectory(TF/tensorflow/lite tflite EXCLUDE_FROM_ALL)",
            f"  add_executable({name} {name}.cc)",
            f"  target_link_libraries({name} tensorflow-lite)",
        ]
        headers = [f'"tensorflow/lite/{h}.h"' for h in ("interpreter", "kernels/register", "model")]
    count = len(contract.inputs)
    arrays = ["input.npy"] if count == 1 else [f"input{i}.npy" for i in range(count)]
    given = "image.npy" if image else " ".join(arrays)
    lines = [
        f"Runs {runs}. Build it:",
        *build,
        "",
        *(() if place.model.startswith("/") else (f"Run it, with {words(place.model)} beside it:",)),
        f"  ./{name}{' ' * (len(given) + 1)}    the input is zeros",
        f"  ./{name} {given}    the input is what numpy.save wrote" + (_of_image(image) if image else ""),
    ]
    standard = [
        "algorithm",
        "cmath",
        "cstdint",
        "cstring",
        "exception",
        "filesystem",
        "fstream",
        "iostream",
        "iterator",
        "limits",
    ]
    standard += ["memory", "sstream", "stdexcept", "string", "vector"]
    return "".join(
        [
            *(f"// {line}".rstrip() + "\n" for line in lines),
            "\n",
            *(f"#include <{h}>\n" for h in standard),
            "\n",
            *(f"#include {h}\n" for h in headers),
        ]
    )


def _of_image(image: Preprocessing) -> str:
    size = "have the model's size" if image.size is None else f"be {height_by_width(image.size)}"
    return f":\n//    uint8 [height, width, 3] in RGB order, which must already {size}: resize before"


def _constants(contract: Contract, place: Place) -> str:
    inputs = ",\n".join(f"    {_declared(t)}" for t in contract.inputs)
    return f"""namespace {{

constexpr char kModel[] = {cpp_text(place.model)};
constexpr int kThreads = {contract.threads};

/// One input of the model: its name there, numpy's word for its elements, their size, and the shape; -1 is open.
struct Input {{
  std::string name;
  std::string type;
  std::size_t size;
  std::vector<std::int64_t> shape;
}};

const std::vector<Input> kInputs = {{
{inputs},
}};

/// Relative to this program's own file, wherever it is started.
std::string model_path() {{
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / kModel).string();
}}

[[noreturn]] void fail(const std::string& why) {{ throw std::runtime_error(why); }}
"""


def _declared(tensor: Tensor) -> str:
    described = _DESCRIBED.get(tensor.dtype) or f"<{_kind(tensor.dtype)}{_bytes(tensor.dtype)}"
    return f'{{{cpp_text(tensor.name)}, "{described}", {_bytes(tensor.dtype)}, {_dims(tensor)}}}'


def _kind(dtype: str) -> str:
    return "f" if dtype.startswith("float") else dtype[0]


def _bytes(dtype: str) -> int:
    digits = "".join(c for c in dtype if c.isdigit())
    return int(digits) // 8 if digits else 1


def _dims(tensor: Tensor) -> str:
    return "{" + ", ".join("-1" if d is None else str(d) for d in tensor.shape) + "}"


_NPY = """/// What numpy.save wrote: the word for its elements ("<f4"), the shape, and the bytes in C order.
struct Array {
  std::string type;
  std::vector<std::int64_t> shape;
  std::vector<char> bytes;
};

Array read_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  unsigned char start[10];
  if (!file.read(reinterpret_cast<char*>(start), 10) || std::memcmp(start, "\\x93NUMPY\\x01", 7) != 0)
    fail(path + " is no .npy file of format 1.0");
  std::string header(start[8] + 256u * start[9], ' ');
  file.read(&header[0], static_cast<std::streamsize>(header.size()));
  if (header.find("'fortran_order': False") == std::string::npos)
    fail(path + " is not in C order: numpy.ascontiguousarray turns it");
  const auto type = header.find("'descr': '") + 10, shape = header.find("'shape': (") + 10;
  Array array;
  array.type = header.substr(type, header.find('\\'', type) - type);
  std::istringstream dims(header.substr(shape, header.find(')', shape) - shape));
  for (std::string dim; std::getline(dims, dim, ',');)
    if (dim.find_first_of("0123456789") != std::string::npos) array.shape.push_back(std::stoll(dim));
  array.bytes.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  return array;
}

std::size_t count(const std::vector<std::int64_t>& shape) {
  std::size_t product = 1;
  for (const auto dim : shape) product *= static_cast<std::size_t>(dim);
  return product;
}

/// `shape` with 1 for each dimension that is open.
std::vector<std::int64_t> smallest(std::vector<std::int64_t> shape) {
  std::replace(shape.begin(), shape.end(), std::int64_t{-1}, std::int64_t{1});
  return shape;
}
"""

_ARRAY = """/// The input as the file has it; zeros without a file.
Array input(const Input& wanted, const char* path) {
  if (path == nullptr) {
    const auto shape = smallest(wanted.shape);
    return {wanted.type, shape, std::vector<char>(count(shape) * wanted.size)};
  }
  Array given = read_npy(path);
  bool fits = given.shape.size() == wanted.shape.size();
  for (std::size_t i = 0; fits && i < given.shape.size(); ++i)
    fits = wanted.shape[i] == -1 || wanted.shape[i] == given.shape[i];
  if (!fits) fail(std::string(path) + " has not the shape of input " + wanted.name);
  return given;
}
"""

_AFFINE = """/// Reals as the integers that the model takes: stored = round(real / scale) + zero_point.
template <typename T>
Array stored(const Array& reals, const char* type, float scale, int zero_point) {
  if (reals.type != "<f4") return reals;
  Array array{type, reals.shape, std::vector<char>(count(reals.shape) * sizeof(T))};
  for (std::size_t i = 0; i < count(reals.shape); ++i) {
    float real;
    std::memcpy(&real, &reals.bytes[i * sizeof real], sizeof real);
    const double low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
    const double rounded = std::nearbyint(real / scale);
    const T value = static_cast<T>(std::clamp(rounded + zero_point, low, high));
    std::memcpy(&array.bytes[i * sizeof value], &value, sizeof value);
  }
  return array;
}
"""

_PRINT = """/// The name, the shape and the first values; real = scale * (stored - zero_point).
template <typename T>
void print(const char* name, const std::vector<std::int64_t>& shape, const T* values, double scale = 1,
           double zero_point = 0) {
  const std::size_t shown = 10, all = count(shape);
  std::cout << name << " [";
  for (std::size_t i = 0; i < shape.size(); ++i) std::cout << (i ? ", " : "") << shape[i];
  std::cout << "]:";
  for (std::size_t i = 0; i < std::min(all, shown); ++i)
    std::cout << ' ' << scale * (static_cast<double>(values[i]) - zero_point);
  std::cout << (all > shown ? " ...\\n" : "\\n");
}
"""


def _image(image: Preprocessing) -> str:
    """`input` for a model that takes one image."""
    number = channels(image)
    mean, std = (
        ", ".join(f"{v!r}" for v in per_channel(values, image)) for values in (image.mean, image.std)
    )
    pixel = {
        "RGB": "pixel[c]",
        "BGR": "pixel[2 - c]",
        # ITU-R 601 luma in 16 bits after the point, as pillow has it.
        "GRAY": "((19595u * pixel[0] + 38470u * pixel[1] + 7471u * pixel[2] + 32768u) >> 16)",
    }[image.channels]
    planes, rows, columns = (1, 2, 3) if image.layout == "NCHW" else (3, 1, 2)
    at = "(c * height + y) * width + x" if image.layout == "NCHW" else "(y * width + x) * kChannels + c"
    loops = "for (std::size_t c = 0; c < kChannels; ++c)"
    return f"""constexpr std::size_t kChannels = {number};
constexpr double kScale = {image.scale!r}, kMean[] = {{{mean}}}, kStd[] = {{{std}}};

/// The image in `path` as the model takes it: (pixel * scale - mean) / std per channel; zeros without a file.
Array input(const Input& wanted, const char* path) {{
  std::vector<std::int64_t> shape = smallest(wanted.shape);
  if (path == nullptr) return {{"<f4", shape, std::vector<char>(count(shape) * sizeof(float))}};
  const Array image = read_npy(path);
  if (image.type != "|u1" || image.shape.size() != 3 || image.shape[2] != 3)
    fail(std::string(path) + " is no image: uint8 [height, width, 3] is expected");
  const std::size_t height = image.shape[0], width = image.shape[1];
  if (wanted.shape[{rows}] == -1) shape[{rows}] = image.shape[0];
  if (wanted.shape[{columns}] == -1) shape[{columns}] = image.shape[1];
  if (shape != std::vector<std::int64_t>{{1, {_shape(planes)}}})
    fail(std::string(path) + " has another size than the model takes: resize the image first");
  std::vector<float> values(count(shape));
  for (std::size_t y = 0; y < height; ++y)
    for (std::size_t x = 0; x < width; ++x) {{
      const auto* pixel = reinterpret_cast<const unsigned char*>(&image.bytes.at((y * width + x) * 3));
      {loops}
        values[{at}] = static_cast<float>(({pixel} * kScale - kMean[c]) / kStd[c]);
    }}
  const char* bytes = reinterpret_cast<const char*>(values.data());
  return {{"<f4", shape, std::vector<char>(bytes, bytes + values.size() * sizeof(float))}};
}}
"""


def _shape(planes: int) -> str:
    height, width = "image.shape[0]", "image.shape[1]"
    number = "std::int64_t{kChannels}"
    return ", ".join([number, height, width] if planes == 1 else [height, width, number])


def _taken(contract: Contract) -> str:
    """The arrays, quantized where the model takes integers for reals, and checked against what it takes."""
    steps = []
    for i, tensor in enumerate(contract.inputs):
        value = f"input(kInputs[{i}], argc > {i + 1} ? argv[{i + 1}] : nullptr)"
        if tensor.affine:
            value = (
                f"stored<{_TYPES[tensor.dtype]}>({value}, kInputs[{i}].type.c_str(), "
                f"{tensor.affine.scale!r}f, {tensor.affine.zero_point})"
            )
        steps.append(f"      {value},\n")
    return f"""  const std::vector<Array> arrays = {{
{"".join(steps)}  }};
  for (std::size_t i = 0; i < arrays.size(); ++i)
    if (arrays[i].type != kInputs[i].type || arrays[i].bytes.size() != count(arrays[i].shape) * kInputs[i].size)
      fail("input " + kInputs[i].name + " takes elements of type " + kInputs[i].type);
"""


def _printed(tensor: Tensor, shape: str, values: str) -> str:
    real = f", {tensor.affine.scale!r}, {tensor.affine.zero_point}" if tensor.affine else ""
    return f"  print({cpp_text(tensor.called)}, {shape}, {values}{real});\n"


def _main(body: str) -> str:
    return f"""int main(int argc, char** argv) try {{
{body}  return 0;
}} catch (const std::exception& error) {{
  std::cerr << "error: " << error.what() << '\\n';
  return 1;
}}
"""


def _onnx_main(contract: Contract) -> str:
    types = ", ".join(
        f"ONNX_TENSOR_ELEMENT_DATA_TYPE_{_ONNX.get(t.dtype, t.dtype.upper())}" for t in contract.inputs
    )
    names = ", ".join(cpp_text(t.name) for t in contract.outputs)
    prints = "".join(
        _printed(
            t,
            f"outputs[{i}].GetTensorTypeAndShapeInfo().GetShape()",
            f"outputs[{i}].GetTensorData<{_TYPES[t.dtype]}>()",
        )
        for i, t in enumerate(contract.outputs)
    )
    return _main(f"""{_taken(contract)}
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, {cpp_text(contract.app)});
  env.DisableTelemetryEvents();
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(kThreads);
  Ort::Session session(env, model_path().c_str(), options);

  const ONNXTensorElementDataType types[] = {{{types}}};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<const char*> names;
  std::vector<Ort::Value> values;
  for (std::size_t i = 0; i < arrays.size(); ++i) {{
    const auto& [type, shape, bytes] = arrays[i];
    names.push_back(kInputs[i].name.c_str());
    values.push_back(Ort::Value::CreateTensor(memory, const_cast<char*>(bytes.data()), bytes.size(), shape.data(),
                                              shape.size(), types[i]));
  }}
  const char* wanted[] = {{{names}}};
  const auto outputs = session.Run(Ort::RunOptions{{nullptr}}, names.data(), values.data(), values.size(), wanted,
                                   {len(contract.outputs)});
{prints}""")


def _tflite_main(contract: Contract) -> str:
    prints = "".join(
        f"""  {{
    const TfLiteTensor* output = tensor(interpreter->outputs(), {cpp_text(t.name)});
  {_printed(t, "shape_of(output)", f"reinterpret_cast<const {_TYPES[t.dtype]}*>(output->data.raw)")}  }}
"""
        for t in contract.outputs
    )
    return _main(f"""{_taken(contract)}
  const auto model = tflite::FlatBufferModel::BuildFromFile(model_path().c_str());
  if (!model) fail(model_path() + " cannot be read");
  tflite::ops::builtin::BuiltinOpResolver resolver;
  std::unique_ptr<tflite::Interpreter> interpreter;
  tflite::InterpreterBuilder builder(*model, resolver);
  builder.SetNumThreads(kThreads);
  if (builder(&interpreter) != kTfLiteOk) fail(model_path() + " cannot be run");

  const auto index = [&](const std::vector<int>& among, const std::string& name) {{
    for (const int i : among)
      if (name == interpreter->tensor(i)->name) return i;
    fail("the model has no tensor " + name);
  }};
  const auto tensor = [&](const std::vector<int>& among, const std::string& name) {{
    return interpreter->tensor(index(among, name));
  }};
  const auto shape_of = [](const TfLiteTensor* t) {{
    return std::vector<std::int64_t>(t->dims->data, t->dims->data + t->dims->size);
  }};
  for (std::size_t i = 0; i < arrays.size(); ++i)
    interpreter->ResizeInputTensor(index(interpreter->inputs(), kInputs[i].name),
                                   std::vector<int>(arrays[i].shape.begin(), arrays[i].shape.end()));
  if (interpreter->AllocateTensors() != kTfLiteOk) fail("the model takes inputs of another shape");
  for (std::size_t i = 0; i < arrays.size(); ++i) {{
    TfLiteTensor* taken = tensor(interpreter->inputs(), kInputs[i].name);
    if (taken->bytes != arrays[i].bytes.size()) fail("input " + kInputs[i].name + " has another size");
    std::memcpy(taken->data.raw, arrays[i].bytes.data(), taken->bytes);
  }}
  if (interpreter->Invoke() != kTfLiteOk) fail("the model did not run");
{prints}""")
