#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "assay/base/thread_pool.h"
#include "assay/compiler/ir.h"
#include "assay/device/kernel.h"

namespace assay::runtime {

/// A compiled request, ready to run any number of times: kernels bound, memory planned. Running
/// is a loop over steps. Thread-safe, given that programs with `exclusive()` run alone.
class Program {
 public:
  /// Binds kernels to the instructions of `ir`. Throws Unimplemented when an op has no kernel for
  /// its dtype.
  Program(compiler::Ir ir, ResourceStore& resources);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Runs with these feeds (of exactly the shapes compiled for); returns the fetched values.
  std::vector<Tensor> run(const Tensor* const* feeds, ThreadPool& pool);

  /// True when running changes variables or other state of the session.
  bool exclusive() const { return exclusive_; }
  /// One line an instruction, then the size of the arena.
  std::string str() const { return compiler::to_string(ir_); }
  int num_steps() const { return static_cast<int>(steps_.size()); }

 private:
  struct Step {
    Kernel* kernel = nullptr;
    const Node* node = nullptr;
    unsigned first_input = 0;
    unsigned num_inputs = 0;
    unsigned first_output = 0;
    unsigned num_outputs = 0;
    unsigned num_checks = 0;  // of the first inputs in checks_ that must be initialised
    unsigned first_check = 0;
  };
  // What a variable must hold when a step reads it: the program was compiled for this.
  struct Check {
    const Tensor* value;
    DType dtype;
    PartialShape shape;
    std::string variable;
    const Node* node;

    bool holds() const {
      if (value->dtype() != dtype) return false;
      if (!shape.has_rank()) return true;
      if (shape.rank() != value->rank()) return false;
      for (int i = 0; i < shape.rank(); ++i) {
        if (shape[i] >= 0 && shape[i] != value->dim(i)) return false;
      }
      return true;
    }
    bool same_as(const Check& other) const {
      return value == other.value && dtype == other.dtype && shape == other.shape;
    }
  };
  // The memory of one run: made once, reused by later runs.
  struct Frame;

  void bind_step(compiler::InstrId i, ResourceStore& resources);
  void add_step(std::unique_ptr<Kernel> kernel, const compiler::Instr& instr,
                const std::vector<compiler::ValueId>& inputs,
                const std::vector<compiler::ValueId>& outputs);
  void add_checks(Step& step, const compiler::Instr& instr,
                  const std::vector<compiler::ValueId>& inputs);
  [[noreturn]] static void report_variable(const Check& check);
  int slot_of(compiler::ValueId v) const;
  std::unique_ptr<Frame> take_frame();
  void give_back(std::unique_ptr<Frame> frame);
  std::unique_ptr<Frame> make_frame() const;
  [[noreturn]] void report(const Step& step, const Error& error) const;

  compiler::Ir ir_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::vector<Step> steps_;
  std::vector<int> args_;            // slots of inputs and outputs, step by step
  std::vector<OutputPlace> places_;  // parallel to args_, meant for outputs
  std::vector<Check> checks_;
  std::vector<Check> checked_;  // what the steps so far have checked or made so
  bool exclusive_ = false;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Frame>> idle_;
};

}  // namespace assay::runtime
