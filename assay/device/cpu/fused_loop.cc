#include "assay/device/cpu/fused_loop.h"

#include <algorithm>
#include <array>
#include <cstring>

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

class FusedKernel : public ParallelKernel {
 public:
  explicit FusedKernel(FusedLoop chain) : chain_(std::move(chain)) {
    ASSAY_CHECK(static_cast<int>(chain_.inputs.size() + chain_.operations.size()) <= kMaxRegisters);
    assign_scratch();
    if (chain_.outer > 1) {
      rows_per_piece_ =
          std::max<std::int64_t>(1, kElementsPerPiece / std::max<std::int64_t>(chain_.inner, 1));
      choose_rows_per_block();
    }
  }

  void run_parallel(ParallelContext& ctx) override {
    std::array<char*, kMaxRegisters> outputs;
    for (int i = 0; i < ctx.num_outputs(); ++i) {
      outputs[static_cast<std::size_t>(i)] = static_cast<char*>(
          ctx.output(i, chain_.output_shapes[static_cast<std::size_t>(i)]).raw());
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
                              if (rows_per_block_ > 1) {
                                run_rows(inputs.data(), outputs.data(), begin, end);
                                return;
                              }
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

  static constexpr int kMaxPlaces = 16;
  static constexpr int kMaxSpread = 4;  // inputs that are spread out to whole blocks

  // What the loops of one block read and write.
  struct Block {
    std::array<const char*, kMaxRegisters> registers;
    std::array<int, kMaxRegisters> strides;
    alignas(64) std::array<char, kMaxPlaces * kPlace> scratch;
  };

  // Short rows go several at a time: a call of a loop costs as much as some dozens of elements.
  // Rows and columns that all share are then spread out to the block first.
  void choose_rows_per_block() {
    int spread = 0;
    for (const auto& input : chain_.inputs) spread += is_spread(input) ? 1 : 0;
    if (chain_.inner <= kBlock / 2 && spread <= kMaxSpread) {
      rows_per_block_ = kBlock / chain_.inner;
    }
  }

  bool is_full(const FusedLoop::Input& input) const {
    return input.inner_stride == 1 && input.outer_stride == chain_.inner;
  }
  bool is_spread(const FusedLoop::Input& input) const {
    return !is_full(input) && (input.inner_stride != 0 || input.outer_stride != 0);
  }

  // Runs the chain on `n` elements, of which the first is element `at` of the domain. The block's
  // input registers are set.
  void run_block(Block& block, char* const* outputs, std::int64_t at, std::int64_t n) const {
    const std::size_t first = chain_.inputs.size();
    for (std::size_t op = 0; op < chain_.operations.size(); ++op) {
      const auto& operation = chain_.operations[op];
      std::array<const void*, kMaxElementwiseInputs> in;
      std::array<int, kMaxElementwiseInputs> stride;
      for (std::size_t k = 0; k < operation.inputs.size(); ++k) {
        in[k] = block.registers[static_cast<std::size_t>(operation.inputs[k])];
        stride[k] = block.strides[static_cast<std::size_t>(operation.inputs[k])];
      }
      char* out = operation.output >= 0
                      ? outputs[operation.output] + at * operation.element_size
                      : block.scratch.data() + static_cast<std::size_t>(scratch_[op]) * kPlace;
      operation.loop(in.data(), stride.data(), out, n);
      block.registers[first + op] = out;
      block.strides[first + op] = 1;
    }
  }

  void run_row(const char* const* inputs, char* const* outputs, std::int64_t row,
               std::int64_t begin, std::int64_t end) const {
    Block block;
    for (std::int64_t at = begin; at < end; at += kBlock) {
      for (std::size_t i = 0; i < chain_.inputs.size(); ++i) {
        const auto& input = chain_.inputs[i];
        block.registers[i] =
            inputs[i] + (row * input.outer_stride + at * input.inner_stride) * input.element_size;
        block.strides[i] = input.inner_stride;
      }
      run_block(block, outputs, row * chain_.inner + at, std::min(kBlock, end - at));
    }
  }

  void run_rows(const char* const* inputs, char* const* outputs, std::int64_t begin,
                std::int64_t end) const {
    Block block;
    alignas(64) std::array<char, kMaxSpread * kPlace> spread;
    for (std::int64_t row = begin; row < end; row += rows_per_block_) {
      const std::int64_t rows = std::min(rows_per_block_, end - row);
      char* place = spread.data();
      for (std::size_t i = 0; i < chain_.inputs.size(); ++i) {
        const auto& input = chain_.inputs[i];
        const char* from = inputs[i] + row * input.outer_stride * input.element_size;
        block.strides[i] = input.inner_stride;
        block.registers[i] = from;
        if (!is_spread(input)) continue;
        // A row is the same for every block, so its copies are made once.
        const bool is_row = input.inner_stride == 1;
        if (!is_row) {
          repeat_each(from, input.element_size, rows, chain_.inner, place);
        } else if (row == begin) {
          const auto bytes = static_cast<std::size_t>(chain_.inner * input.element_size);
          for (std::int64_t r = 0; r < rows; ++r) {
            std::memcpy(place + static_cast<std::size_t>(r) * bytes, from, bytes);
          }
        }
        block.registers[i] = place;
        block.strides[i] = 1;
        place += kPlace;
      }
      run_block(block, outputs, row * chain_.inner, rows * chain_.inner);
    }
  }

  template <typename T>
  static void repeat_typed(const char* from, std::int64_t count, std::int64_t times, char* to) {
    const T* in = reinterpret_cast<const T*>(from);
    T* out = reinterpret_cast<T*>(to);
    for (std::int64_t i = 0; i < count; ++i) out = std::fill_n(out, times, in[i]);
  }

  static void repeat_each(const char* from, int size, std::int64_t count, std::int64_t times,
                          char* to) {
    switch (size) {
      case 1:
        return repeat_typed<std::uint8_t>(from, count, times, to);
      case 2:
        return repeat_typed<std::uint16_t>(from, count, times, to);
      case 4:
        return repeat_typed<std::uint32_t>(from, count, times, to);
      default:
        ASSAY_CHECK(size == 8);
        return repeat_typed<std::uint64_t>(from, count, times, to);
    }
  }

  FusedLoop chain_;
  std::vector<int> scratch_;  // place of each operation's result, -1 for outputs
  int num_places_ = 0;
  std::int64_t rows_per_piece_ = 1;
  std::int64_t rows_per_block_ = 1;
};

}  // namespace

std::unique_ptr<Kernel> make_fused_kernel(FusedLoop chain) {
  return std::make_unique<FusedKernel>(std::move(chain));
}

}  // namespace assay
