#include "assay/device/cpu/fused_loop.h"

#include <algorithm>
#include <array>

namespace assay {
namespace {

// Elements a loop handles before the next one takes over: small enough that all registers of a
// chain stay in the first-level cache, large enough that the calls do not count.
constexpr std::int64_t kBlock = 512;
constexpr std::size_t kMaxElementSize = 8;
// From one result of a block to the next: not a multiple of 4096 bytes, or a load would wait for
// the store whose address has the same last twelve bits.
constexpr std::size_t kPlace = kBlock * kMaxElementSize + 192;
// Rows or blocks of one piece of work for the thread pool.
constexpr std::int64_t kElementsPerPiece = 32768;
constexpr int kMaxRegisters = 48;

class FusedKernel : public Kernel {
 public:
  explicit FusedKernel(FusedLoop chain) : chain_(std::move(chain)) {
    ASSAY_CHECK(static_cast<int>(chain_.inputs.size() + chain_.operations.size()) <= kMaxRegisters);
    assign_scratch();
    if (chain_.outer > 1) {
      rows_per_piece_ =
          std::max<std::int64_t>(1, kElementsPerPiece / std::max<std::int64_t>(chain_.inner, 1));
    }
  }

  void run(KernelContext& ctx) override {
    std::array<char*, kMaxRegisters> outputs;
    for (int i = 0; i < ctx.num_outputs(); ++i) {
      outputs[static_cast<std::size_t>(i)] = static_cast<char*>(ctx.output(i, chain_.shape).raw());
    }
    std::array<const char*, kMaxRegisters> inputs;
    for (int i = 0; i < ctx.num_inputs(); ++i) {
      inputs[static_cast<std::size_t>(i)] = static_cast<const char*>(ctx.input(i).raw());
    }
    if (chain_.outer == 1) {
      ctx.pool().parallel_for(chain_.inner, kElementsPerPiece,
                              [&](std::int64_t begin, std::int64_t end) {
                                run_row(inputs.data(), outputs.data(), 0, begin, end);
                              });
      return;
    }
    ctx.pool().parallel_for(chain_.outer, rows_per_piece_,
                            [&](std::int64_t begin, std::int64_t end) {
                              for (std::int64_t row = begin; row < end; ++row)
                                run_row(inputs.data(), outputs.data(), row, 0, chain_.inner);
                            });
  }

 private:
  // Where each result lives while a block passes: a place is free again after its last reader.
  void assign_scratch() {
    const int first = static_cast<int>(chain_.inputs.size());
    const int count = static_cast<int>(chain_.operations.size());
    std::vector<int> last(static_cast<std::size_t>(count), -1);
    for (int op = 0; op < count; ++op) {
      for (const int r : chain_.operations[static_cast<std::size_t>(op)].inputs) {
        if (r >= first) last[static_cast<std::size_t>(r - first)] = op;
      }
    }
    std::vector<int> free;
    scratch_.assign(static_cast<std::size_t>(count), -1);
    for (int op = 0; op < count; ++op) {
      const auto& operation = chain_.operations[static_cast<std::size_t>(op)];
      if (operation.output < 0) {
        if (free.empty()) free.push_back(num_places_++);
        scratch_[static_cast<std::size_t>(op)] = free.back();
        free.pop_back();
      }
      for (int earlier = 0; earlier < op; ++earlier) {
        if (last[static_cast<std::size_t>(earlier)] == op &&
            scratch_[static_cast<std::size_t>(earlier)] >= 0) {
          free.push_back(scratch_[static_cast<std::size_t>(earlier)]);
        }
      }
    }
    ASSAY_CHECK(num_places_ <= kMaxPlaces);
  }

  void run_row(const char* const* inputs, char* const* outputs, std::int64_t row,
               std::int64_t begin, std::int64_t end) const {
    alignas(64) std::array<char, kMaxPlaces * kPlace> scratch;
    std::array<const char*, kMaxRegisters> registers;
    std::array<int, kMaxRegisters> strides;
    const std::size_t first = chain_.inputs.size();
    for (std::int64_t at = begin; at < end; at += kBlock) {
      const std::int64_t n = std::min(kBlock, end - at);
      for (std::size_t i = 0; i < first; ++i) {
        const auto& input = chain_.inputs[i];
        registers[i] =
            inputs[i] + (row * input.outer_stride + at * input.inner_stride) * input.element_size;
        strides[i] = input.inner_stride;
      }
      for (std::size_t op = 0; op < chain_.operations.size(); ++op) {
        const auto& operation = chain_.operations[op];
        std::array<const void*, kMaxElementwiseInputs> in;
        std::array<int, kMaxElementwiseInputs> stride;
        for (std::size_t k = 0; k < operation.inputs.size(); ++k) {
          in[k] = registers[static_cast<std::size_t>(operation.inputs[k])];
          stride[k] = strides[static_cast<std::size_t>(operation.inputs[k])];
        }
        char* out =
            operation.output >= 0
                ? outputs[operation.output] + (row * chain_.inner + at) * operation.element_size
                : scratch.data() + static_cast<std::size_t>(scratch_[op]) * kPlace;
        operation.loop(in.data(), stride.data(), out, n);
        registers[first + op] = out;
        strides[first + op] = 1;
      }
    }
  }

  static constexpr int kMaxPlaces = 16;
  FusedLoop chain_;
  std::vector<int> scratch_;  // place of each operation's result, -1 for outputs
  int num_places_ = 0;
  std::int64_t rows_per_piece_ = 1;
};

}  // namespace

std::unique_ptr<Kernel> make_fused_kernel(FusedLoop chain) {
  return std::make_unique<FusedKernel>(std::move(chain));
}

}  // namespace assay
