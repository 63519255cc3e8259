// What the C++ example uses of TensorFlow Lite's documented C++ API, with an interpreter that gives each input back as an
// output: what the example makes of its files can then be compared. A model file is lines of "input NAME BYTES" and
// "output NAME BYTES" here.
#pragma once

#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

struct TfLiteIntArray {
  int size;
  int data[8];
};

union TfLitePtrUnion {
  char* raw;
};

struct TfLiteTensor {
  TfLitePtrUnion data;
  TfLiteIntArray* dims;
  std::size_t bytes;
  const char* name;
};

namespace tflite {

class FlatBufferModel {
 public:
  static std::unique_ptr<FlatBufferModel> BuildFromFile(const char* path) {
    if (!std::ifstream(path)) return nullptr;
    auto model = std::make_unique<FlatBufferModel>();
    model->path = path;
    return model;
  }
  std::string path;
};

class Interpreter {
 public:
  explicit Interpreter(const FlatBufferModel& model) {
    std::ifstream file(model.path);
    std::string side, name;
    for (int index = 0; file >> side >> name >> sizes_.emplace_back(); ++index) {
      (side == "input" ? inputs_ : outputs_).push_back(index);
      names_.push_back(name);
    }
  }
  const std::vector<int>& inputs() const { return inputs_; }
  const std::vector<int>& outputs() const { return outputs_; }
  TfLiteStatus ResizeInputTensor(int index, const std::vector<int>& dims) {
    dims_.resize(names_.size());
    dims_[index] = {static_cast<int>(dims.size()), {}};
    std::copy(dims.begin(), dims.end(), dims_[index].data);
    return kTfLiteOk;
  }
  TfLiteStatus AllocateTensors() {
    tensors_.resize(names_.size());
    values_.resize(names_.size());
    for (std::size_t i = 0; i < names_.size(); ++i) {
      values_[i].resize(sizes_[i]);
      tensors_[i] = {{values_[i].data()}, &dims_[i], sizes_[i], names_[i].c_str()};
    }
    return kTfLiteOk;
  }
  TfLiteTensor* tensor(int index) {
    if (tensors_.empty()) AllocateTensors();
    return &tensors_[index];
  }
  TfLiteStatus Invoke() {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const int from = inputs_[i % inputs_.size()];
      values_[outputs_[i]] = values_[from];
      dims_[outputs_[i]] = dims_[from];
      tensors_[outputs_[i]].data.raw = values_[outputs_[i]].data();
    }
    return kTfLiteOk;
  }

 private:
  std::vector<int> inputs_, outputs_;
  std::vector<std::string> names_;
  std::vector<std::size_t> sizes_;
  std::vector<TfLiteIntArray> dims_ = std::vector<TfLiteIntArray>(8);
  std::vector<TfLiteTensor> tensors_;
  std::vector<std::vector<char>> values_;
};

namespace ops::builtin {
class BuiltinOpResolver {};
}  // namespace ops::builtin

class InterpreterBuilder {
 public:
  InterpreterBuilder(const FlatBufferModel& model, const ops::builtin::BuiltinOpResolver&) : model_(model) {}
  TfLiteStatus SetNumThreads(int) { return kTfLiteOk; }
  TfLiteStatus operator()(std::unique_ptr<Interpreter>* interpreter) {
    *interpreter = std::make_unique<Interpreter>(model_);
    return kTfLiteOk;
  }

 private:
  const FlatBufferModel& model_;
};

}  // namespace tflite
