// What the C++ example uses of ONNX Runtime's documented C++ API, with a session that gives each input back as an output:
// what the example makes of its files can then be compared. It stands in where the real header is not installed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <vector>

enum OrtLoggingLevel { ORT_LOGGING_LEVEL_ERROR = 3 };
enum OrtAllocatorType { OrtDeviceAllocator = 0, OrtArenaAllocator = 1 };
enum OrtMemType { OrtMemTypeDefault = 0 };
enum ONNXTensorElementDataType {
  ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT = 1,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL = 9,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE = 11,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64,
};

namespace Ort {

struct Env {
  Env(OrtLoggingLevel, const char*) {}
  Env& DisableTelemetryEvents() { return *this; }
};

struct SessionOptions {
  SessionOptions& SetIntraOpNumThreads(int) { return *this; }
};

struct RunOptions {
  explicit RunOptions(std::nullptr_t) {}
};

struct MemoryInfo {
  static MemoryInfo CreateCpu(OrtAllocatorType, OrtMemType) { return {}; }
};

struct TensorTypeAndShapeInfo {
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> GetShape() const { return shape; }
};

class Value {
 public:
  static Value CreateTensor(const MemoryInfo&, void* data, std::size_t bytes, const std::int64_t* shape, std::size_t dims,
                            ONNXTensorElementDataType) {
    Value value;
    value.bytes_.resize(bytes);
    std::memcpy(value.bytes_.data(), data, bytes);
    value.shape_.assign(shape, shape + dims);
    return value;
  }
  Value(Value&&) = default;
  Value(const Value&) = delete;
  TensorTypeAndShapeInfo GetTensorTypeAndShapeInfo() const { return {shape_}; }
  template <typename T>
  const T* GetTensorData() const {
    return reinterpret_cast<const T*>(bytes_.data());
  }

 private:
  friend class Session;
  Value() = default;
  std::vector<char> bytes_;
  std::vector<std::int64_t> shape_;
};

class Session {
 public:
  Session(const Env&, const char* path, const SessionOptions&) {
    if (!std::ifstream(path)) throw std::runtime_error("no model");
  }
  std::vector<Value> Run(const RunOptions&, const char* const*, const Value* inputs, std::size_t count,
                         const char* const*, std::size_t outputs) {
    std::vector<Value> given;
    for (std::size_t i = 0; i < outputs; ++i) {
      Value value;
      value.bytes_ = inputs[i % count].bytes_;
      value.shape_ = inputs[i % count].shape_;
      given.push_back(std::move(value));
    }
    return given;
  }
};

}  // namespace Ort
